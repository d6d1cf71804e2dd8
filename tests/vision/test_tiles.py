"""Tiles cover a side with the overlap asked for, and their blended values have no seam."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inspectd.vision import scoring, tiles
from inspectd.vision.scoring import Axis

LAYOUT = (st.integers(64, 3000), st.integers(1, 8), st.integers(1, 400))


def axes(spans, cells):
    """Cells of each tile, evenly over it."""
    return [Axis(cells, (end - start) / cells, start + (end - start) / cells / 2 - 0.5) for start, end in spans]


@given(*LAYOUT)
def test_tiles_are_equal_cover_the_side_and_overlap_as_asked(side, count, overlap):
    assume(tiles.problem(side, count, overlap, 1000) is None)
    spans = tiles.spans(side, count, overlap)
    assert (spans[0].start, spans[-1].end) == (0, side)
    assert len({span.end - span.start for span in spans}) == 1
    assert all(one.end - other.start >= overlap for one, other in itertools.pairwise(spans))


@given(*LAYOUT, st.integers(4, 40))
def test_a_level_stays_a_level(side, count, overlap, cells):
    """The weights of all tiles add up to 1 everywhere."""
    assume(tiles.problem(side, count, overlap, cells) is None)
    spans = tiles.spans(side, count, overlap)
    matrix = tiles.stitch(tiles.whole((spans[0].end - spans[0].start) / cells, side), axes(spans, cells), spans)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)


@given(*LAYOUT, st.integers(8, 40))
def test_a_smooth_field_stitched_equals_the_field(side, count, overlap, cells):
    """Read by cells of all tiles and put together, a slow wave is the wave again, at most a cell's worth of it off."""
    assume(tiles.problem(side, count, overlap, cells) is None)
    spans = tiles.spans(side, count, overlap)
    pitch = (spans[0].end - spans[0].start) / cells
    target = tiles.whole(pitch, side)
    seen = np.concatenate([wave(axis, side) for axis in axes(spans, cells)])
    stitched = tiles.stitch(target, axes(spans, cells), spans) @ seen
    steepest = 2 * np.pi / side  # of the wave, a pixel
    assert np.abs(stitched - wave(target, side)).max() <= 0.75 * steepest * pitch


@given(st.integers(300, 3000), st.integers(2, 6), st.integers(8, 40))
def test_tiles_that_disagree_are_blended_without_a_step(side, count, cells):
    """Each tile says another level: over an overlap of some cells the map goes from one to the next bit by bit."""
    overlap = side // (count + 1)
    spans = tiles.spans(side, count, overlap)
    pitch = (spans[0].end - spans[0].start) / cells
    levels = np.repeat(np.arange(count) % 2, cells)
    stitched = tiles.stitch(tiles.whole(pitch, side), axes(spans, cells), spans) @ levels
    assert np.abs(np.diff(stitched)).max() <= 1.5 * pitch / (overlap - 1)


def wave(axis, side):
    return np.sin(2 * np.pi * (axis.offset + axis.stride * np.arange(axis.cells)) / side)


@pytest.mark.parametrize(
    ("side", "count", "overlap", "key", "words"),
    [
        (300, 2, 19, "overlap_px", "at least a patch: 20 pixels in 300"),
        (100, 2, 100, "overlap_px", "tiles smaller than the picture's 100 pixels"),
        (100, 2, 300, "overlap_px", "tiles smaller than the picture's 100 pixels"),
        (300, 2, 150, "overlap_px", "at most half a tile: 100 pixels for 2 tiles in 300"),
        (100, 8, 4, "", "tiles of at least 32 pixels"),
    ],
)
def test_what_cannot_be_divided_is_said(side, count, overlap, key, words):
    wrong = tiles.problem(side, count, overlap, 8)
    assert (wrong.key, wrong.expected) == (key, words)


def test_the_overlaps_that_are_named_are_taken_and_one_more_is_not():
    assert tiles.problem(300, 2, 100, 8) is None
    assert tiles.problem(300, 2, 101, 8) is not None
    assert tiles.problem(300, 2, 20, 8) is None
    assert tiles.problem(40, 1, 4000, 8) is None  # a single tile overlaps nothing


def test_values_between_cells_are_read_bilinearly():
    assert scoring.interpolation(Axis(3, 10, 5), [0, 5, 10, 12, 25, 99]) @ [1, 3, 7] == pytest.approx([1, 1, 2, 2.4, 7, 7])
