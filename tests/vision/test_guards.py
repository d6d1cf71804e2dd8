"""A picture of another size or format than the calibrated one is named as such before it is judged."""

import numpy as np
import pytest
from msgspec.structs import replace

from inspectd.vision import guards
from inspectd.vision.bundle import PictureSpec
from inspectd.wire.enums import Reason

MONO = PictureSpec(camera_px=(40, 60), pixel_format="mono8")
COLOUR = replace(MONO, pixel_format="rgb8")
CUT = replace(MONO, roi=(8, 4, 32, 16))  # x, y, width, height


@pytest.mark.parametrize(("spec", "shape"), [(MONO, (40, 60)), (COLOUR, (40, 60, 3)), (CUT, (16, 32))])
def test_a_picture_as_calibrated_passes(spec, shape):
    assert guards.check(np.zeros(shape, np.uint8), spec.pixel_format, spec.camera_px, spec.corner, spec) == (Reason.NONE, "")


@pytest.mark.parametrize(
    ("spec", "shape", "pixel_format", "got"),
    [
        (MONO, (40, 61), "mono8", "expected 60 x 40 mono8 as calibrated, got 61 x 40 mono8"),
        (MONO, (60, 40), "mono8", "got 40 x 60 mono8"),
        (MONO, (40, 60, 3), "rgb8", "got 60 x 40 rgb8"),
        (COLOUR, (40, 60), "mono8", "expected 60 x 40 rgb8 as calibrated, got 60 x 40 mono8"),
        (MONO, (40, 60, 3), "mono8", "got 60 x 40 mono8"),
        (CUT, (40, 60), "mono8", "expected 32 x 16 mono8 as calibrated, got 60 x 40 mono8"),
    ],
)
def test_any_other_is_a_wrong_picture(spec, shape, pixel_format, got):
    reason, text = guards.check(np.zeros(shape, np.uint8), pixel_format, spec.camera_px, spec.corner, spec)
    assert reason is Reason.WRONG_PICTURE
    assert got in text


def test_the_roi_of_a_picture_of_another_size_is_a_wrong_picture():
    """The same rectangle of another camera's picture shows another place of the part."""
    reason, text = guards.check(np.zeros((16, 32), np.uint8), "mono8", (80, 120), CUT.corner, CUT)
    assert reason is Reason.WRONG_PICTURE
    assert "expected a camera of 60 x 40 as calibrated, got 120 x 80" in text


def test_a_roi_of_the_same_size_elsewhere_is_a_wrong_picture():
    """It shows another place of the part."""
    reason, text = guards.check(np.zeros((16, 32), np.uint8), "mono8", CUT.camera_px, (9, 4), CUT)
    assert reason is Reason.WRONG_PICTURE
    assert "expected a roi at (8, 4) as calibrated, got (9, 4)" in text
