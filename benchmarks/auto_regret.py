"""How much worse than the best setting is the one that `calibrate --auto` chooses from good parts alone?

python benchmarks/auto_regret.py --data NAME=DIR … --keep DIR --json FILE [--seeds 3] [--budget-ms 60 …]

DIR is laid out as MVTec AD. Each seed draws 60 good and 80 defective parts to test, and of the others at most 300 to choose by.
Every setting of the grid scores all of them once, by the bank that it learnt from four fifths of those; what it said, and what
it takes for a part, is kept in --keep, so that a run goes on where another stopped. Then the race is run on it for each budget
(none by default). Regret: the best AUROC on real defects of any setting, team and smoothing within the budget, less that of the
chosen one.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from calibration import exam, grid, latency, metrics, pictures, race
from calibration.bench import learnt
from calibration.candidate import WAYS, Candidate
from calibration.contest import Answers
from calibration.exam import OPACITIES, Exam
from calibration.features import Extractor
from calibration.pictures import Sample
from calibration.progress import Advance, Silent
from calibration.team import Team
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
    ms: float  # that it takes for a part
    tells: bool = False  # of the test too, as of known defects; the race may not know

    @property
    def variants(self) -> list[schema.Method]:
        """As the setting itself has them."""
        return Candidate(self.method, _never).variants

    def steps(self, _exam: Exam, _rounds: int) -> int:
        """Nothing is looked at again."""
        return 0

    def answer(self, exam: Exam, rounds: int, _advance: Advance) -> list[Answers]:
        """Return what it said."""
        painted = self.painted[:, : len(exam.first(rounds))]
        return list(map(Answers, self.good, painted, self.test if self.tells else np.empty((len(self.test), 0))))


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


def record(drawn: Drawn, method: schema.Method, keep: Path, threads: int) -> Recorded:
    """Return what a setting says, from the file where it was kept, or from the pictures."""
    name = grid.described(method).replace(", ", "-").replace(" ", "_")
    file, timed = keep / f"{name}.npz", keep.parent / f"{name}.ms"
    if not timed.exists():
        sees = _open(method, threads, 1)
        seen = [sees.cut(sample.pixels()) for sample in drawn.asked.learn[: latency.PICTURES]]
        timed.parent.mkdir(parents=True, exist_ok=True)
        timed.write_text(str(latency.of(method, sees, seen)), encoding="utf-8")
    if not file.exists():
        said = Candidate(method, partial(_open, method, threads)).answer(drawn.asked, len(OPACITIES), lambda _done: None)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            np.savez(stream, **{name: [getattr(one, name) for one in said] for name in ("good", "painted", "bad")})
        print(file, flush=True)
    with np.load(file) as kept:
        said = (kept[name][: len(WAYS)] for name in ("good", "painted", "bad"))
        return Recorded(method, *said, ms=float(timed.read_text(encoding="utf-8")))


def regret(drawn: Drawn, teams: Sequence[Team[Recorded]], budget_ms: float) -> dict[str, object]:
    """Run the race on what was said by teams within a budget, and compare the winner with the best on real defects."""
    inside = [one for one in teams if _ms(one) <= budget_ms]
    names, real = [grid.described(one.variants[0]) for one in inside], [_aurocs(one, drawn) for one in inside]
    single = max(max(own) for one, own in zip(inside, real, strict=True) if len(one.members) == 1)
    result = race.run(inside, list(map(_ms, inside)), replace(drawn.asked, bad=[]), Silent())
    chosen, best = real[result.winner][inside[result.winner].variants.index(result.method)], max(map(max, real))
    scores = {name: float(one.figure[0]) for name, one in zip(names, result.standings, strict=True)}
    return {
        "chosen": grid.described(result.method), "regret": best - chosen, "auroc": chosen, "best": best, "best_single": single,
        "scores": scores, "real": dict(zip(names, real, strict=True)),
    }  # fmt: skip


def _ms(one: Team[Recorded]) -> float:
    return sum(member.ms for member in one.members)


def _aurocs(one: Team[Recorded], drawn: Drawn) -> list[float]:
    """Return those on the real defects of the test, by variant."""
    told = Team([replace(member, tells=True) for member in one.members])
    test = (said.bad for said in told.answer(drawn.asked, len(OPACITIES), lambda _done: None))
    return [metrics.image_auroc(scores[: drawn.tested_good], scores[drawn.tested_good :]) for scores in test]


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
    asked.add_argument("--budget-ms", type=float, nargs="+", default=[float("inf")])
    options = asked.parse_args()
    neighbours.use_threads(1)
    found: dict[str, dict[str, list[dict[str, object]]]] = {}
    for seed in range(options.seeds):
        for name, _, folder in (one.partition("=") for one in options.data):
            drawn = draw(Path(folder), seed)
            wanted, keep = grid.settings(drawn.size), options.keep / f"{name}-{seed}"
            said = {one: record(drawn, one, keep, options.threads) for members in wanted for one in members}
            teams = [Team([said[one] for one in members]) for members in wanted]
            for budget in options.budget_ms:
                one = regret(drawn, teams, budget)
                found.setdefault(f"{budget:g}", {}).setdefault(name, []).append(one)
                print(f"{name} {seed}, {budget:g} ms: regret {one['regret']:.4f}, {one['chosen']}", flush=True)
            options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    for budget, by_name in found.items():
        runs = [one for some in by_name.values() for one in some]
        regrets, singles = (np.array([float(one[of]) for one in runs]) for of in ("regret", "best_single"))
        behind = singles - [float(one["auroc"]) for one in runs]
        told = f"mean regret {regrets.mean():.4f}, worst {regrets.max():.4f}, {len(regrets)} runs"
        print(f"{budget} ms: {told}; behind the best single setting {behind.mean():.4f}, worst {behind.max():.4f}")


if __name__ == "__main__":
    main()
