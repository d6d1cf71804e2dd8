"""Settings race on scores that are made up: who is asked how much, who wins, and what the table says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from calibration import race
from calibration.choice import Tried
from calibration.contest import Answers
from calibration.exam import OPACITIES, Defect, Exam
from calibration.pictures import Sample
from calibration.progress import Advance
from calibration.team import Team
from inspectd.station.schema import Method
from tests.calibration.parts import Watch

PARTS, CELLS = 40, 42


def exam(seed: int = 0) -> Exam:
    parts = [Sample(Path(), str(i), "0" * 64, str(i), str(i), 64, 64, "mono8") for i in range(2 * PARTS)]
    asked = [Defect(i % PARTS, "blob", 3, 1.0, i) for i in range(CELLS * len(OPACITIES))]
    return Exam(parts[:PARTS], parts[PARTS:], asked, [], seed)


@dataclass
class Made:
    """A setting to which defects look so many standard deviations away; `smooth` is what smoothing adds."""

    by: float
    smooth: float = 0.0
    input_px: int = 224
    asked: list[int] = field(default_factory=list)

    @property
    def variants(self) -> Sequence[Method]:
        one = Method(input_px=self.input_px)
        return [one, replace(one, sigma=1.0)]

    def steps(self, exam: Exam, rounds: int) -> int:
        return len(exam.first(rounds))

    def answer(self, exam: Exam, rounds: int, advance: Advance) -> Sequence[Answers]:
        self.asked.append(rounds)
        rng = np.random.default_rng(exam.seed)
        good, painted = rng.normal(0, 1, PARTS), rng.normal(0, 1, len(exam.defects))[: len(exam.first(rounds))]
        advance(self.steps(exam, rounds))
        return [Answers(good, painted + by, np.empty(0)) for by in (self.by, self.by + self.smooth)]


def alone(entrants: Sequence[Made]) -> list[Team[Made]]:
    return [Team([one]) for one in entrants]


def test_those_clearly_behind_leave_early_and_the_best_wins() -> None:
    """Everybody is asked once; who has left is asked no more, and progress was told of every picture."""
    entrants, watch = [Made(0.5), Made(2.0), Made(0.3), Made(1.98)], Watch()
    result = race.run(alone(entrants), [1, 50, 1, 30], exam(), watch)
    assert result.winner == 3, "as good as the best, and cheaper"
    assert [one.asked for one in entrants] == [[1, 2, 4], [1, 2, 4], [1], [1, 2, 4]]
    assert all(total == done for total, done in watch.stages.values())


def test_it_ends_as_soon_as_nobody_is_left_beside_the_preferred_one() -> None:
    """The rest would change nothing."""
    entrants = [Made(2.0), Made(0.2)]
    assert race.run(alone(entrants), [1, 1], exam(), Watch()).winner == 0
    assert entrants[0].asked == [1]


def test_smoothing_is_taken_where_it_clearly_helps() -> None:
    """And left as it is where it does not."""
    assert race.run(alone([Made(1.0, smooth=1.0)]), [1], exam(), Watch()).method.sigma == 1.0
    assert race.run(alone([Made(1.0, smooth=0.02)]), [1], exam(), Watch()).method.sigma == Method().sigma


def test_the_same_scores_give_the_same_result() -> None:
    """And the same table."""
    tables = []
    for _ in range(2):
        entrants = [Made(1.0), Made(1.3, input_px=448), Made(0.2, input_px=320)]
        tables.append(race.told(race.run(alone(entrants), [20, 40, 30], exam(5), Watch()), [20, 40, 30], [], 100))
    assert tables[0] == tables[1]


def test_the_table_names_everything_that_was_tried_and_what_came_of_it() -> None:
    """The best first, those that left behind them, those over the budget last, without scores."""
    entrants = [Made(0.5), Made(2.0, input_px=448), Made(0.3, input_px=320)]
    result = race.run(alone(entrants), [20, 40, 30], exam(), Watch())
    over = [
        Tried("lite2 at 640", None, None, None, 200, "over budget"),
        Tried("lite2 at 512", None, None, None, 150, "no room"),
    ]
    choice = race.told(result, [20, 40, 30], over, 100)
    assert [(one.settings, one.ms, one.fate) for one in choice.tried] == [
        ("lite2, layers 10 and 14, 448 x 448 px", 40, "chosen"),
        ("lite2, layers 10 and 14, 224 x 224 px", 20, "kept"),
        ("lite2, layers 10 and 14, 320 x 320 px", 30, "pruned"),
        ("lite2 at 512", 150, "no room"),
        ("lite2 at 640", 200, "over budget"),
    ]
    scored = choice.tried[0]
    assert scored.low < scored.score < scored.high
    assert choice.tried[3].score is None
    assert choice.sure.endswith("by more than 0.07. So it was in 100% of 400 other draws of the parts.")
    assert choice.sure.startswith("It is ahead of the preferred one, which did best")
