"""How well a station finds defects that were painted on good parts: recall by kind and size, and the smallest size found.

Such figures compare settings of one station, and say how large a defect must be. They are called synthetic wherever they
are told: how little they foretell of real defects stands in benchmarks/RESULTS.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from calibration import defects, metrics, threshold
from calibration.ensemble import Panel
from calibration.findings import Figures, Floats
from calibration.pictures import Sample
from calibration.progress import Progress
from calibration.threshold import CONFIDENCE

SIZES = (3, 5, 8, 13, 22, 37, 64)  # px, each about 1.7 times the one before
EACH = 4  # defects of every kind and size: 24 of a size, of which 95 % are all but one
RECALL = 0.95


@dataclass(frozen=True)
class Trial:
    """Scores [kinds, sizes, n] of good parts with painted defects, kinds as in defects.KINDS, sizes in roi pixels."""

    sizes: Sequence[int]
    scores: Floats


def try_out(panel: Panel, samples: Sequence[Sample], seed: int, progress: Progress, each: int = EACH) -> Trial:
    """Paint defects of every kind and size on good parts, one after the other and then again, and score them.

    Where a bank holds patches of the very part, the painted one scores a little lower, so that recall is not flattered.
    """
    extractor = panel.extractors[0]  # all members see the same roi and mask
    shortest = min(extractor.cut(samples[0].pixels()).shape[:2])
    sizes = [size for size in SIZES if 2 * size <= shortest]
    cells = [(kind, size) for kind in defects.KINDS for size in sizes]
    advance, scores = progress.stage("synthetic defects", len(cells) * each), []
    for number, (kind, size) in enumerate(cells):
        painted = []
        for i in range(each):
            sample = samples[(number * each + i) % len(samples)]
            rng = np.random.default_rng([seed, number, i])
            painted.append(defects.make(kind, extractor.cut(sample.pixels()), extractor.mask, size, rng)[0])
        scores.append(panel.score(painted))
        advance(each)
    return Trial(sizes, np.reshape(scores, (len(defects.KINDS), len(sizes), each)))


def figures(trial: Trial, good: Floats, at: float, mm_per_px: float | None) -> Figures:
    """Return recall by kind and size, F1 and the smallest size found, at a threshold; every name begins with synthetic."""
    if not trial.sizes:
        return {}
    found = trial.scores >= at
    told: Figures = {
        "synthetic_f1": metrics.confusion(good, trial.scores.ravel(), at).f1,
        "synthetic_recall": float(found.mean()),
        "synthetic_defects": trial.scores.size,
    }
    if (smallest := smallest_found(trial, at)) is not None:
        told["synthetic_smallest_px"] = smallest
        told |= {} if mm_per_px is None else {"synthetic_smallest_mm": smallest * mm_per_px}
    by_cell = zip(product(defects.KINDS, trial.sizes), found.mean(axis=2).ravel(), strict=True)
    return told | {f"synthetic_recall.{kind}.{size}px": float(recall) for (kind, size), recall in by_cell}


def told(trial: Trial, at: float, mm_per_px: float | None) -> str:
    """Say from which size on defects are found, and how sure that is."""
    if not trial.sizes:
        return "Defects were not painted: the pictures are too small for them."
    smallest = smallest_found(trial, at)
    found = trial.scores[:, trial.sizes.index(smallest) if smallest else -1 :] >= at
    seen = f"{found.sum()} of {found.size}"
    if smallest is None:
        return f"Painted defects (synthetic): even of the largest, {trial.sizes[-1]} px, only {seen} are rejected."
    length = f"{smallest} px" + ("" if mm_per_px is None else f" ({smallest * mm_per_px:.3g} mm)")
    sure = f"at least {threshold.interval(int(found.sum()), found.size)[0]:.0%} of such ones ({CONFIDENCE:.0%})"
    return f"Painted defects (synthetic) from {length} on: {seen} are rejected, so {sure}."


def warnings(trial: Trial, at: float) -> list[str]:
    """Warn where even large defects pass."""
    if not trial.sizes or smallest_found(trial, at) is not None:
        return []
    hint = "The threshold may be too high: look at the good parts with the highest scores, and drop those that are not good."
    return [f"{told(trial, at, None)} {hint}"]


def smallest_found(trial: Trial, at: float) -> int | None:
    """Return the smallest size from which on 95 % of each size's defects are found; None: not even the largest."""
    recall = (trial.scores >= at).mean(axis=(0, 2))
    missed = np.flatnonzero(recall < RECALL)
    first = missed[-1] + 1 if missed.size else 0
    return int(trial.sizes[first]) if first < len(trial.sizes) else None
