"""Figures of merit from scores, heat maps and masks. Pure; each is checked against an independent implementation.

Scores rise with the anomaly; a part is rejected where `score >= threshold`. `good` and `bad` are scores by truth.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inspectd.errors import BadInput

Floats = NDArray[np.float64]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

PRO_LIMIT = 0.3  # MVTec AD (Bergmann et al. 2021, section 5.1): integrate to 30 % false positive pixels


class Curve(NamedTuple):
    """A line through points, from left to right."""

    x: Floats
    y: Floats

    def area(self, limit: float = 1.0) -> float:
        """Return the area under it from 0 to `limit`."""
        end = int(np.searchsorted(self.x, limit, "right"))
        x, y = np.append(self.x[:end], limit), np.append(self.y[:end], self._height(end, limit))
        return float(np.trapezoid(y, x))

    def thinned(self, points: int = 400) -> "Curve":
        """Return at most so many of its points, evenly along its length, both ends among them."""
        if len(self.x) <= points:
            return self
        length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(self.x)) + np.abs(np.diff(self.y)))])
        kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], points)))
        kept[-1] = len(self.x) - 1
        return Curve(self.x[kept], self.y[kept])

    def _height(self, end: int, at: float) -> float:
        """Return how high it is at `at`, which lies between points end - 1 and end."""
        if end == len(self.x):
            return float(self.y[-1])
        share = (at - self.x[end - 1]) / (self.x[end] - self.x[end - 1])
        return float(self.y[end - 1] + share * (self.y[end] - self.y[end - 1]))


class PixelCurves(NamedTuple):
    """Over the share of false positive pixels: the share of defective pixels found, and the mean overlap of the regions."""

    roc: Curve
    overlap: Curve

    @property
    def auroc(self) -> float:
        """Pixel AUROC."""
        return self.roc.area()

    def pro(self, limit: float = PRO_LIMIT) -> float:
        """Per-region overlap, integrated up to a share `limit` of false positive pixels and divided by it."""
        return self.overlap.area(limit) / limit


@dataclass(frozen=True)
class Confusion:
    """Parts by truth and verdict at one threshold."""

    threshold: float
    rejected: int  # bad, rejected
    escaped: int  # bad, passed: false negatives
    false_rejects: int  # good, rejected: false positives
    passed: int  # good, passed

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of the rejection; 0 where nothing bad is rejected."""
        return 2 * self.rejected / (2 * self.rejected + self.escaped + self.false_rejects) if self.rejected else 0.0


def image_auroc(good: ArrayLike, bad: ArrayLike) -> float:
    """Return the probability that a bad part scores higher than a good one, ties counting half."""
    return roc(good, bad).area()


def roc(good: ArrayLike, bad: ArrayLike) -> Curve:
    """Return the share of bad parts rejected over the share of good parts rejected, from (0, 0) to (1, 1)."""
    good, bad = _scores(good, bad, "image AUROC", "pictures")
    return _curves(np.sort(good), bad, [np.full(len(bad), 1 / len(bad))])[0]


def precision_recall(good: ArrayLike, bad: ArrayLike) -> Curve:
    """Return the precision over the recall at each score as threshold, the highest first; before it (0, 1)."""
    good, bad = _scores(good, bad, "precision and recall", "pictures")
    cuts = np.unique(np.concatenate([good, bad]))[::-1]
    rejected, false_rejects = _counts(bad, cuts), _counts(good, cuts)
    precision = rejected / (rejected + false_rejects)
    return Curve(np.append(0.0, rejected / len(bad)), np.append(1.0, precision))


def average_precision(good: ArrayLike, bad: ArrayLike) -> float:
    """Return the mean precision over the bad parts, each at its own score as threshold."""
    good, bad = _scores(good, bad, "average precision", "pictures")
    rejected, false_rejects = _counts(bad, bad), _counts(good, bad)
    return float(np.mean(rejected / (rejected + false_rejects)))


def confusion(good: ArrayLike, bad: ArrayLike, threshold: float) -> Confusion:
    """Count the four outcomes at a threshold; either class may be empty."""
    good, bad = np.asarray(good, np.float64), np.asarray(bad, np.float64)
    rejected, false_rejects = int((bad >= threshold).sum()), int((good >= threshold).sum())
    return Confusion(threshold, rejected, len(bad) - rejected, false_rejects, len(good) - false_rejects)


def f1_optimal(good: ArrayLike, bad: ArrayLike) -> Confusion:
    """Return the counts at the threshold of the largest F1; of several, the lowest: an escape costs more than a false alarm."""
    good, bad = _scores(good, bad, "F1", "pictures")
    cuts = np.unique(bad)  # between two bad scores a threshold only gains false rejects by going down
    rejected, false_rejects = _counts(bad, cuts), _counts(good, cuts)
    f1 = 2 * rejected / (rejected + false_rejects + len(bad))
    return confusion(good, bad, _middle(good, bad, float(cuts[f1.argmax()])))


def full_recall(good: ArrayLike, bad: ArrayLike) -> Confusion:
    """Return the counts at the highest threshold that rejects every bad part."""
    good, bad = _scores(good, bad, "errors at full recall", "pictures")
    return confusion(good, bad, _middle(good, bad, float(bad.min())))


