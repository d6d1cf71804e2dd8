"""PaDiM's Gaussians: at every place of the picture the mean and covariance of good patch vectors, in bounded memory.

Pictures are added up a few at a time, so that memory depends on the places and channels alone. The sums are float64, about
the first pictures' mean: of large sums that almost cancel, float32 would keep no digit of a small variance.
"""

import numpy as np
import numpy.typing as npt

from calibration.features import F32, F64, Features, Indices
from calibration.progress import Advance
from inspectd.station.schema import Method
from inspectd.vision.methods import Arrays
from inspectd.vision.neighbours import standardise

_PICTURES = 32  # added up at a time: fewer, and the sums are passed through memory more often
_PLACES = 64  # factorised at a time


class Moments:
    """Sums over pictures from which the Gaussian of every place follows."""

    def __init__(self, places: int, channels: int) -> None:
        self._count = 0
        self._origin: F32 | None = None  # [places,1,channels], near the mean
        self._sums = np.zeros((places, channels))
        self._products = np.zeros((places, channels, channels))

    def add(self, vectors: F32) -> None:
        """Take in pictures [B,places,channels]."""
        places_first = np.ascontiguousarray(vectors.transpose(1, 0, 2))
        if self._origin is None:
            self._origin = places_first.mean(axis=1, keepdims=True)
        away = places_first - self._origin
        self._count += len(vectors)
        self._sums += away.sum(axis=1)
        self._products += away.transpose(0, 2, 1) @ away

    def gaussians(self, regularisation: float) -> tuple[F32, F32]:
        """Return means [places,channels] and inverse Cholesky factors [places,channels,channels] of the covariances.

        Covariances are divided by one less than the pictures, and `regularisation` is added to their diagonals: with fewer
        pictures than channels they could not be inverted.
        """
        assert self._origin is not None  # a Gaussian of no pictures has no mean
        shift = self._sums / self._count
        whiten = np.empty(self._products.shape, np.float32)
        for start in range(0, len(shift), _PLACES):
            some = slice(start, start + _PLACES)
            whiten[some] = self._factors(some, shift[some], regularisation)
        return (self._origin[:, 0] + shift).astype(np.float32), whiten

    def _factors(self, some: slice, shift: F64, regularisation: float) -> F64:
        about_mean = self._products[some] - self._count * shift[:, :, None] * shift[:, None, :]
        covariance = about_mean / max(1, self._count - 1) + regularisation * np.eye(shift.shape[1])
        factors: F64 = np.tril(np.linalg.inv(np.linalg.cholesky(covariance)))
        return factors


def fit(features: Features, members: Indices, method: Method, seed: int, advance: Advance) -> Arrays:
    """Fit the Gaussians to some pictures."""
    mean, scale = features.standard(members)
    axes = _axes(features, members, method, seed)
    h, w = features.extractor.grid
    moments = Moments(h * w, axes.shape[1])
    for start in range(0, len(members), _PICTURES):
        some = members[start : start + _PICTURES]
        vectors = standardise(features.vectors(some), mean, scale)
        moments.add(vectors.reshape(len(some), h * w, -1) @ axes)
        advance(len(some))
    centre, whiten = moments.gaussians(method.regularisation)
    k = axes.shape[1]
    placed = {"centre": centre.reshape(h, w, k), "whiten": whiten.reshape(h, w, k, k)}
    return {"channel_mean": mean, "channel_scale": scale, "axes": axes} | placed


def _axes(features: Features, members: Indices, method: Method, seed: int) -> F32:
    """Return the matrix [d,k] that reduces standardised vectors: k channels drawn by the seed, or k principal axes."""
    d = features.extractor.backbone.channels
    k = min(method.channels, d)
    if method.reduction == "random":
        chosen = np.sort(np.random.default_rng(seed).permutation(d)[:k])
        return np.eye(d, dtype=np.float32)[:, chosen]
    mean, scale = features.standard(members)
    return principal(standardise(features.drawn(members), mean, scale), k)


def principal(vectors: F32, count: int) -> npt.NDArray[np.float32]:
    """Return the first principal axes [d,count] of vectors [n,d], the widest first."""
    _, axes = np.linalg.eigh(np.cov(vectors, rowvar=False, dtype=np.float64))
    return np.ascontiguousarray(axes[:, ::-1][:, :count], np.float32)
