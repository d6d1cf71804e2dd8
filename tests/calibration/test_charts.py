"""Charts are pictures of what they are given, and the same bytes for the same figures."""

import struct

import numpy as np

from calibration import charts
from calibration.charts import Line, Panel, Scores

PANEL = Panel("search", "vectors", "ms", {"exact": Line([1, 10, 100], [1, 2, 4], [0.1, 0.2, 0.1])}, log="xy")


def test_panels_stand_beside_each_other_and_come_out_the_same_again() -> None:
    """Two panels are twice as wide as one, and what is drawn depends on nothing but the figures."""
    one, two = charts.panels([PANEL]), charts.panels([PANEL, PANEL._replace(title="again")])
    assert charts.panels([PANEL]) == one
    (width, height), wide = struct.unpack(">II", one[16:24]), struct.unpack(">II", two[16:24])  # of the PNG's header
    assert wide == (2 * width, height)


def test_a_line_s_points_bars_and_named_ticks_are_drawn() -> None:
    """Leaving any of them out changes the picture."""
    whole = PANEL._replace(log="", ticks=("1 %", "10 %", "100 %"))
    bare = whole.lines["exact"]._replace(spread=())
    others = [whole._replace(ticks=()), whole._replace(lines={"exact": bare}), whole._replace(marked=False), PANEL]
    drawn = [charts.panels([panel]) for panel in (whole, *others)]
    assert len(set(drawn)) == len(drawn)


def test_a_histogram_shows_bad_parts_only_where_there_are_some() -> None:
    """Its legend counts both."""
    good, bad, none = np.linspace(0, 1, 20), np.linspace(2, 3, 5), np.zeros(0)
    both, alone = charts.histogram(Scores(good, bad, none), 1.5), charts.histogram(Scores(good, none, none), 1.5)
    assert both.startswith("<svg")
    assert "good (20)" in both
    assert "bad (5)" in both
    assert "bad" not in alone
    assert "painted" not in both


def test_a_histogram_names_painted_defects_synthetic_and_shows_the_recheck_band() -> None:
    """Neither where there is none."""
    good, painted = np.linspace(0, 1, 20), np.linspace(1, 3, 7)
    drawn = charts.histogram(Scores(good, painted[:0], painted), 1.5, 1.2)
    assert "painted, synthetic (7)" in drawn
    assert "recheck band" in drawn
    assert "recheck" not in charts.histogram(Scores(good, painted[:0], painted), 1.5)


def test_panels_of_a_page_are_one_svg_that_names_their_lines() -> None:
    """Titles, axes and legends are text, which a page shows in its own letters."""
    drawn = charts.drawing([PANEL, PANEL._replace(title="again")])
    assert drawn.count("<svg") == 1
    for text in ("search", "again", "vectors", "exact"):
        assert text in drawn
