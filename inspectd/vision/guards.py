"""What must hold of a picture before it is judged; a picture that fails is UNDECIDED with the reason, never PASS."""

import numpy as np
import numpy.typing as npt

from inspectd.vision.bundle import PictureSpec
from inspectd.wire.enums import Reason

_HINT = "set the camera as before, or calibrate the station again"


def check(
    pixels: npt.NDArray[np.uint8],
    pixel_format: str,
    camera_px: tuple[int, int],
    corner: tuple[int, int],
    picture: PictureSpec,
) -> tuple[Reason, str]:
    """(NONE, "") if the picture is of the calibrated kind, else the reason and a sentence for people."""
    channels = () if picture.pixel_format == "mono8" else (3,)
    if pixel_format != picture.pixel_format or pixels.shape != (*picture.judged_px, *channels):
        got = (pixels.shape[0], pixels.shape[1])
        return _wrong(f"{_size(picture.judged_px)} {picture.pixel_format}", f"{_size(got)} {pixel_format}")
    if camera_px != picture.camera_px:  # the same roi of another picture shows another place
        return _wrong(f"a camera of {_size(picture.camera_px)}", _size(camera_px))
    if corner != picture.corner:  # a roi of the same size elsewhere, as files have it that were read anew
        return _wrong(f"a roi at {picture.corner}", str(corner))
    return Reason.NONE, ""


def _wrong(expected: str, got: str) -> tuple[Reason, str]:
    return Reason.WRONG_PICTURE, f"expected {expected} as calibrated, got {got}; {_HINT}"


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"
