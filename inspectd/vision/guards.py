"""What must hold of a picture before it is judged; a picture that fails is UNDECIDED with the reason, never PASS."""

import numpy as np
import numpy.typing as npt

from inspectd.vision.bundle import PictureSpec
from inspectd.wire.messages import Reason


def check(pixels: npt.NDArray[np.uint8], pixel_format: str, picture: PictureSpec) -> tuple[Reason, str]:
    """(NONE, "") if the picture is of the calibrated kind, else the reason and a sentence for people."""
    channels = () if picture.pixel_format == "mono8" else (3,)
    if pixel_format == picture.pixel_format and pixels.shape == (*picture.judged_px, *channels):
        return Reason.NONE, ""
    height, width = picture.judged_px
    got = " x ".join(str(side) for side in reversed(pixels.shape[:2]))
    expected = f"{width} x {height} {picture.pixel_format} as calibrated"
    hint = "set the camera as before, or calibrate the station again"
    return Reason.WRONG_PICTURE, f"expected {expected}, got {got} {pixel_format}; {hint}"
