"""The contact sheet says what it shows, and what it cannot show."""

import math

import numpy as np
import pytest

from inspectd import image
from inspectd.demo import sheet
from inspectd.demo.tally import Row
from inspectd.station.state import StateDir


def row(verdict: str, defective: bool | None, reason: str = "") -> Row:
    return Row("a/1/1", "part", verdict, math.nan, "delivered", 0, reason=reason, defective=defective)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (row("PASS", True), "PASS, but defective"),
        (row("FAIL", False), "FAIL, but good"),
        (row("FAIL", True), "FAIL, defective"),
        (row("UNDECIDED", False, "late"), "UNDECIDED(late), good"),
        (row("UNDECIDED", None, "lost"), "UNDECIDED(lost), truth unknown"),
    ],
)
def test_a_caption_holds_verdict_reason_and_truth(shown, words):
    """A verdict against the truth says `but`."""
    assert sheet.caption(shown)[0] == words


def test_a_tile_without_picture_and_heat_map_says_so_in_words(tmp_path, state: StateDir):
    """Both halves are marked as missing, each by its own words, and are no white gaps."""
    sheet.draw(tmp_path / "sheet.png", state, [row("UNDECIDED", False, "no_frame")], title="one part")
    pixels = image.read(tmp_path / "sheet.png").pixels
    left, right = pixels[84:234, 14:164], pixels[84:234, 166:316]
    for half in (left, right):
        assert (half[0, 0] == (232, 235, 239)).all()
        assert len(np.unique(half.reshape(-1, 3), axis=0)) > 2  # letters
    assert (left != right).any()
