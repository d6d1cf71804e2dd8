"""The race of settings: all are asked a little, those clearly behind leave, the others are asked more. Computes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration import contest
from calibration.choice import Choice, Fate, Tried
from calibration.contest import Draws, Floats
from calibration.exam import Exam
from calibration.grid import described
from calibration.progress import Advance, Progress
from calibration.team import S, Team
from inspectd.station.schema import Ensemble, Method

ROUNDS = (1, 2, 4)  # of painted defects, after which settings may leave
_SCORE = (
    "the share of pairs, a painted defect and another good part, that are put in the right order (AUROC), over all "
    "kinds and sizes alike{known}. It compares settings of one station, and foretells little of real defects."
)
_KNOWN = "; the same of the {bad} known bad parts counts for {share:.0%} of it"


@dataclass(frozen=True)
class Standing:
    """How far a setting has come: with the variant that suits it, and its figure [1 + n] in all draws."""

    method: Ensemble | Method
    figure: Floats


@dataclass(frozen=True)
class Result:
    """How each entrant stood when it was asked last, who was asked to the end, and who won."""

    standings: Sequence[Standing]
    finished: Sequence[int]
    winner: int
    bad: int  # known bad parts that they were asked about

    @property
    def margin(self) -> float:
        """By how much the preferred one must be beaten."""
        return contest.margin(self.bad)

    @property
    def method(self) -> Ensemble | Method:
        """The settings that won."""
        return self.standings[self.winner].method


def run(entrants: Sequence[Team[S]], ms: Sequence[float], exam: Exam, progress: Progress) -> Result:
    """Let settings race that take so many ms a part; the first is preferred where nobody is clearly better."""
    draws, margin = contest.draw([part.group for part in exam.held], len(exam.bad), exam.seed), contest.margin(len(exam.bad))
    standings: dict[int, Standing] = {}
    running = list(range(len(entrants)))
    for rounds in ROUNDS:
        singles = {id(one): one for i in running for one in entrants[i].members}  # teams share members
        looked_at = sum(one.steps(exam, rounds) for one in singles.values())
        advance = progress.stage(f"settings: {len(running)} of {len(entrants)}", looked_at)
        standings |= {i: _standing(entrants[i], exam, rounds, draws, advance) for i in running}
        finished = running
        running = [running[place] for place in contest.remaining([standings[i].figure for i in finished], 0, margin)]
        if len(running) == 1:
            break
    won = contest.winner([standings[i].figure for i in finished], [ms[i] for i in finished], 0, margin)
    return Result([standings[i] for i in range(len(entrants))], finished, finished[won], len(exam.bad))


def _standing(entrant: Team[S], exam: Exam, rounds: int, draws: Draws, advance: Advance) -> Standing:
    """Ask a setting, and take the variant that is clearly better than the preferred one, if there is one."""
    part_of = np.array([defect.part for defect in exam.first(rounds)])
    found = [contest.figures(said, part_of, draws) for said in entrant.answer(exam, rounds, advance)]
    best = contest.winner(found, [0.0] * len(found), 0, contest.margin(len(exam.bad)))
    return Standing(entrant.variants[best], found[best])


def told(result: Result, ms: Sequence[float], left_out: Sequence[Tried], budget_ms: float) -> Choice:
    """Put down what was tried, the best first, and how sure the choice is; others were left out before."""
    rows = [_row(result, i, ms[i]) for i in range(len(ms))]
    rows.sort(key=lambda row: (row.fate == "pruned", -(row.score or 0)))
    known = _KNOWN.format(bad=result.bad, share=contest.share(result.bad)) if result.bad else ""
    return Choice([*rows, *sorted(left_out, key=lambda row: row.ms)], budget_ms, _SCORE.format(known=known), _sure(result))


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
    share = contest.sureness(figures, result.finished.index(result.winner), 0, result.margin)
    preferred, by = "the preferred one, which did best on other stations' real defects", f"by more than {result.margin:.2g}"
    why = f"It is ahead of {preferred}, {by}" if result.winner else f"It is {preferred}; no other is ahead of it {by}"
    return f"{why}. So it was in {share:.0%} of {contest.DRAWS} other draws of the parts."
