"""The camera contract. A camera never blocks ingestd: it takes when due, when its descriptor is readable, or when shot.

open()      connect; CameraError if that fails (ingestd tries again with back-off)
due_ns()    when `take` or `prepare` has something next (CLOCK_MONOTONIC); None: not before fd is readable or `shoot` is called
fd          readable when a picture is there; None for cameras that are paced by us
take()      the picture that is due, or None
prepare()   idle work (decode ahead); called on every turn
shoot()     take one picture now: a PLC bit or a software trigger
done        nothing will come any more
"""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from inspectd.station.schema import Roi
from inspectd.wire.enums import Reason

Pixels = npt.NDArray[np.uint8]


class Shot(NamedTuple):
    """One picture as the camera gave it: uint8 [H, W] or [H, W, 3] RGB; None, with the reason, where there is none."""

    pixels: Pixels | None
    name: str = ""
    reason: Reason = Reason.NONE
    text: str = ""


class Camera(Protocol):
    """What ingestd asks of every kind of camera."""

    fd: int | None
    waits: bool  # paced by us: it may wait until the line is ready, and until there is a place
    done: bool

    def open(self) -> None:
        """Connect; CameraError if that fails."""

    def due_ns(self) -> int | None:
        """When a picture is due next, or idle work."""

    def take(self) -> Shot | None:
        """Return the picture that is due; never blocks."""

    def prepare(self) -> None:
        """Do idle work."""

    def shoot(self) -> Shot:
        """Take one picture now."""

    def close(self) -> None:
        """Let go of the device."""


def cut(pixels: Pixels, roi: Roi | None) -> Pixels | None:
    """Cut the roi, C-contiguous; None if the picture does not contain it. Never resamples."""
    if roi is None:
        return np.ascontiguousarray(pixels)
    if pixels.shape[0] < roi.y + roi.height or pixels.shape[1] < roi.x + roi.width:
        return None
    return np.ascontiguousarray(pixels[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width])
