"""Speed of every method beside its accuracy: the PatchCore paper's table 5, on this machine.

The floor is the backbone's session alone on the same uint8 batch; a detector's side is `Detector.score` from pictures of the
input's size to scores and heat maps. All sides take turns in one run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace

from calibration import bank, evaluate, memory
from calibration.bench import learnt, search, turns
from calibration.bench.accuracy import Category
from calibration.bench.learnt import Machine
from calibration.bench.taught import Taught, held, searched, shown, taught
from calibration.evaluate import Figures
from calibration.features import U8, Extractor, kept
from calibration.layout import Layout
from calibration.memory import Knob, Taken
from calibration.progress import Progress
from inspectd.errors import MissingExtra, NotEnoughPictures
from inspectd.station.schema import Method
from inspectd.vision import neighbours
from inspectd.vision.detector import Detector
from inspectd.vision.methods import Arrays

FLOOR = "backbone alone"
HEAD = ("", "vectors", "image AUROC %", "pixel AUROC %", "ms, batch 1", "x floor", "ms, batch 8", "x floor")
BATCHES = (1, 8)
LEAST = search.SIZES[0]  # vectors of the largest bank that is searched

_INDEXED = "PatchCore 100 % + IVF-PQ"
_SCORES = ("image_auroc", "pixel_auroc", "pro")


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    pictures: int = 200  # good ones; 784 patches of each make the paper's 100 % about as large as on MVTec AD
    rounds: int = 30
    judged: int | None = None  # test pictures on which scores rest; None: all
    largest: int = 200_000  # bank of the search


def run(data: Category, method: Method, machine: Machine, size: Size, seed: int, progress: Progress) -> Figures:
    """Return rows of methods with their scores and times, and how the time of a search grows; errors as of `check`."""
    check(data, method, machine, size, progress)
    neighbours.use_threads(machine.threads)
    model = taught(data, size.pictures, method, machine, seed, progress)
    more = taught(data, _pictures_for(size.largest, model.features.extractor), method, machine, seed, progress)
    order = model.chosen(len(model.vectors) // 10)
    makers = _makers(model, order)
    made = {name: _made(make) for name, make in makers.items()}
    ready = {name: one for name, one in made.items() if not isinstance(one, str)}
    scores = {name: _scores(data, model, *one, size, progress) for name, one in ready.items()}
    times = _times({name: model.detector(*one) for name, one in ready.items()}, data, model, size, progress)
    rows = [
        {"name": name, "missing": one}
        if isinstance(one, str)
        else {"name": name, "vectors": _vectors(one[1]), **scores[name], **_timed(times, name)}
        for name, one in made.items()
    ]
    rows.insert(0, {"name": FLOOR, "vectors": 0, **dict.fromkeys(_SCORES), **_timed(times, FLOOR)})
    return {"rows": rows, "search": search.run(more, model.vectors[order], data, size, progress)}


def indexed(found: Figures) -> bool:
    """Whether a bank was searched by an index."""
    return any(one["name"] == _INDEXED and "missing" not in one for one in found["rows"])


def rows(found: Figures) -> list[tuple[str, ...]]:
    """Return the table of methods."""
    return [_row(one) for one in found["rows"]]


def check(data: Category, method: Method, machine: Machine, size: Size, progress: Progress) -> None:
    """Tell what is taken, before anything is computed; BadInput if it does not fit into the memory."""
    there, sees = len(data.train), learnt.extractor(method, machine)

    def needs(pictures: int, largest: int) -> Taken:
        known, more = min(pictures, there), min(_pictures_for(largest, sees), there)
        vectors, taken = kept(known, sees), held(sees, known, more)
        padim = memory.needed(replace(method, kind="padim"), memory.Size(known, sees.patches, sees.backbone.channels, 1))
        # the banks that share no vectors with others: of SPADE, of 10 % and 1 %; and what an index needs while it is trained
        methods = 4 * vectors + padim + searched(sees, known * sees.patches)
        banks = 2 * vectors + search.needed(min(largest, more * sees.patches), sees)
        return Taken(taken.memory + max(methods, banks), taken.disk)

    memory.check_knobs(needs, [Knob("--train", min(size.pictures, there)), Knob("--largest", size.largest, LEAST)], progress)


def _pictures_for(bank: int, sees: Extractor) -> int:
    """Return how many pictures have a quarter more patches than a bank: some repeat each other."""
    return -(-bank * 5 // (4 * sees.patches))


def _makers(model: Taught, order: Any) -> dict[str, Callable[[], tuple[Method, Arrays]]]:
    """Return what is compared: each gives a method and its arrays when called."""
    core, vectors = model.method, model.vectors
    padim, spade, indexed = replace(core, kind="padim"), replace(core, kind="spade"), replace(core, search="ivfpq")
    return {
        "PatchCore 100 %": lambda: (core, model.bank(vectors)),
        "PatchCore 10 %": lambda: (core, model.bank(vectors[order])),
        "PatchCore 1 %": lambda: (core, model.bank(vectors[order[: max(16, len(vectors) // 100)]])),
        _INDEXED: lambda: (indexed, {**model.bank(vectors), **bank.searched(vectors, indexed, model.seed)}),
        "SPADE": lambda: (spade, model.fitted(spade)),
        "PaDiM": lambda: (padim, model.fitted(padim)),
    }


def _made(make: Callable[[], tuple[Method, Arrays]]) -> tuple[Method, Arrays] | str:
    """Make one, or say what is not installed, or why there are too few pictures for it."""
    try:
        return make()
    except (MissingExtra, NotEnoughPictures) as error:
        return str(error)


def _scores(
    data: Category, model: Taught, method: Method, arrays: Arrays, size: Size, progress: Progress
) -> dict[str, float | None]:
    """Return the scores on the test pictures, or on some of them drawn at random."""
    cases = data.tests.cases
    some = np.random.default_rng(model.seed).permutation(len(cases))[: size.judged]
    tests = Layout([cases[i] for i in sorted(some)], data.tests.masked)
    found = evaluate.figures(evaluate.collect(tests, model.judge(method, arrays).see, None, progress), None, progress)
    return {name: found[name] for name in _SCORES}


def _times(
    detectors: Mapping[str, Detector], data: Category, model: Taught, size: Size, progress: Progress
) -> dict[int, dict[str, Any]]:
    """Time all detectors and the floor in turns, for each size of batch."""
    found = {}
    pictures = shown(data, min(size.rounds * turns.PICTURES, len(data.tests.cases)), model.method, model.seed)
    for batch in BATCHES:
        advance = progress.stage(f"turns, batch {batch}", size.rounds + 1)
        sides = _sides(detectors, model, [turns.batches(pictures, number, batch) for number in range(size.rounds)])
        found[batch] = turns.compared(turns.in_turns(sides, size.rounds, advance), FLOOR, turns.PICTURES)
    return found


def _sides(detectors: Mapping[str, Detector], model: Taught, rounds: Sequence[Sequence[list[U8]]]) -> dict[str, turns.Side]:
    stacked = [[np.stack(batch) for batch in batches] for batches in rounds]
    backbone = model.features.extractor.backbone

    def scored(detector: Detector) -> turns.Side:
        return lambda number: [result.map for batch in rounds[number] for result in detector.score(batch)]

    return {FLOOR: lambda number: [backbone.run(batch) for batch in stacked[number]]} | {
        name: scored(one) for name, one in detectors.items()
    }


def _timed(times: Mapping[int, Mapping[str, Any]], name: str) -> dict[str, Any]:
    return {f"batch_{batch}": figures[name] for batch, figures in times.items()}


def _vectors(arrays: Arrays) -> int:
    """Return how many vectors a method compares with; a Gaussian counts for one."""
    kept = next(arrays[name] for name in ("bank", "pictures", "centre") if name in arrays)
    return int(np.prod(kept.shape[:-1]))


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    if "missing" in one:
        return (one["name"], one["missing"], *[""] * (len(HEAD) - 2))
    times = [text for batch in BATCHES for text in _time(one[f"batch_{batch}"])]
    shares = ["-" if one[name] is None else f"{one[name]:.2%}".rstrip("%") for name in _SCORES[:2]]
    return (one["name"], f"{one['vectors']:,}" if one["vectors"] else "", *shares, *times)


def _time(one: Mapping[str, Any]) -> tuple[str, str]:
    (low, high), ratio = one["ms"]["spread"], one["ratio"]
    return f"{one['ms']['median']:.1f} ({low:.1f} … {high:.1f})", f"{ratio['median']:.2f}"
