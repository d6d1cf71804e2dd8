"""A camera's picture becomes a backbone's input the same way for calibration and line; what is masked cannot matter."""

import numpy as np
import pytest

from inspectd.vision import preprocess


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_a_grey_picture_fills_three_equal_channels():
    prepared = preprocess.prepare(noise(50, 70), (32, 64))
    assert prepared.shape == (32, 64, 3)
    assert prepared.dtype == np.uint8
    assert prepared.flags.c_contiguous
    assert (prepared[:, :, 0] == prepared[:, :, 2]).all()


def test_a_colour_picture_keeps_the_order_of_its_channels():
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :, 0] = 200
    assert preprocess.prepare(pixels, (32, 32))[5, 5].tolist() == [200, 0, 0]


def test_a_picture_of_the_input_size_is_not_resampled():
    pixels = noise(32, 64)
    assert np.array_equal(preprocess.prepare(pixels, (32, 64))[:, :, 1], pixels)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_masked_pixels_cannot_be_seen(channels):
    mask = np.ones((50, 70), bool)
    mask[10:30, 20:40] = False
    one, other = noise(50, 70, *channels), noise(50, 70, *channels)
    other[10:30, 20:40] = 255 - other[10:30, 20:40]
    assert np.array_equal(preprocess.prepare(one, (32, 32), mask), preprocess.prepare(other, (32, 32), mask))
    assert not np.array_equal(preprocess.prepare(one, (32, 32)), preprocess.prepare(other, (32, 32)))


def test_the_given_picture_stays_as_it_is():
    pixels = noise(50, 70)
    before = pixels.copy()
    preprocess.prepare(pixels, (32, 32), np.zeros((50, 70), bool))
    assert np.array_equal(pixels, before)


def test_a_cell_is_judged_if_any_of_its_pixels_is():
    mask = np.zeros((40, 60), bool)
    mask[0, 59] = True
    mask[25, 31] = True
    cells = preprocess.judged_cells(mask, (4, 6))
    assert np.argwhere(cells).tolist() == [[0, 5], [2, 3]]


def test_no_pixel_is_forgotten_where_cells_do_not_divide_the_picture():
    for row in range(0, 47, 5):
        mask = np.zeros((47, 31), bool)
        mask[row, 30 - row // 2] = True
        assert preprocess.judged_cells(mask, (7, 7)).sum() == 1
