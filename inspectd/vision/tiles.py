"""Tiles of one axis of a picture: where they lie, and how values of their cells become values of the whole axis. Pure.

In an overlap two tiles see the same pixels. Their weights rise from 0 at a tile's edge, where a backbone sees only half of a
patch's neighbourhood, and add up to 1: the blend of two maps has no step, wherever one ends.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inspectd.vision import scoring
from inspectd.vision.scoring import Axis

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

SMALLEST_PX = 32  # side of a tile


class Span(NamedTuple):
    """Pixels of one tile along an axis."""

    start: int
    end: int

    @property
    def cut(self) -> slice:
        """The same as a slice."""
        return slice(self.start, self.end)


def spans(side: int, count: int, overlap: int) -> list[Span]:
    """Divide `side` pixels into `count` equal tiles whose neighbours share at least `overlap` pixels."""
    length = -(-(side + (count - 1) * overlap) // count)
    starts = np.rint(np.linspace(0, side - length, count)).astype(int).tolist()
    return [Span(start, start + length) for start in starts]


class Wrong(NamedTuple):
    """Why a side cannot be divided into tiles."""

    key: str  # of the settings that say how: overlap_px, or tiles
    expected: str
    got: str


def problem(side: int, count: int, overlap: int, cells: int) -> Wrong | None:
    """Say what is wrong with dividing `side` pixels into `count` tiles of so many cells; None if nothing is."""
    length = -(-(side + (count - 1) * overlap) // count)
    if count == 1:
        return None
    if length >= side:
        return Wrong(
            "overlap_px", f"tiles smaller than the picture's {side} pixels", f"{length} with this overlap of {overlap}"
        )
    if length < SMALLEST_PX:
        return Wrong("", f"tiles of at least {SMALLEST_PX} pixels", f"{count} of {length} in the picture's {side}")
    if 2 * overlap > length:
        most = side // (count + 1)  # 2 o <= (side + (count - 1) o) / count
        return Wrong("overlap_px", f"at most half a tile: {most} pixels for {count} tiles in {side}", str(overlap))
    if overlap * cells < length:  # less than from one cell to the next: nothing to blend
        return Wrong(
            "overlap_px", f"at least a patch: {-(-side // (count * cells - count + 1))} pixels in {side}", str(overlap)
        )
    return None


def whole(pitch: float, side: int) -> Axis:
    """Cells of about the tiles' pitch, evenly over the whole axis."""
    cells = max(1, round(side / pitch))
    return Axis(cells, side / cells, side / cells / 2 - 0.5)


def stitch(target: Axis, tiles: Sequence[Axis], spans: Sequence[Span]) -> F32:
    """Matrix [cells of the whole axis, cells of all tiles side by side]: bilinear in each tile, blended in overlaps."""
    at: F64 = target.offset + target.stride * np.arange(target.cells, dtype=np.float64)
    weights = np.stack([_weight(at, spans, index) for index in range(len(spans))])
    weights /= weights.sum(axis=0)
    parts = [weight[:, None] * scoring.interpolation(axis, at) for weight, axis in zip(weights, tiles, strict=True)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _weight(at: F64, spans: Sequence[Span], index: int) -> F64:
    """How much a tile counts at places in pixels: 1 where it is alone, falling to 0 over an overlap."""
    start, end = spans[index]
    weight = ((at > start - 0.5) & (at < end - 0.5)).astype(np.float64)
    if index > 0:
        weight = np.minimum(weight, np.clip((at - start + 0.5) / (spans[index - 1].end - start), 0, 1))
    if index < len(spans) - 1:
        weight = np.minimum(weight, np.clip((end - 0.5 - at) / (end - spans[index + 1].start), 0, 1))
    return weight
