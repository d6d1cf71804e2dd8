"""The race of settings: all are asked a little, those clearly behind leave, the others are asked more. Computes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from calibration import contest
from calibration.choice import Choice, Fate, Tried
from calibration.contest import Answers, Draws, Floats
from calibration.exam import Exam
from calibration.grid import described
from calibration.progress import Advance, Progress
from inspectd.station.schema import Method

ROUNDS = (1, 2, 4)  # of painted defects, after which settings may leave
_SCORE = (
    "the share of pairs, a painted defect and another good part, that are put in the right order (AUROC), over all "
    "kinds and sizes alike. It compares settings of one station, and foretells little of real defects."
)


class Entrant(Protocol):
    """A setting that can be asked."""

    @property
    def variants(self) -> Sequence[Method]:
        """The setting with each way to sum up distances, the preferred one first."""
        ...

    def steps(self, exam: Exam, rounds: int) -> int:
        """Return how many pictures `answer` will look at."""
        ...

    def answer(self, exam: Exam, rounds: int, advance: Advance) -> Sequence[Answers]:
        """Return what each variant says up to a round of defects."""
        ...


@dataclass(frozen=True)
class Standing:
    """How far a setting has come: with the variant that suits it, and its figure [1 + n] in all draws."""

    method: Method
    figure: Floats


@dataclass(frozen=True)
class Result:
    """How each entrant stood when it was asked last, who was asked to the end, and who won."""

    standings: Sequence[Standing]
    finished: Sequence[int]
    winner: int

    @property
    def method(self) -> Method:
        """The settings that won."""
        return self.standings[self.winner].method


def run(entrants: Sequence[Entrant], ms: Sequence[float], exam: Exam, progress: Progress) -> Result:
    """Let settings race that take so many ms a part; the first is preferred where nobody is clearly better."""
    draws = contest.draw([sample.group for sample in exam.held], len(exam.bad), exam.seed)
    standings: dict[int, Standing] = {}
    running = list(range(len(entrants)))
    for rounds in ROUNDS:
        looked_at = sum(entrants[i].steps(exam, rounds) for i in running)
        advance = progress.stage(f"settings: {len(running)} of {len(entrants)}", looked_at)
        standings |= {i: _standing(entrants[i], exam, rounds, draws, advance) for i in running}
        finished = running
        running = [running[place] for place in contest.remaining([standings[i].figure for i in finished], favourite=0)]
        if len(running) == 1:
            break
    won = contest.winner([standings[i].figure for i in finished], [ms[i] for i in finished], favourite=0)
    return Result([standings[i] for i in range(len(entrants))], finished, finished[won])


def _standing(entrant: Entrant, exam: Exam, rounds: int, draws: Draws, advance: Advance) -> Standing:
    """Ask a setting, and take the variant that is clearly better than the preferred one, if there is one."""
    part_of = np.array([defect.part for defect in exam.first(rounds)])
    found = [contest.figures(said, part_of, draws) for said in entrant.answer(exam, rounds, advance)]
    best = contest.winner(found, [0.0] * len(found), favourite=0)
    return Standing(entrant.variants[best], found[best])


def told(result: Result, ms: Sequence[float], over: Sequence[tuple[Method, float]], budget_ms: float) -> Choice:
    """Put down what was tried, the best first, and how sure the choice is; `over` were too slow to be tried."""
    rows = [_row(result, i, ms[i]) for i in range(len(ms))]
    rows.sort(key=lambda row: (row.fate == "pruned", -(row.score or 0)))
    slow = [Tried(described(one), None, None, None, took, "over budget") for one, took in over]
    slow.sort(key=lambda row: row.ms)
    return Choice([*rows, *slow], budget_ms, _SCORE, _sure(result))


def _row(result: Result, i: int, ms: float) -> Tried:
    one, fate = result.standings[i], _fate(result, i)
    low, high = contest.interval(one.figure)
    return Tried(described(one.method), float(one.figure[0]), low, high, ms, fate)


def _fate(result: Result, i: int) -> Fate:
    if i == result.winner:
        return "chosen"
    return "kept" if i in result.finished else "pruned"


def _sure(result: Result) -> str:
    """Say why the winner won, and how often it would again."""
    if len(result.standings) == 1:
        return "It is the only one within the budget."
    figures = [result.standings[i].figure for i in result.finished]
    share = contest.sureness(figures, result.finished.index(result.winner))
    why = "It is clearly better than the preferred one" if result.winner else "It is preferred, and no other was clearly better"
    often = f"In {share:.0%} of {contest.DRAWS} other draws of the parts none was ahead of it by more than {contest.NEAR:g}"
    return f"{why}. {often}."
