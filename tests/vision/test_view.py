"""A member sees the whole roi whatever its shape, in tiles or at once, and what it says is put back where it looked."""

import numpy as np
import pytest

from inspectd.station.schema import Tiling
from inspectd.vision.view import Lens, View

GRAPH = (8, 3.5)  # each cell is the mean of its own 8 x 8 pixels: what `average` below does


def average(inputs):
    """A backbone that is easy to check: brightness of each cell, [T,h,w,1]."""
    t, h, w, _ = inputs.shape
    return inputs[..., :1].reshape(t, h // 8, 8, w // 8, 8, 1).mean(axis=(2, 4)).astype(np.float32)


def field(height, width):
    """A picture that is bright in the middle of its right half."""
    rows, columns = np.indices((height, width))
    waves = np.sin(np.pi * rows / height) * np.sin(np.pi * columns / width) ** 2
    return np.rint(40 + 200 * waves * columns / width).astype(np.uint8)


def seen(view, pixels):
    """Brightness as a method's distances, put back."""
    return view.whole(view.lens.gather(average(view.prepare(pixels)))[..., 0])[0]


class TestWhole:
    @pytest.mark.parametrize("size", [(240, 240), (150, 400), (333, 201)])
    @pytest.mark.parametrize("input_px", [(64, 64), (64, 160)])
    def test_the_map_of_any_shape_lies_over_the_picture(self, size, input_px):
        view = View(Lens(input_px, *GRAPH), size, map_sigma_px=0)
        pixels = field(*size)
        off = np.abs(view.heat(seen(view, pixels)) - pixels)[8:-8, 8:-8]
        assert off.mean() < 5
        assert view.prepare(pixels).shape == (1, *input_px, 3)

    @pytest.mark.parametrize("stride", [1, 2, 3, 4])
    def test_with_a_stride_every_so_many_th_cell_is_used_and_still_lies_in_its_place(self, stride):
        view = View(Lens((224, 160), *GRAPH, stride), (240, 240), map_sigma_px=0)
        pixels = field(240, 240)
        cells = average(view.prepare(pixels))
        used = view.lens.gather(cells)
        assert used.shape[1:3] == view.lens.grid
        first = (stride - 1) // 2
        assert np.array_equal(used, cells[:, first::stride, first::stride])
        away = 10 * stride  # beyond the outermost cells the border is repeated
        off = np.abs(view.heat(seen(view, pixels)) - pixels)[away:-away, away:-away]
        assert off.max() < 4 + 4 * stride


class TestTiles:
    LENS = Lens((64, 96), *GRAPH, 1, Tiling(rows=2, columns=3, overlap_px=40))

    def test_tiles_are_prepared_row_by_row_each_of_the_inputs_size(self):
        view = View(self.LENS, (300, 500))
        pixels = np.zeros((300, 500), np.uint8)
        pixels[:100, 400:] = 200  # only the third tile of the first row sees it
        inputs = view.prepare(pixels)
        assert inputs.shape == (6, 64, 96, 3)
        assert [bool(tile.any()) for tile in inputs] == [False, False, True, False, False, False]
        assert view.tiles == 6

    def test_tiles_stand_side_by_side_for_a_method(self):
        maps = np.arange(12, dtype=np.float32)[:, None, None, None] * np.ones((1, 8, 12, 2), np.float32)
        mosaic = self.LENS.gather(maps)
        assert mosaic.shape == (2, *self.LENS.grid, 2) == (2, 16, 36, 2)
        assert mosaic[1, ::8, ::12, 0].tolist() == [[6, 7, 8], [9, 10, 11]]

    @pytest.mark.parametrize("size", [(300, 500), (257, 771), (900, 640)])
    def test_the_stitched_map_of_a_smooth_field_equals_the_untiled_one(self, size):
        """At the same scale, from one large input and from six small ones."""
        tiled = View(self.LENS, size, map_sigma_px=0)
        at_once = View(Lens((112, 240), *GRAPH), size, map_sigma_px=0)
        pixels = field(*size)
        one, other = (view.heat(seen(view, pixels)) for view in (tiled, at_once))
        assert np.abs(one - other).max() < 6
        assert np.abs(one - other).mean() < 1

    def test_there_is_no_step_at_a_tiles_border(self):
        """Nowhere does the map change faster from pixel to pixel than the picture does."""
        view = View(self.LENS, (300, 500), map_sigma_px=0)
        pixels = field(300, 500)
        heat = view.heat(seen(view, pixels))
        for axis in (0, 1):
            steepest = np.abs(np.diff(pixels.astype(float), axis=axis)).max()
            assert np.abs(np.diff(heat, axis=axis)).max() <= steepest + 0.5

    def test_with_a_stride_tiles_are_stitched_too(self):
        pixels = field(300, 500)
        view = View(self.LENS._replace(stride=2), (300, 500), map_sigma_px=0)
        assert view.lens.grid == (8, 18)
        assert np.abs(view.heat(seen(view, pixels)) - pixels)[20:-20, 20:-20].mean() < 5


class TestMask:
    @pytest.mark.parametrize("tiling", [None, Tiling(rows=2, columns=3, overlap_px=40)])
    def test_what_is_not_judged_is_0_and_does_not_dilute_what_is(self, tiling):
        mask = np.zeros((300, 500), bool)
        mask[60:, 130:420] = True
        view = View(Lens((64, 96), *GRAPH, 1, tiling), (300, 500), mask)
        level = np.where(view.judged, np.float32(2), np.float32(0))[None]
        whole = view.whole(level)[0]
        assert np.array_equal(whole > 0, view.judged_whole)
        np.testing.assert_allclose(whole[view.judged_whole], 2, rtol=1e-5)

    def test_masked_pixels_are_hidden_in_every_tile(self):
        mask = np.ones((300, 500), bool)
        mask[100:200, 100:400] = False
        view = View(TestTiles.LENS, (300, 500), mask)
        one, other = field(300, 500), field(300, 500)
        other[100:200, 100:400] = 0
        assert np.array_equal(view.prepare(one), view.prepare(other))
