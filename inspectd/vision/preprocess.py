"""From a camera's picture to a backbone's input: mask, resize, three channels. The same for calibration and for the line."""

import numpy as np
import numpy.typing as npt

from inspectd import image

U8 = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_GREY = 127  # becomes 0 in the backbone, as its own padding does


def prepare(pixels: U8, input_px: tuple[int, int], mask: Mask | None = None) -> U8:
    """uint8 [H,W] or [H,W,3] to uint8 [h,w,3], (h, w) = `input_px`; pixels where `mask` [H,W] is False are not seen."""
    if mask is not None:
        seen = mask if pixels.ndim == 2 else mask[:, :, None]
        pixels = np.where(seen, pixels, np.uint8(_GREY))
    return np.ascontiguousarray(image.rgb(image.resize(pixels, *input_px)))


def judged_cells(mask: Mask, grid: tuple[int, int]) -> Mask:
    """Cells of a patch grid [h,w] in which at least one pixel of `mask` [H,W] is to be judged; the others score 0."""
    rows, columns = (np.arange(cells) * side // cells for cells, side in zip(grid, mask.shape, strict=True))
    by_rows = np.logical_or.reduceat(mask, rows, axis=0)
    return np.asarray(np.logical_or.reduceat(by_rows, columns, axis=1), np.bool_)
