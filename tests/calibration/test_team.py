"""Settings judge together: each with the same say, whatever the units of its scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from msgspec.structs import replace

from calibration.contest import Answers
from calibration.exam import Exam
from calibration.progress import Advance
from calibration.team import Team
from inspectd.station.schema import Ensemble, Method

EXAM = Exam([], [], [], [], 0)


@dataclass
class Made:
    """A setting that says what it is told to, in units of its own."""

    said: Answers
    input_px: int = 224

    @property
    def variants(self) -> Sequence[Method]:
        one = Method(input_px=self.input_px)
        return [one, replace(one, sigma=1.0)]

    def steps(self, exam: Exam, rounds: int) -> int:
        return 0

    def answer(self, exam: Exam, rounds: int, advance: Advance) -> Sequence[Answers]:
        return [self.said, Answers(*(2 * some for some in (self.said.good, self.said.painted, self.said.bad)))]


def made(unit: float, seed: int, input_px: int = 224) -> Made:
    rng = np.random.default_rng(seed)
    return Made(Answers(*(unit * rng.normal(5, 1, count) for count in (40, 20, 7))), input_px)


def answer(team: Team[Made]) -> list[Answers]:
    return team.answer(EXAM, 1, lambda _done: None)


def test_one_alone_says_what_it_says() -> None:
    one = made(3.0, 0)
    assert Team([one]).variants == one.variants
    assert answer(Team([one]))[0] is one.said


def test_units_do_not_matter() -> None:
    """A member whose scores are a thousand times as large has no more say."""
    same, large = (answer(Team([made(1.0, 0), made(unit, 1)])) for unit in (1.0, 1000.0))
    for what in ("good", "painted", "bad"):
        assert getattr(same[0], what) == pytest.approx(getattr(large[0], what))


def test_members_sum_up_distances_in_the_same_way() -> None:
    first, second = Team([made(1.0, 0), made(1.0, 1, 448)]).variants
    assert isinstance(first, Ensemble)
    assert isinstance(second, Ensemble)
    assert [(one.input_px, one.sigma, one.weight) for one in first.members] == [(224, 0.5, 1.0), (448, 0.5, 1.0)]
    assert [one.sigma for one in second.members] == [1.0, 1.0]


def test_good_parts_all_alike_do_not_make_noise_the_unit() -> None:
    """As in a bundle: a thousandth of the mean is the least."""
    flat = Made(Answers(np.full(40, 5.0), np.full(20, 6.0), np.full(7, 6.0)))
    said = answer(Team([flat, made(1.0, 0)]))[0]
    assert np.isfinite(said.painted).all()
    assert said.painted - made(1.0, 0).said.painted / made(1.0, 0).said.good.std() == pytest.approx(6.0 / 0.005)
