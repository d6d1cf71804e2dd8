"""Golden pictures: what a bundle must still say of pictures whose scores were stored with it.

Four good pictures that are not in the bank, and the same four with a seeded synthetic defect. Who loads the bundle scores
them again; a library, a processor or a file that changed the numbers shows here and not on the line.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from inspectd.errors import BadBundle

TOLERANCE = 0.01  # of the threshold, by which a score may move


@dataclass(frozen=True)
class Golden:
    """Pictures with their scores; the defective picture i is the good picture i with a defect."""

    good: npt.NDArray[np.uint8]  # [n, H, W] or [n, H, W, 3], as ingest sends them
    defective: npt.NDArray[np.uint8]  # the same shape
    good_scores: npt.NDArray[np.float64]  # [n]
    defective_scores: npt.NDArray[np.float64]  # [n]
    good_failed: npt.NDArray[np.bool_]  # [n], label FAIL
    defective_failed: npt.NDArray[np.bool_]  # [n]

    def write(self, path: Path) -> None:
        """Write golden.npz; the same pictures and scores give the same bytes."""
        np.savez_compressed(path, allow_pickle=False, **vars(self))

    @classmethod
    def read(cls, path: Path) -> "Golden":
        """Read golden.npz; BadBundle if it is not one."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                golden = cls(**{name: stored[name] for name in cls.__dataclass_fields__})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise BadBundle(f"{path}: expected golden pictures and scores: {error}; calibrate again") from error
        golden._check(path)
        return golden

    def at(self, threshold: float) -> "Golden":
        """Return the same pictures and scores, labelled by another threshold."""
        return replace(self, good_failed=self.good_scores >= threshold, defective_failed=self.defective_scores >= threshold)

    def _check(self, path: Path) -> None:
        n = len(self.good)
        per_picture = (self.good_scores, self.defective_scores, self.good_failed, self.defective_failed)
        if n == 0 or self.good.shape != self.defective.shape or any(values.shape != (n,) for values in per_picture):
            raise BadBundle(f"{path}: expected as many scores and labels as pictures, good and defective; calibrate again")


class Scored(Protocol):
    """What the check reads of a result."""

    @property
    def score(self) -> float:
        """Higher is worse; NaN if there is none."""
        ...


class Scorer(Protocol):
    """What the check needs of a detector."""

    @property
    def threshold(self) -> float:
        """`score >= threshold` is FAIL."""
        ...

    def score(self, images: Sequence[npt.NDArray[np.uint8]]) -> Sequence[Scored]:
        """Score pictures as they come from the camera."""
        ...


def check_golden(detector: Scorer, golden: Golden) -> None:
    """Score the golden pictures again; BadBundle saying which score moved, which label flipped, or that all look alike."""
    good = _scores(detector, golden.good)
    defective = _scores(detector, golden.defective)
    _check_scores("good", detector.threshold, golden.good_scores, golden.good_failed, good)
    _check_scores("defective", detector.threshold, golden.defective_scores, golden.defective_failed, defective)
    gap = float(np.mean(defective - good))
    if not gap > TOLERANCE * abs(detector.threshold):
        raise BadBundle(
            f"golden pictures: expected defective ones to score higher than good ones, got {gap:+.4g} on average at a "
            f"threshold of {detector.threshold:.4g}: this bundle cannot tell them apart; calibrate again"
        )


def _scores(detector: Scorer, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return np.array([result.score for result in detector.score(list(pictures))], np.float64)


def _check_scores(
    kind: str, threshold: float, wanted: npt.NDArray[np.float64], wanted_failed: npt.NDArray[np.bool_],
    got: npt.NDArray[np.float64],
) -> None:  # fmt: skip
    for i, (score, before) in enumerate(zip(got, wanted, strict=True)):
        if not abs(score - before) <= TOLERANCE * abs(threshold):  # NaN moves too
            raise BadBundle(
                f"golden {kind} picture {i + 1}: expected score {before:.6g} within {TOLERANCE:.0%} of the threshold "
                f"{threshold:.6g}, got {score:.6g}: other libraries or processor? calibrate again on this machine"
            )
        if (score >= threshold) != wanted_failed[i]:
            label = "FAIL" if wanted_failed[i] else "PASS"
            raise BadBundle(
                f"golden {kind} picture {i + 1}: expected {label}, got score {score:.6g} at threshold {threshold:.6g}"
            )
