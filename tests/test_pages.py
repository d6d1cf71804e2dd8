"""Pictures for people show what they are given: sizes, heat, verdicts, frames."""

import numpy as np
import pytest

from inspectd import pages
from inspectd.pages import Part


def grey(height: int = 60, width: int = 90, level: int = 100) -> np.ndarray:
    return np.full((height, width), level, np.uint8)


def hot(height: int = 60, width: int = 90) -> np.ndarray:
    """Heat map with twice the threshold in its upper left quarter, nothing elsewhere."""
    heat = np.zeros((height, width), np.uint16)
    heat[: height // 2, : width // 2] = 2000
    return heat


class TestOverlay:
    def test_a_cold_map_leaves_the_picture_as_it_is(self):
        shown = pages.heat_overlay(grey(), np.zeros((60, 90), np.uint16))
        assert np.array_equal(shown, np.full((60, 90, 3), 100))

    def test_heat_is_drawn_where_it_is(self):
        shown = pages.heat_overlay(grey(), hot()).astype(int)
        assert np.abs(shown[15, 20] - 100).max() > 50
        assert (shown[45:, 60:] == 100).all()

    def test_the_area_over_the_threshold_is_outlined_in_white(self):
        shown = pages.heat_overlay(grey(), hot())
        assert (shown[15, 40:50] > 240).all(axis=1).any()

    def test_a_map_of_another_size_is_fitted_to_the_picture(self):
        assert pages.heat_overlay(grey(), hot(6, 9)).shape == (60, 90, 3)

    def test_the_picture_itself_is_not_drawn_on(self):
        pixels = np.full((60, 90, 3), 100, np.uint8)
        pages.heat_overlay(pixels, hot())
        assert (pixels == 100).all()


class TestSheet:
    def test_parts_stand_in_rows_of_the_asked_length(self):
        parts = [Part(grey(level=40 + i), None, "PASS", (f"part {i}",)) for i in range(5)]
        two_rows = pages.sheet("Sheet", "five parts", parts, columns=3, tile_px=90)
        one_row = pages.sheet("Sheet", "three parts", parts[:3], columns=3, tile_px=90)
        assert two_rows.shape[1] == one_row.shape[1]
        assert two_rows.shape[0] > one_row.shape[0] + 90
        for i in range(5):
            assert (two_rows == 40 + i).all(axis=2).sum() == 60 * 90

    def test_a_wrong_verdict_is_framed(self):
        right = pages.sheet("Sheet", "", [Part(grey(), hot(), "PASS", ("a",))])
        wrong = pages.sheet("Sheet", "", [Part(grey(), hot(), "PASS", ("a",), wrong=True)])
        assert right.shape == wrong.shape
        assert not np.array_equal(right, wrong)

    def test_a_sheet_of_no_parts_has_its_title(self):
        paper = pages.sheet("Nothing to show", "", [])
        assert (paper < 100).any()

    def test_a_20_megapixel_part_is_shown_small(self):
        huge = Part(np.zeros((3648, 5472), np.uint8), np.zeros((3648, 5472), np.uint16), "FAIL", ("huge",))
        assert pages.sheet("Sheet", "", [huge]).shape[1] < 1000


class TestPage:
    @pytest.mark.parametrize("heat", [None, hot()])
    def test_a_page_grows_with_its_facts(self, heat):
        part = Part(grey(), heat, "UNDECIDED", ("p1", "no picture"))
        short = pages.page("station/1/7", part, [("score", "1.0")])
        long = pages.page("station/1/7", part, [("score", "1.0")] * 20)
        assert short.shape[1] == long.shape[1]
        assert long.shape[0] > short.shape[0]

    def test_each_verdict_has_its_own_colour(self):
        drawn = {verdict: pages.page("a", Part(grey(), None, verdict, ()), []) for verdict in ("PASS", "FAIL")}
        assert not np.array_equal(drawn["PASS"], drawn["FAIL"])
        assert (drawn["FAIL"] == (196, 38, 38)).all(axis=2).any()
        assert (drawn["PASS"] == (24, 128, 72)).all(axis=2).any()
