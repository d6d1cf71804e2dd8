"""What two bundles say of the same pictures, side by side: whose verdicts change when one takes the other's place."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from inspectd import image
from inspectd.errors import BadImage
from inspectd.vision import guards
from inspectd.vision.detector import Detector
from inspectd.wire.enums import Reason, Verdict

U8 = npt.NDArray[np.uint8]
Advance = Callable[[int], None]


class Picture(NamedTuple):
    """One picture to be judged again: the camera's whole picture, or (`cut`) the roi as the line judged it."""

    part: str
    path: Path
    cut: bool


class Said(Struct, frozen=True):
    """What one bundle says of a picture."""

    verdict: Verdict
    score: float | None = None  # None where it was not judged, for `reason`
    per_mille: int | None = None  # of the bundle's threshold
    reason: str = ""


class Pair(Struct, frozen=True):
    """What both say of one."""

    part: str
    before: Said
    after: Said

    @property
    def changed(self) -> bool:
        """The line would see another verdict."""
        return self.before.verdict is not self.after.verdict


def compare(pictures: Sequence[Picture], before: Detector, after: Detector, advance: Advance) -> Iterator[Pair]:
    """Yield what both say of each picture, one at a time; a picture that cannot be read is UNDECIDED for both."""
    for picture in pictures:
        try:
            pixels = image.decode(image.read_bytes(picture.path), str(picture.path)).pixels
        except BadImage as error:
            said = [Said(Verdict.UNDECIDED, reason=str(error))] * 2
        else:
            said = [_said(detector, pixels, picture.cut) for detector in (before, after)]
        yield Pair(picture.part, *said)
        advance(1)


def _said(detector: Detector, whole: U8, cut: bool) -> Said:
    spec = detector.manifest.picture
    camera = spec.camera_px if cut else (whole.shape[0], whole.shape[1])
    pixels = whole
    if spec.roi and not cut:
        x, y, width, height = spec.roi
        pixels = np.ascontiguousarray(whole[y : y + height, x : x + width])
    reason, why = guards.check(pixels, image.pixel_format(pixels), camera, spec.corner, spec)
    if reason:
        return Said(Verdict.UNDECIDED, reason=why)
    [result] = detector.score([pixels])
    if not math.isfinite(result.score):
        return Said(Verdict.UNDECIDED, reason=f"the score is {result.score}")
    why = Reason.RECHECK.name.lower() if result.label is Verdict.UNDECIDED else ""
    return Said(result.label, result.score, int(1000 * result.score / detector.threshold), why)


def summary(pairs: Iterable[Pair]) -> dict[str, int]:
    """Count pictures, changed verdicts, and each kind of change."""
    counts = {"pictures": 0, "changed": 0}
    for pair in pairs:
        counts["pictures"] += 1
        counts["changed"] += pair.changed
        if pair.changed:
            kind = f"{pair.before.verdict} to {pair.after.verdict}"
            counts[kind] = counts.get(kind, 0) + 1
    return counts
