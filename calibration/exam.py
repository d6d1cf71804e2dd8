"""What every setting is asked alike: to learn from some good parts, and to tell others from the same with painted defects.

Real defects are unknown, so the painted ones are of every kind and of many sizes, from 3 pixels on, and each is drawn anew
from plain to hardly visible: in large sizes too some are then near what can be seen at all, where settings differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration import defects, synthetic, threshold
from calibration.pictures import Sample

U8 = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

# good parts of each, at most; with 80 to learn from, deep layers of magnetic tiles fell far behind where they end up level
LEARNT, HELD = 240, 60
OPACITIES = (1.0, 0.5, 0.25, 0.7)  # each kind and size is painted once a round, with another opacity in each


@dataclass(frozen=True)
class Defect:
    """One defect to be painted on one of the held-out parts."""

    part: int
    kind: str
    size: int
    opacity: float
    number: int


@dataclass(frozen=True)
class Exam:
    """Good parts to learn from, others to be judged, defects to be painted on those, and real ones where some are known."""

    learn: Sequence[Sample]
    held: Sequence[Sample]
    defects: Sequence[Defect]  # round by round
    bad: Sequence[Sample]
    seed: int

    def first(self, rounds: int) -> Sequence[Defect]:
        """Return the defects of the first rounds."""
        return self.defects[: rounds * len(self.defects) // len(OPACITIES)]

    def paint(self, defect: Defect, pixels: U8, mask: Mask | None) -> U8:
        """Paint a defect on the picture of its part, as the camera sends it."""
        rng = np.random.default_rng([self.seed, defect.number])
        painted, _ = defects.make(defect.kind, pixels, mask, defect.size, rng)
        faint = pixels + np.float32(defect.opacity) * (painted.astype(np.float32) - pixels)
        return np.asarray(np.round(faint), np.uint8)


def deal(good: Sequence[Sample], bad: Sequence[Sample], shortest: int, seed: int) -> Exam:
    """Draw parts to learn from and others to be judged, never parting a group; `shortest` is a picture's shorter side.

    NotEnoughPictures if there are fewer than two groups.
    """
    held_out = threshold.split([sample.group for sample in good], 2, HELD / (HELD + LEARNT), seed).fold_of == 0
    rng = np.random.default_rng(seed)
    learn, held = (rng.permutation(np.flatnonzero(part))[:most] for part, most in ((~held_out, LEARNT), (held_out, HELD)))
    cells = [(kind, size) for size in synthetic.SIZES if 2 * size <= shortest for kind in defects.KINDS]
    many = len(OPACITIES)
    rounds = [(*cell, OPACITIES[(turn + i) % many]) for turn in range(many) for i, cell in enumerate(cells)]
    asked = [Defect(number % len(held), *one, number) for number, one in enumerate(rounds)]
    return Exam([good[i] for i in learn], [good[i] for i in held], asked, bad, seed)
