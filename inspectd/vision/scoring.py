"""From patch distances to a part's score and its heat map: small linear operators, worked out once per station.

Smoothing and bilinear resizing act on rows and columns apart, so each is a matrix from the left and one from the right.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_CUT = 4.0  # Gaussians end at so many sigma


class Separable(NamedTuple):
    """A linear operator on maps [h,w]: `rows` [H,h] from the left, `columns` [W,w] from the right."""

    rows: F32
    columns: F32

    def __call__(self, maps: F32) -> F32:
        """[..., h, w] to [..., H, W]."""
        return np.asarray(self.rows @ maps @ self.columns.T, np.float32)


def maximum(distances: F32 | F64) -> F64:
    """Largest distance of each map [B,h,w]: the score of PatchCore's equation 6."""
    return np.asarray(distances.max(axis=(1, 2)), np.float64)


def smoothed_max(distances: F32, smoothing: Separable, judged: Mask | None = None) -> F64:
    """Largest value of each map [B,h,w] after smoothing, over the judged cells [h,w] and weighted by them alone."""
    return maximum(_smoothed(distances, smoothing, judged))


def power_mean(distances: F32, smoothing: Separable, power: float, judged: Mask | None = None) -> F64:
    """Generalised mean of each map [B,h,w] after smoothing, over the judged cells [h,w]: (mean of d^power)^(1/power).

    Power 1 is the mean, and the higher it is the nearer the maximum: one far patch counts, and so do many that are a little
    far. In units of the largest distance, so that nothing overflows.
    """
    smooth = _smoothed(distances, smoothing, judged).astype(np.float64)
    peak = maximum(smooth)
    shares = (smooth / np.where(peak > 0, peak, 1)[:, None, None]) ** power
    cells = smooth[0].size if judged is None else max(1, int(judged.sum()))
    return np.asarray(peak * (shares.sum(axis=(1, 2)) / cells) ** (1 / power), np.float64)


def reweighted(score: float, to_neighbours: F32) -> float:
    """PatchCore's equation 7: the score, less where the nearest bank vector m* is itself in a dense place of the bank.

    `to_neighbours` [b]: distances from the patch to m* and to m*'s neighbours in the bank, m* first. The weight is
    1 - exp(d*) / sum exp(d), by log-sum-exp: exp alone overflows float32 at a distance of 88.
    """
    wide = to_neighbours.astype(np.float64)
    peak = wide.max()
    log_sum = peak + np.log(np.exp(wide - peak).sum())
    return float((1 - np.exp(wide[0] - log_sum)) * score)


@cache
def smoothing(grid: tuple[int, int], sigma: float) -> Separable:
    """Gaussian smoothing of maps [h,w], sigma in cells, edges reflected; sigma 0 changes nothing."""
    return Separable(*(_gaussian(side, sigma) for side in grid))


class Axis(NamedTuple):
    """Where the cells of a map look along one axis: cell i at pixel `stride * i + offset`."""

    cells: int
    stride: float
    offset: float


def heat(axes: tuple[Axis, Axis], size: tuple[int, int], sigma_px: float) -> Separable:
    """From distances [h,w] to a heat map [H,W]: bilinear between the places where cells look, then a Gaussian.

    Beyond the outermost places the border is repeated.
    """
    bilinear = (interpolation(axis, np.arange(side)) for axis, side in zip(axes, size, strict=True))
    return Separable(*(_gaussian_on(matrix, sigma_px).astype(np.float32) for matrix in bilinear))


def interpolation(axis: Axis, pixels: npt.ArrayLike) -> F64:
    """Matrix [pixels, cells] that reads values of cells at pixels, bilinearly."""
    at = np.clip((np.asarray(pixels) - axis.offset) / axis.stride, 0, axis.cells - 1)
    rows, low = np.arange(len(at)), np.minimum(at.astype(np.int64), max(axis.cells - 2, 0))
    matrix = np.zeros((len(at), axis.cells))
    matrix[rows, low] = 1 - (at - low)
    matrix[rows, np.minimum(low + 1, axis.cells - 1)] += at - low
    return matrix


def per_mille(values: F32, threshold: float) -> npt.NDArray[np.uint16]:
    """A heat map as it travels: per mille of the threshold, clamped at 65,535; NaN reads as the worst."""
    scaled = np.nan_to_num(np.rint(values * np.float32(1000 / threshold)), nan=65_535)
    return np.asarray(np.clip(scaled, 0, 65_535), np.uint16)


def _smoothed(distances: F32, smoothing: Separable, judged: Mask | None) -> F32:
    smooth = smoothing(distances)
    if judged is None:
        return smooth
    weight = smoothing(judged.astype(np.float32))
    return np.where(judged, smooth / np.where(judged, weight, 1), 0)


def _gaussian(side: int, sigma: float) -> F32:
    return _gaussian_on(np.eye(side), sigma).astype(np.float32)


def _gaussian_on(matrix: F64, sigma: float) -> F64:
    """Smooth the columns of a matrix [n,m] along its rows, rows reflected at the edges (… 1 0 | 0 1 …)."""
    reach = int(_CUT * sigma + 0.5)
    if reach == 0:
        return matrix
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(matrix, ((reach, reach), (0, 0)), mode="symmetric")
    smooth = np.zeros_like(matrix)
    for shift, tap in enumerate(taps / taps.sum()):
        smooth += tap * padded[shift : shift + len(matrix)]
    return smooth
