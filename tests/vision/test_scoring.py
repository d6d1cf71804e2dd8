"""Scores and heat maps equal a plain slow reference, written from the definitions with loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspectd.vision import scoring


def maps(*shape, seed=0):
    return np.random.default_rng(seed).gamma(2, 2, shape).astype(np.float32)


def weights(sigma):
    reach = int(4 * sigma + 0.5)
    return {at: math.exp(-0.5 * (at / sigma) ** 2) for at in range(-reach, reach + 1)}


def reflect(at, side):
    while not 0 <= at < side:
        at = -1 - at if at < 0 else 2 * side - 1 - at
    return at


def slow_gaussian(values, sigma):
    """Every cell is the weighted mean of its neighbours; the map is mirrored at its edges."""
    smooth = np.zeros(values.shape)
    total = sum(weights(sigma).values()) ** 2
    for row, column in np.ndindex(values.shape):
        smooth[row, column] = sum(
            a * b * values[reflect(row + dy, values.shape[0]), reflect(column + dx, values.shape[1])] / total
            for dy, a in weights(sigma).items()
            for dx, b in weights(sigma).items()
        )
    return smooth


def slow_bilinear(values, y, x):
    """Value at fractional cell coordinates, the border repeated outside."""
    y, x = (min(max(at, 0), side - 1) for at, side in zip((y, x), values.shape, strict=True))
    top, left = int(y), int(x)
    bottom, right = min(top + 1, values.shape[0] - 1), min(left + 1, values.shape[1] - 1)
    above = values[top, left] * (1 - (x - left)) + values[top, right] * (x - left)
    below = values[bottom, left] * (1 - (x - left)) + values[bottom, right] * (x - left)
    return above * (1 - (y - top)) + below * (y - top)


class TestScores:
    def test_maximum_is_the_largest_distance_of_each_picture(self):
        distances = maps(3, 4, 5)
        assert scoring.maximum(distances).tolist() == [float(one.max()) for one in distances]

    @settings(max_examples=15, deadline=None)
    @given(st.floats(0.3, 3), st.integers(2, 9), st.integers(2, 9))
    def test_smoothed_max_is_the_largest_value_after_a_gaussian(self, sigma, height, width):
        distances = maps(2, height, width)
        expected = [slow_gaussian(one, sigma).max() for one in distances]
        got = scoring.smoothed_max(distances, scoring.smoothing((height, width), sigma))
        assert got == pytest.approx(expected, rel=1e-5)

    @settings(max_examples=25, deadline=None)
    @given(st.floats(0, 2), st.floats(1, 100), st.integers(2, 7), st.integers(2, 7), st.booleans())
    def test_the_power_mean_is_the_generalised_mean_of_the_judged_cells(self, sigma, power, height, width, masked):
        """However large the distances are; it lies between the mean and the maximum."""
        judged = np.arange(height * width).reshape(height, width) % 3 != 0 if masked else None
        counted = np.ones((height, width), bool) if judged is None else judged
        smoothing = scoring.smoothing((height, width), sigma)
        distances = maps(3, height, width) * counted
        smooth = smoothing(distances) / (1 if judged is None else np.maximum(smoothing(judged.astype(np.float32)), 1e-9))
        expected = [(sum(float(d) ** power for d in one[counted]) / counted.sum()) ** (1 / power) for one in smooth]
        got = scoring.power_mean(distances, smoothing, power, judged)
        assert got == pytest.approx(expected, rel=1e-4)
        assert scoring.power_mean(distances * 1e9, smoothing, power, judged) == pytest.approx(got * 1e9, rel=1e-4)
        assert (got <= scoring.smoothed_max(distances, smoothing, judged) * (1 + 1e-6)).all()

    def test_no_sigma_is_the_plain_maximum(self):
        distances = maps(2, 6, 7)
        assert scoring.smoothed_max(distances, scoring.smoothing((6, 7), 0)) == pytest.approx(scoring.maximum(distances))

    def test_cells_that_are_not_judged_neither_count_nor_dilute(self):
        judged = np.ones((6, 6), bool)
        judged[:, 3:] = False
        level = np.where(judged, np.float32(2), np.float32(0))[None]
        assert scoring.smoothed_max(level, scoring.smoothing((6, 6), 1.0), judged) == pytest.approx([2], rel=1e-6)

    def test_a_picture_of_which_nothing_is_judged_scores_0(self):
        nothing = np.zeros((6, 6), bool)
        assert scoring.smoothed_max(maps(1, 6, 6) * 0, scoring.smoothing((6, 6), 1.0), nothing).tolist() == [0]
        assert scoring.power_mean(maps(1, 6, 6) * 0, scoring.smoothing((6, 6), 1.0), 24, nothing).tolist() == [0]

    def test_nan_stays_nan(self):
        distances = maps(1, 6, 6)
        distances[0, 2, 2] = np.nan
        assert math.isnan(scoring.smoothed_max(distances, scoring.smoothing((6, 6), 1.0))[0])
        assert math.isnan(scoring.power_mean(distances, scoring.smoothing((6, 6), 1.0), 24)[0])
        assert math.isnan(scoring.maximum(distances)[0])

    @given(st.lists(st.floats(0, 20), min_size=1, max_size=9), st.floats(0, 100))
    def test_equation_7_is_the_paper_s(self, distances, score):
        expected = (1 - math.exp(distances[0]) / sum(map(math.exp, distances))) * score
        assert scoring.reweighted(score, np.array(distances, np.float32)) == pytest.approx(expected, rel=1e-4, abs=1e-4)

    def test_equation_7_holds_where_exp_overflows_float32(self):
        assert scoring.reweighted(800.0, np.array([800, 800], np.float32)) == pytest.approx(400)
        assert scoring.reweighted(90.0, np.array([90, 890], np.float32)) == pytest.approx(90)


class TestHeat:
    @settings(max_examples=10, deadline=None)
    @given(st.sampled_from([(8, 7), (8, 3.5), (16, 0)]), st.integers(20, 70), st.integers(20, 70))
    def test_a_map_is_bilinear_between_the_centres_of_cells(self, geometry, height, width):
        stride, offset = geometry
        distances = maps(4, 6)
        axes = (scoring.Axis(4, height / 5, offset), scoring.Axis(6, stride, width / 20))
        got = scoring.heat(axes, (height, width), 0)(distances)
        for row, column in [(0, 0), (height // 2, width // 3), (height - 1, width - 1), (3, width - 2)]:
            y, x = (row - offset) / (height / 5), (column - width / 20) / stride
            assert got[row, column] == pytest.approx(slow_bilinear(distances, y, x), rel=1e-4)

    def test_a_map_is_smoothed_in_pixels_of_the_roi(self):
        distances = maps(3, 3)
        axes = (scoring.Axis(3, 8, 3.5), scoring.Axis(3, 8, 3.5))
        plain, smooth = (scoring.heat(axes, (20, 22), sigma)(distances) for sigma in (0, 2.0))
        assert smooth == pytest.approx(slow_gaussian(plain, 2.0), rel=1e-4)

    def test_the_hottest_pixel_lies_where_the_hottest_cell_is(self):
        distances = np.zeros((7, 7), np.float32)
        distances[2, 5] = 1
        hot = scoring.heat((scoring.Axis(7, 32, 15.5), scoring.Axis(7, 32, 15.5)), (224, 224), 4)(distances)
        row, column = np.unravel_index(hot.argmax(), hot.shape)
        assert row in (79, 80)
        assert column in (175, 176)

    def test_per_mille_is_of_the_threshold_and_clamped(self):
        values = np.array([[0, 2.5, 5, 1e9, np.nan]], np.float32)
        assert scoring.per_mille(values, 5.0).tolist() == [[0, 500, 1000, 65_535, 65_535]]
