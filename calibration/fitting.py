"""From patch vectors to judges: banks, and scores of good parts by banks that do not contain them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration import coreset, parallel
from calibration.features import F32, Extractor, Features, Indices, batches
from calibration.progress import Advance, Progress
from calibration.threshold import Split
from inspectd.errors import NotEnoughPictures
from inspectd.station import schema
from inspectd.vision import methods
from inspectd.vision.methods import Method
from inspectd.vision.methods.patchcore import PatchCore, standardise

GOLDEN = 4  # good pictures kept out of the bank, by which a worker checks the bundle
_SAMPLERS = {"greedy": coreset.greedy, "random": coreset.random}


@dataclass(frozen=True)
class Fitted:
    """What a bank's pictures taught: the arrays of a bundle, by the method's names for them."""

    bank: F32
    channel_mean: F32
    channel_scale: F32


@dataclass(frozen=True)
class Judged:
    """What was said of some pictures: their indices [n], distances [n,h,w] of their patches, scores [n]."""

    pictures: Indices
    distances: F32
    scores: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Learnt:
    """What a bundle judges by, and what its threshold rests on."""

    fitted: Fitted
    good: Judged  # by banks that do not contain them
    golden: Indices  # good pictures that the bundle's bank does not contain
    exact: bool  # the scores are of that very bank: held out, not cross-fitted


def check_enough(split: Split, patches: int, bank: int) -> None:
    """NotEnoughPictures unless the pictures of every bank have as many patches, so many each, as it holds."""
    pictures, kept = len(split.fold_of), len(split.scored) if split.exact else max(GOLDEN, *np.bincount(split.fold_of))
    if split.exact and kept < GOLDEN:
        raise NotEnoughPictures(f"expected at least {GOLDEN} good pictures held out, got {kept} of {pictures}; give more")
    fewest, wanted = pictures - kept, -(-bank // patches)
    if fewest < wanted:
        raise NotEnoughPictures(
            f"expected at least {wanted} good pictures for a bank of {bank:,} vectors ({patches} patches a picture), got "
            f"{max(0, fewest)} of {pictures}, the others being kept aside to be scored; give about "
            f"{-(-pictures * wanted // max(1, fewest))} pictures, or set a smaller method.bank"
        )


def learn(features: Features, split: Split, method: schema.Method, seed: int, progress: Progress) -> Learnt:
    """Learn from the good parts, and score them as the split says."""
    return (_hold_out if split.exact else _cross_fit)(features, split, method, seed, progress)


def _cross_fit(features: Features, split: Split, method: schema.Method, seed: int, progress: Progress) -> Learnt:
    """Score every good part by a bank of the other folds' parts, then learn from all parts but the golden ones."""
    everyone, fold_of = split.scored, split.fold_of
    others = [np.flatnonzero(fold_of != fold) for fold in range(max(fold_of) + 1)]
    threads = features.extractor.threads
    advance = progress.stage("banks of the folds", len(others) * method.bank)
    fits = parallel.each(lambda members, told: fit(features, members, method, seed, told), others, threads, advance)
    advance = progress.stage("scores of good parts", len(everyone))
    parts = [
        score(judge(one, method, features.extractor), features.vectors, np.flatnonzero(fold_of == fold), threads, advance)
        for fold, one in enumerate(fits)
    ]
    good = _in_order(parts)
    golden = _golden(good, seed)
    rest = np.setdiff1d(everyone, golden)
    return Learnt(fit(features, rest, method, seed, progress.stage("bank", method.bank)), good, golden, exact=False)


def _hold_out(features: Features, split: Split, method: schema.Method, seed: int, progress: Progress) -> Learnt:
    """Learn from all good parts but those held out, and score these."""
    held, rest = split.scored, np.flatnonzero(split.fold_of != 0)
    fitted = fit(features, rest, method, seed, progress.stage("bank", method.bank))
    advance = progress.stage("scores of good parts", len(held))
    good = score(judge(fitted, method, features.extractor), features.vectors, held, features.extractor.threads, advance)
    return Learnt(fitted, good, _golden(good, seed), exact=True)


def fit(features: Features, members: Indices, method: schema.Method, seed: int, advance: Advance) -> Fitted:
    """Learn from some pictures; NotEnoughPictures if they have fewer different patches than the bank holds."""
    mean, scale = features.standard(members)
    vectors = standardise(features.drawn(members), mean, scale)
    return Fitted(vectors[_SAMPLERS[method.sampler](vectors, method.bank, seed, advance)], mean, scale)


def judge(fitted: Fitted, method: schema.Method, extractor: Extractor) -> Method:
    """Return the judge that a worker makes of the same arrays."""
    return PatchCore(fitted.bank, fitted.channel_mean, fitted.channel_scale, method.score, method.sigma, extractor.judged)


def score(one: Method, read: Callable[[Indices], F32], pictures: Indices, threads: int, advance: Advance) -> Judged:
    """Let a judge score pictures [n], of which `read` gives the patch vectors of a batch [B,h,w,d]."""

    def work(some: Indices, told: Advance) -> methods.Judged:
        judged = one.judge(read(some))
        told(len(some))
        return judged

    parts = parallel.each(work, batches(pictures), threads, advance)
    if not parts:
        return Judged(pictures, np.empty((0, 0, 0), np.float32), np.empty(0))
    return Judged(pictures, np.concatenate([part.distances for part in parts]), np.concatenate([part.scores for part in parts]))


def _in_order(parts: list[Judged]) -> Judged:
    pictures = np.concatenate([part.pictures for part in parts])
    order = np.argsort(pictures)
    distances, scores = (np.concatenate([getattr(part, name) for part in parts])[order] for name in ("distances", "scores"))
    return Judged(pictures[order], distances, scores)


def _golden(good: Judged, seed: int) -> Indices:
    """Draw golden pictures from the lower half of the scores: typical parts, and no score near a threshold."""
    lower = np.argsort(good.scores, kind="stable")[: max(GOLDEN, len(good.scores) // 2)]
    return np.sort(good.pictures[np.random.default_rng(seed).permutation(lower)[:GOLDEN]])
