"""Where a heat map reaches the pixel threshold: area and boxes, agreeing with a count pixel by pixel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration import metrics
from inspectd.vision import outline as outlines
from inspectd.vision.outline import outline
from inspectd.wire.messages import Outline


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40), st.floats(0.3, 0.99))
def test_area_and_boxes_agree_with_the_regions_counted_otherwise(seed: int, height: int, width: int, threshold: float) -> None:
    """Every region has a box as tight as can be, the largest come first, and no more are told than the bound."""
    heat = np.random.default_rng(seed).random((height, width), np.float32)
    found = outline(heat, threshold, 0.5)
    labels = metrics.regions(heat >= threshold)
    assert (found.area_px, found.area_mm2, found.regions) == ((labels > 0).sum(), 0.25 * (labels > 0).sum(), labels.max())
    boxes = {number: np.nonzero(labels == number) for number in range(1, labels.max() + 1)}
    expected = sorted(
        (-len(y), (x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1)) for y, x in boxes.values()
    )  # fmt: skip
    assert len(found.boxes) == min(outlines.MOST_BOXES, len(expected))
    assert set(found.boxes) <= {box for _, box in expected}
    areas = {box: -area for area, box in expected}
    told = [areas[box] for box in found.boxes]
    assert told == sorted(told, reverse=True)
    assert not told or told[0] == -expected[0][0]


def test_the_pixel_at_the_threshold_counts_and_those_that_touch_at_a_corner_are_one_place() -> None:
    """As a score at the threshold is FAIL."""
    heat = np.zeros((6, 8), np.float32)
    heat[1, 2], heat[2, 3] = 2.0, 3.0
    assert outline(heat, 2.0, None) == Outline(threshold=2.0, area_px=2, regions=1, boxes=((2, 1, 2, 2),))


def test_a_calm_map_has_an_outline_of_nothing() -> None:
    """Its areas are 0, the one in mm² only where the size of a pixel is known."""
    calm = np.zeros((6, 8), np.float32)
    assert outline(calm, 1.0, None) == Outline(threshold=1.0)
    assert outline(calm, 1.0, 0.1) == Outline(threshold=1.0, area_mm2=0.0)
    assert outline(np.full((6, 8), np.nan, np.float32), 1.0, None) == Outline(threshold=1.0)
