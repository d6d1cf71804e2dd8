"""Several settings that judge together at an exam: the sum of their scores, each in units of its spread over good parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from calibration.contest import Answers
from calibration.ensemble import spread
from calibration.exam import Exam
from calibration.grid import together
from calibration.progress import Advance
from inspectd.station.schema import Ensemble, Method


class Single(Protocol):
    """A setting that can be asked; what it said it says again without looking."""

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


S = TypeVar("S", bound=Single)


@dataclass(frozen=True)
class Team(Generic[S]):
    """One or more of them; one alone is no other than itself."""

    members: Sequence[S]

    @property
    def variants(self) -> list[Ensemble | Method]:
        """All members with the first way to sum up distances, with the second, and so on."""
        return [together(way) for way in zip(*(one.variants for one in self.members), strict=True)]

    def answer(self, exam: Exam, rounds: int, advance: Advance) -> list[Answers]:
        """Return what each variant says up to a round of defects."""
        said = [one.answer(exam, rounds, advance) for one in self.members]
        return [_together(way) for way in zip(*said, strict=True)]


def _together(said: Sequence[Answers]) -> Answers:
    if len(said) == 1:
        return said[0]
    pairs = [(one, spread(one.good)) for one in said]
    sums = (np.sum([getattr(one, what) / by for one, by in pairs], axis=0) for what in ("good", "painted", "bad"))
    return Answers(*sums)
