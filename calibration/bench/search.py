"""How the time of an exact search grows with the bank and with the batch, on real patches in random order."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration import charts, memory
from calibration.bench import turns
from calibration.bench.accuracy import Category
from calibration.bench.taught import Taught, searched, shown
from calibration.charts import Line, Panel
from calibration.features import F32, Extractor
from calibration.progress import Progress
from inspectd.vision.neighbours import Neighbours, standardise

if TYPE_CHECKING:
    from calibration.bench.speed import Size

HEAD = ("search", "ms a picture", "spread")

SIZES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
_FITTED_FROM = 10_000  # vectors: below it what does not grow with the bank would flatter the exponent
_BATCHES = (1, 2, 4, 8, 16)


def needed(largest: int, sees: Extractor) -> int:
    """Return the bytes that banks of all sizes take up to the largest, and greedy selection from a quarter more."""
    return searched(sees, *_up_to(largest)) + 2 * largest * memory.PER_VECTOR


def run(model: Taught, bank: F32, data: Category, size: "Size", progress: Progress) -> dict[str, Any]:
    """Return the times by bank size (prefixes of one greedy order), their exponent, and by batch size with one bank."""
    count = min(len(data.tests.cases), max(size.rounds, _BATCHES[-1]))
    pictures = np.stack(shown(data, count, model.method, model.seed))
    extractor = model.features.extractor
    queries = standardise(np.concatenate([extractor.vectors([one]) for one in pictures]), *model.standard)
    by_bank = _by_bank(model, queries, size, progress)
    return {"by_bank": by_bank, "exponent": exponent(by_bank), "by_batch": _by_batch(bank, queries, size.rounds, progress)}


def exponent(by_bank: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the slope of log time over log vectors from 10,000 on; None with fewer than two sizes there."""
    fitted = [one for one in by_bank if one["vectors"] >= _FITTED_FROM]
    if len(fitted) < 2:
        return None
    x, y = (np.log([one[key] for one in fitted]) for key in ("vectors", "median"))
    return float(np.polyfit(x, y, 1)[0])


def rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the table of both."""
    lines = [(f"{one['vectors']:,} vectors", one) for one in found["by_bank"]]
    lines += [(f"batch {one['batch']}", one) for one in found["by_batch"]]
    table = [
        (name, f"{one['median']:.2f}", "{:.2f} … {:.2f}".format(*one["spread"])) for name, one in lines
    ]  # fmt: skip
    slope = found["exponent"]
    return [*table, (f"exponent from {_FITTED_FROM:,} vectors", "-" if slope is None else f"{slope:.2f}", "")]


def cut_short(found: Mapping[str, Any], largest: int) -> str:
    """Say that the pictures gave too few vectors for the banks that were asked for, if so."""
    measured, asked = [one["vectors"] for one in found["by_bank"]], _up_to(largest)
    few = f"{len(measured)} of {len(asked)} sizes of bank: the pictures have too few patches for {asked[-1]:,} vectors"
    return "" if len(measured) == len(asked) else few


def chart(found: Mapping[str, Any]) -> bytes:
    """Return a PNG of both."""
    slope = found["exponent"]
    name = "exact search" if slope is None else f"exact search, exponent {slope:.2f}"
    banks, batches = found["by_bank"], found["by_batch"]
    by_bank = Line([one["vectors"] for one in banks], [one["median"] for one in banks])
    by_batch = Line([one["batch"] for one in batches], [one["median"] for one in batches])
    return charts.panels(
        [
            Panel("time by bank size", "vectors", "ms a picture", {name: by_bank}, log="xy"),
            Panel("time by batch size", "pictures in a batch", "ms a picture", {"exact search": by_batch}),
        ]
    )


def _up_to(most: int) -> list[int]:
    return [count for count in SIZES if count <= most]


def _by_bank(model: Taught, queries: F32, size: "Size", progress: Progress) -> list[dict[str, Any]]:
    sizes = _up_to(min(size.largest, len(model.vectors)))
    order = model.chosen(max(sizes, default=0)) if sizes else np.empty(0, np.int64)
    banks = {str(count): Neighbours(model.vectors[order[:count]]) for count in sizes}
    flat = queries.reshape(len(queries), -1, queries.shape[-1])

    def side(bank: Neighbours) -> turns.Side:
        return lambda number: bank.nearest(flat[number % len(flat)])

    sides = {name: side(bank) for name, bank in banks.items()}
    times = turns.in_turns(sides, size.rounds, progress.stage("turns, bank sizes", size.rounds + 1))
    return [{"vectors": int(name), **turns.middle(took)} for name, took in times.items()]


def _by_batch(bank: F32, queries: F32, rounds: int, progress: Progress) -> list[dict[str, Any]]:
    prepared = Neighbours(bank)

    def of(batch: int) -> turns.Side:
        def side(number: int) -> object:
            some = [(number * batch + k) % len(queries) for k in range(batch)]
            return prepared.nearest(queries[some].reshape(-1, queries.shape[-1]))

        return side

    sides = {str(batch): of(batch) for batch in _BATCHES}
    times = turns.in_turns(sides, rounds, progress.stage("turns, batch sizes", rounds + 1))
    return [
        {"batch": int(name), **turns.middle([one / int(name) for one in took])} for name, took in times.items()
    ]  # fmt: skip
