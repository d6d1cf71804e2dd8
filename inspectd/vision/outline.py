"""Where a heat map reaches the pixel threshold: area, and boxes around the largest places. Pure."""

import numpy as np
import numpy.typing as npt

from inspectd import image
from inspectd.wire.messages import Outline

MOST_BOXES = 16  # in a message and in the journal; more say nothing that the map does not


def outline(heat: npt.NDArray[np.float32], threshold: float, mm_per_px: float | None) -> Outline:
    """Outline a heat map [H,W]; places are only looked for where one pixel reaches the threshold."""
    square = None if mm_per_px is None else mm_per_px * mm_per_px
    if not heat.max() >= threshold:
        return Outline(threshold=threshold, area_mm2=None if square is None else 0.0)
    found = image.areas(heat >= threshold)
    area = sum(pixels for *_, pixels in found)
    return Outline(
        threshold=threshold,
        area_px=area,
        area_mm2=None if square is None else area * square,
        regions=len(found),
        boxes=tuple((x, y, width, height) for x, y, width, height, _ in found[:MOST_BOXES]),
    )