def pixel_curves(maps: Sequence[Map], masks: Sequence[Mask]) -> PixelCurves:
    """Return the curves over all pixels of all pictures; masks are True where defective, of their map's size.

    For the overlap each connected region (8 neighbours) weighs the same, whatever its size (Bergmann et al. 2021, section
    5.1).
    """
    good, bad = _pixels(maps, masks)
    weights, count = [], 0
    for mask in masks:
        inside = mask[_box(mask)]
        labels = regions(inside)[inside]
        sizes = np.bincount(labels)
        weights.append(1.0 / sizes[labels])
        count += len(sizes) - 1 if len(sizes) else 0
    good.sort()
    return PixelCurves(*_curves(good, bad, [np.full(len(bad), 1 / len(bad)), np.concatenate(weights) / count]))


def _box(mask: Mask) -> tuple[slice, slice]:
    """Return the rows and columns between which a mask [H,W] is True."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else (slice(0), slice(0))


def regions(mask: Mask) -> NDArray[np.int64]:
    """Number the connected regions (8 neighbours) of a mask [H,W] from 1, in reading order; 0 elsewhere."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    edges = np.diff(padded, axis=1)
    rows, starts = np.nonzero(edges == 1)  # runs of each row, in reading order
    ends = np.nonzero(edges == -1)[1]
    parents = list(range(len(rows)))
    for run, other in _touching(rows, starts, ends):
        a, b = _root(parents, run), _root(parents, other)
        parents[max(a, b)] = min(a, b)
    numbers = np.unique([_root(parents, run) for run in range(len(rows))], return_inverse=True)[1]
    labels = np.zeros(mask.shape, np.int64)
    for row, start, end, number in zip(rows, starts, ends, numbers, strict=True):
        labels[row, start:end] = number + 1
    return labels


def _touching(rows: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Iterable[tuple[int, int]]:
    """Yield pairs of runs [start, end) of neighbouring rows that touch, diagonally too."""
    above = np.searchsorted(rows, rows - 1)  # first run of the row above
    first = np.searchsorted(rows, rows)  # first run of the own row
    for run in range(len(rows)):
        for other in range(above[run], first[run]):
            if starts[other] <= ends[run] and starts[run] <= ends[other]:
                yield run, other


def _root(parents: list[int], node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


def _curves(ranked: Floats | Map, bad: Floats | Map, weights: Sequence[Floats]) -> list[Curve]:
    """Return, for each weighting, the weight of the bad scores (all of it 1) over the share of the good ones, `ranked`.

    The threshold falls. At each distinct bad score a curve goes straight from (share of good above it, weight above it) to
    (share at or above, weight at or above): upright without ties, slanted with them.
    """
    cuts, index = np.unique(bad, return_inverse=True)
    shares = (1 - np.searchsorted(ranked, cuts[::-1], side) / len(ranked) for side in ("right", "left"))
    x = np.concatenate([[0.0], np.stack(list(shares), axis=1).ravel(), [1.0]])
    return [Curve(x, _rising(np.bincount(index, each)[::-1])) for each in weights]


def _rising(gains: ArrayLike) -> Floats:
    """Return the heights before and after each gain, from 0 to 1."""
    hits = np.concatenate([[0.0], np.minimum(np.cumsum(gains), 1.0)])  # many shares may add up to more by rounding
    hits[-1] = 1.0
    return np.concatenate([[0.0], np.stack([hits[:-1], hits[1:]], axis=1).ravel(), [1.0]])


def _counts(scores: Floats, cuts: Floats) -> NDArray[np.int64]:
    """Return how many of the scores are at or above each cut."""
    return len(scores) - np.searchsorted(np.sort(scores), cuts, "left")


def _middle(good: Floats, bad: Floats, cut: float) -> float:
    """Return the threshold halfway between `cut` and the next lower score: same verdicts, and a margin on both sides."""
    lower = np.concatenate([good, bad])
    below = float(lower[lower < cut].max(initial=-np.inf))
    middle = below + (cut - below) / 2
    return middle if below < middle < cut else cut


def _scores(good: ArrayLike, bad: ArrayLike, what: str, unit: str) -> tuple[Floats, Floats]:
    good, bad = np.asarray(good, np.float64), np.asarray(bad, np.float64)
    _both(what, unit, len(good), len(bad))
    if not (np.isfinite(good).all() and np.isfinite(bad).all()):
        raise ValueError(f"{what}: expected finite scores, got NaN or inf")
    return good, bad


def _pixels(maps: Sequence[Map], masks: Sequence[Mask]) -> tuple[Map, Map]:
    for heat, mask in zip(maps, masks, strict=True):
        if heat.shape != mask.shape:
            raise ValueError(f"pixel figures: expected maps and masks of the same size, got {heat.shape} and {mask.shape}")
    good = np.concatenate([heat[~mask] for heat, mask in zip(maps, masks, strict=True)] or [np.zeros(0, np.float32)])
    bad = np.concatenate([heat[mask] for heat, mask in zip(maps, masks, strict=True)] or [np.zeros(0, np.float32)])
    _both("pixel figures", "pixels", len(good), len(bad))
    return good, bad


def _both(what: str, unit: str, good: int, bad: int) -> None:
    if not good or not bad:
        raise BadInput(f"{what}: expected good and defective {unit}, got {good} good and {bad} defective")
