"""How a member sees: from a picture of the roi to inputs of its backbone, and from the maps of these back to the roi.

    picture ─ prepare ─ T inputs ─ backbone ─ T maps ─ gather ─ one mosaic ─ method ─ one mosaic ─ whole ─ one map of the roi

Without tiling there is one input and the mosaic is its map. With tiling the maps of all tiles stand side by side in the
mosaic, so that a method, whatever it is, judges all patches of a picture at once; a place in the mosaic is always the same
place of the roi. `whole` then puts them where they look, and where tiles overlap it blends them.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inspectd.station.schema import Tiling
from inspectd.vision import preprocess, scoring, tiles
from inspectd.vision.scoring import Axis, Separable
from inspectd.vision.tiles import Span

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Size = tuple[int, int]  # (height, width)

MAP_SIGMA_PX = 4.0  # smoothing of the heat map, in roi pixels


class Lens(NamedTuple):
    """What of a member's settings says how it sees, whatever the picture's size."""

    input_px: Size
    graph_stride: int  # cell i of the graph's map looks at input pixel `graph_stride * i + graph_offset`
    graph_offset: float
    stride: int = 1  # every so many-th cell is used
    tiling: Tiling | None = None

    @property
    def tiles(self) -> Size:
        """Rows and columns of tiles."""
        return (self.tiling.rows, self.tiling.columns) if self.tiling else (1, 1)

    @property
    def grid(self) -> Size:
        """Rows and columns of patches of one picture, those of all tiles side by side."""
        return self.tiles[0] * self.tile_grid[0], self.tiles[1] * self.tile_grid[1]

    @property
    def tile_grid(self) -> Size:
        """Rows and columns of patches of one tile."""
        used = (side // self.graph_stride - self.first for side in self.input_px)
        rows, columns = (-(-cells // self.stride) for cells in used)
        return rows, columns

    @property
    def first(self) -> int:
        """First cell that is used, so that those left out lie around the used ones."""
        return (self.stride - 1) // 2

    def spans(self, size: Size) -> tuple[list[Span], list[Span]]:
        """Where the tiles of a roi [H,W] begin and end: by rows, by columns."""
        overlap = self.tiling.overlap_px if self.tiling else 0
        return tiles.spans(size[0], self.tiles[0], overlap), tiles.spans(size[1], self.tiles[1], overlap)

    def gather(self, vectors: F32) -> F32:
        """Maps [B*T,h,w,d] of B pictures' inputs to one mosaic of patch vectors each, [B,h',w',d]."""
        first, stride = self.first, self.stride
        used = vectors[:, first::stride, first::stride]
        if self.tiling is None:
            return used
        (rows, columns), (_, h, w, d) = self.tiles, used.shape
        apart = used.reshape(-1, rows, columns, h, w, d).transpose(0, 1, 3, 2, 4, 5)
        return apart.reshape(-1, rows * h, columns * w, d)

    def axis(self, which: int, span: Span) -> Axis:
        """Where the used cells of one tile look, along rows (0) or columns (1), in roi pixels."""
        scale = (span.end - span.start) / self.input_px[which]
        offset = self.graph_offset + self.graph_stride * self.first
        return Axis(self.tile_grid[which], self.graph_stride * self.stride * scale, (offset + 0.5) * scale - 0.5 + span.start)


class View:
    """How a member sees a roi of one size."""

    def __init__(self, lens: Lens, size: Size, mask: Mask | None = None, map_sigma_px: float = MAP_SIGMA_PX) -> None:
        """`mask` [H,W] of the roi's size is True where it is judged; None: everywhere."""
        self.lens, self._mask, self._spans = lens, mask, lens.spans(size)
        cells = [[lens.axis(which, span) for span in spans] for which, spans in enumerate(self._spans)]
        axes, self._stitch = [tiled[0] for tiled in cells], None
        if lens.tiling:
            axes = [tiles.whole(tiled[0].stride, side) for tiled, side in zip(cells, size, strict=True)]
            self._stitch = Separable(*map(tiles.stitch, axes, cells, self._spans))
        self.heat = scoring.heat((axes[0], axes[1]), size, map_sigma_px)
        self.judged = None if mask is None else self._judged(mask)  # cells of the mosaic that count; None: all
        self.judged_whole = None if mask is None else preprocess.judged_cells(mask, (axes[0].cells, axes[1].cells))
        self._share = None if self.judged is None or self._stitch is None else self._stitch(self.judged.astype(np.float32))

    def prepare(self, pixels: U8) -> U8:
        """uint8 [H,W] or [H,W,3] to the backbone's inputs uint8 [T,h,w,3], one a tile."""
        places = self._places()
        masks = (None if self._mask is None else self._mask[place] for place in places)
        inputs = [
            preprocess.prepare(pixels[place], self.lens.input_px, mask) for place, mask in zip(places, masks, strict=True)
        ]
        return inputs[0][None] if len(inputs) == 1 else np.stack(inputs)  # one is not copied

    def whole(self, mosaic: F32) -> F32:
        """Put a method's distances [B,h',w'] where they look: maps of the whole roi, 0 where it is not judged."""
        if self._stitch is None:
            return mosaic
        maps = self._stitch(mosaic)
        if self._share is None or self.judged_whole is None:
            return maps
        seen = self.judged_whole & (self._share > 0)  # tiles that see nothing of a cell have no say in it
        return np.where(seen, maps / np.where(seen, self._share, 1), 0).astype(np.float32)

    @property
    def tiles(self) -> int:
        """Inputs of one picture."""
        return len(self._places())

    @property
    def stitched(self) -> bool:
        """Whether maps of the whole roi are others than those that a method gives."""
        return self._stitch is not None

    def _places(self) -> list[tuple[slice, slice]]:
        """Tiles in the roi, row by row."""
        return [(row.cut, column.cut) for row in self._spans[0] for column in self._spans[1]]

    def _judged(self, mask: Mask) -> Mask:
        (rows, columns), grid = self.lens.tiles, self.lens.tile_grid
        cells = [preprocess.judged_cells(mask[place], grid) for place in self._places()]
        return np.block([cells[row * columns : (row + 1) * columns] for row in range(rows)])
