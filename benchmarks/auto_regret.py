"""How much worse than the best setting is the one that `calibrate --auto` chooses from good parts alone?

python benchmarks/auto_regret.py --data NAME=DIR … --keep DIR --json FILE [--seeds 3]     DIR as MVTec AD is laid out

Each seed draws 60 good and 80 defective parts to test, and of the others at most 300 to choose by. Every setting of the grid
scores all of them once, by the bank that it learnt from four fifths of those; what it said is kept in --keep, so that a run
goes on where another stopped. Then the race is run on it. Regret: the best AUROC on real defects of any setting and smoothing,
less that of the chosen one. There is no budget: any setting may take as long as it likes.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from calibration import exam, grid, metrics, pictures, race
from calibration.bench import learnt
from calibration.candidate import WAYS, Candidate
from calibration.contest import Answers
from calibration.exam import OPACITIES, Exam
from calibration.features import Extractor
from calibration.pictures import Sample
from calibration.progress import Advance, Silent
from inspectd import image
from inspectd.station import schema
from inspectd.vision import neighbours

Floats = npt.NDArray[np.float64]

CHOOSING, GOOD, BAD = 300, 60, 80  # parts


@dataclass(frozen=True)
class Recorded:
    """What a setting said of everything, by variant: good [v,g], painted [v,p], and of the test [v,t]."""

    method: schema.Method
    good: Floats
    painted: Floats
    test: Floats

    @property
    def variants(self) -> list[schema.Method]:
        """As the setting itself has them."""
        return Candidate(self.method, _never).variants

    def steps(self, _exam: Exam, _rounds: int) -> int:
        """Nothing is looked at again."""
        return 0

    def answer(self, exam: Exam, rounds: int, _advance: Advance) -> list[Answers]:
        """Return what it said, without the test."""
        painted = self.painted[:, : len(exam.first(rounds))]
        return [Answers(good, some, np.empty(0)) for good, some in zip(self.good, painted, strict=True)]

    def aurocs(self, tested_good: int) -> list[float]:
        """On the real defects of the test, by variant."""
        return [metrics.image_auroc(test[:tested_good], test[tested_good:]) for test in self.test]


@dataclass(frozen=True)
class Drawn:
    """The parts of one seed."""

    asked: Exam  # the test stands where known defects would
    tested_good: int
    size: tuple[int, int]


def draw(folder: Path, seed: int) -> Drawn:
    """Draw parts to choose by and others to test; test/good joins train/good."""
    rng = np.random.default_rng(seed)
    kinds = sorted(kind for kind in (folder / "test").iterdir() if kind.name != "good")
    good = _read([folder / "train" / "good", folder / "test" / "good"], rng)
    bad = _read(kinds, rng)[:BAD]
    tested = good[:GOOD]
    size = (good[0].height, good[0].width)
    return Drawn(exam.deal(good[GOOD : GOOD + CHOOSING], [*tested, *bad], min(size), seed), len(tested), size)


def record(drawn: Drawn, method: schema.Method, file: Path, threads: int) -> Recorded:
    """Return what a setting says, from the file where it was kept, or from the pictures."""
    if not file.exists():
        said = Candidate(method, partial(_open, method, threads)).answer(drawn.asked, len(OPACITIES), lambda _done: None)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            np.savez(stream, **{name: [getattr(one, name) for one in said] for name in ("good", "painted", "bad")})
        print(file, flush=True)
    with np.load(file) as kept:
        return Recorded(method, *(kept[name][: len(WAYS)] for name in ("good", "painted", "bad")))


def regret(drawn: Drawn, recorded: Sequence[Recorded]) -> dict[str, object]:
    """Run the race on what was said, and compare the winner with the best on real defects."""
    by_setting = [one.aurocs(drawn.tested_good) for one in recorded]
    result = race.run(recorded, [one.method.size_px[0] for one in recorded], replace(drawn.asked, bad=[]), Silent())
    chosen = by_setting[result.winner][recorded[result.winner].variants.index(result.method)]
    best = max(map(max, by_setting))
    names = [grid.described(one.method) for one in recorded]
    scores = {name: float(one.figure[0]) for name, one in zip(names, result.standings, strict=True)}
    return {
        "chosen": grid.described(result.method), "regret": best - chosen, "auroc": chosen, "best": best,
        "default": by_setting[0][0], "scores": scores, "real": dict(zip(names, by_setting, strict=True)),
    }  # fmt: skip


def _read(folders: Sequence[Path], rng: np.random.Generator) -> list[Sample]:
    files = [path for folder in folders for path in image.pictures_in(folder)]
    samples, problems = pictures.read([files[i] for i in rng.permutation(len(files))], "part", None, lambda _done: None)
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    return samples


def _open(method: schema.Method, threads: int, _pass_threads: int) -> Extractor:
    return replace(learnt.extractor(method, learnt.Machine(Path("backbones"), 1)), threads=threads)


def _never(_threads: int) -> Extractor:
    raise AssertionError("what was recorded opens nothing")


def main() -> None:
    """Read the command line, run, print, and write JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", action="append", required=True, metavar="NAME=DIR")
    asked.add_argument("--keep", type=Path, required=True)
    asked.add_argument("--json", type=Path, required=True)
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--threads", type=int, default=2)
    options = asked.parse_args()
    neighbours.use_threads(1)
    found: dict[str, list[dict[str, object]]] = {}
    for seed in range(options.seeds):
        for name, _, folder in (one.partition("=") for one in options.data):
            drawn = draw(Path(folder), seed)
            settings = grid.settings(drawn.size)
            files = [options.keep / f"{name}-{seed}" / f"{i}.npz" for i in range(len(settings))]
            said = [record(drawn, one, file, options.threads) for one, file in zip(settings, files, strict=True)]
            found.setdefault(name, []).append(regret(drawn, said))
            print(name, seed, json.dumps(found[name][-1]), flush=True)
            options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    regrets = np.array([one["regret"] for runs in found.values() for one in runs], float)
    print(f"mean regret {regrets.mean():.4f}, worst {regrets.max():.4f}, {len(regrets)} runs")


if __name__ == "__main__":
    main()
