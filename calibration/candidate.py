"""One setting at an exam: it learns from a few good parts, and scores pictures in several ways at the cost of one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from calibration import coreset, fitting, memory, parallel
from calibration.contest import Answers
from calibration.exam import Defect, Exam
from calibration.features import F32, Extractor, batches
from calibration.pictures import Sample
from calibration.progress import Advance
from inspectd.station import schema
from inspectd.vision.methods import Arrays, Method, summed_up

U8 = npt.NDArray[np.uint8]
F64 = npt.NDArray[np.float64]
Thing = TypeVar("Thing")

DRAWN, BANK = 60_000, 6_000  # patches drawn, and those of them in the bank: every setting has as many
WAYS: tuple[dict[str, float], ...] = ({}, {"sigma": 1.0})  # to sum up distances: the setting's own, and smoother


@dataclass
class Candidate:
    """A setting, how it sees (opened when needed: open sessions take memory), and what it has said so far."""

    method: schema.Method
    open: Callable[[int], Extractor]  # with so many threads in each forward pass
    _judge: Method | None = None
    _good: F64 = field(default_factory=lambda: np.empty((0, len(WAYS))))
    _painted: F64 = field(default_factory=lambda: np.empty((0, len(WAYS))))
    _bad: F64 = field(default_factory=lambda: np.empty((0, len(WAYS))))

    @property
    def variants(self) -> list[schema.Method]:
        """The setting with each way to sum up distances."""
        return [replace(self.method, **way) for way in WAYS]

    def steps(self, exam: Exam, rounds: int) -> int:
        """Return how many pictures `answer` will look at."""
        known = 0 if self._judge else len(exam.learn) + len(exam.held) + len(exam.bad)
        return known + len(exam.first(rounds)) - len(self._painted)

    def memory(self, exam: Exam) -> int:
        """Return the bytes that its bank takes while it is chosen, and that pictures in hand take."""
        sees, most = self.open(1), max(len(exam.held), len(exam.defects))
        size = memory.Size(1, DRAWN, sees.backbone.channels, 1)
        return memory.beside([sees], most, sees.threads) + memory.needed(
            replace(self.method, bank=BANK, sampler="greedy"), size
        )

    def answer(self, exam: Exam, rounds: int, advance: Advance) -> list[Answers]:
        """Return what each variant says up to a round of defects; what was said before is not asked again."""
        sees = self.open(1)
        if self._judge is None:
            self._judge = fitting.judge(_learn(sees, exam, advance), self.method, sees)
            self._good = self._scores(sees, exam.held, partial(_read, sees), advance)
            self._bad = self._scores(sees, exam.bad, partial(_read, sees), advance)
        asked = exam.first(rounds)[len(self._painted) :]
        self._painted = np.concatenate([self._painted, self._scores(sees, asked, partial(_painted, sees, exam), advance)])
        return [Answers(self._good[:, i], self._painted[:, i], self._bad[:, i]) for i in range(len(WAYS))]

    def _scores(self, sees: Extractor, things: Sequence[Thing], picture: Callable[[Thing], U8], advance: Advance) -> F64:
        """Score the pictures [n] of things, in each way: [n,v]."""

        def work(some: Sequence[Thing], told: Advance) -> F64:
            assert self._judge is not None  # it has learnt first
            distances = self._judge.judge(sees.vectors(list(map(picture, some)))).distances
            cells = view.judged_whole if view.stitched else view.judged
            told(len(some))
            return np.stack([summed_up(distances, one, cells) for one in self.variants], axis=1)

        view = sees.view()
        return np.concatenate([np.empty((0, len(WAYS))), *parallel.each(work, batches(things), sees.threads, advance)])


def _learn(sees: Extractor, exam: Exam, advance: Advance) -> Arrays:
    """Choose a bank, greedily, of patches drawn from each good part."""
    each = -(-DRAWN // len(exam.learn))
    drawn = np.concatenate(parallel.each(partial(_draw, sees, each, exam.seed), batches(exam.learn), sees.threads, advance))
    mean, spread = drawn.mean(axis=0), drawn.std(axis=0)
    scale = np.maximum(spread, max(float(np.median(spread)) / 100, 1e-6))  # as Features.standard has it
    standard = (drawn - mean) / scale
    bank = standard[coreset.cover(standard, min(BANK, len(standard)), exam.seed)]
    return {"bank": bank, "channel_mean": mean, "channel_scale": scale}


def _draw(sees: Extractor, each: int, seed: int, some: Sequence[Sample], advance: Advance) -> F32:
    """Draw so many patches of each picture."""
    drawn = []
    for sample, vectors in zip(some, sees.see(some), strict=True):
        patches = vectors.reshape(-1, vectors.shape[-1]) if sees.judged is None else vectors[sees.judged]
        rng = np.random.default_rng([seed, int(sample.sha256[:15], 16)])
        drawn.append(patches[rng.permutation(len(patches))[:each]])
    advance(len(some))
    return np.concatenate(drawn)


def _read(sees: Extractor, sample: Sample) -> U8:
    return sees.cut(sample.pixels())


def _painted(sees: Extractor, exam: Exam, defect: Defect) -> U8:
    return exam.paint(defect, _read(sees, exam.held[defect.part]), sees.mask)
