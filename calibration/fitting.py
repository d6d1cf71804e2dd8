"""From patch vectors to judges, and scores of good parts by judges that learnt nothing from them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration import bank, gallery, gaussians, parallel
from calibration.features import F32, Extractor, Features, Indices, batches
from calibration.progress import Advance
from calibration.threshold import Split
from inspectd.errors import NotEnoughPictures
from inspectd.station import schema
from inspectd.vision import ivfpq, methods
from inspectd.vision.member import Placed
from inspectd.vision.methods import Arrays, Kind, Method, judges

GOLDEN = 4  # good pictures kept out of the bank, by which a worker checks the bundle
_FITS: dict[Kind, Callable[[Features, Indices, schema.Method, int, Advance], Arrays]] = {
    "patchcore": bank.fit,
    "padim": gaussians.fit,
    "spade": gallery.fit,
}


@dataclass(frozen=True)
class Judged:
    """What was said of some pictures: their indices [n], distances [n,h,w] of their patches, scores [n]."""

    pictures: Indices
    distances: F32
    scores: npt.NDArray[np.float64]


def check_enough(split: Split, patches: int, method: schema.Method) -> None:
    """NotEnoughPictures unless the pictures of every bank have as many patches, so many each, as it holds."""
    pictures, kept = len(split.fold_of), len(split.scored) if split.exact else max(GOLDEN, *np.bincount(split.fold_of))
    if split.exact and kept < GOLDEN:
        raise NotEnoughPictures(f"expected at least {GOLDEN} good pictures held out, got {kept} of {pictures}; give more")
    fewest = pictures - kept
    size = bank.size(method, fewest * patches) if method.kind == "patchcore" else 1
    wanted = -(-size // patches)
    if fewest < wanted:
        raise NotEnoughPictures(
            f"expected at least {wanted} good pictures for a bank of {size:,} vectors ({patches} patches a picture), got "
            f"{max(0, fewest)} of {pictures}, the others being kept aside to be scored; give about "
            f"{-(-pictures * wanted // max(1, fewest))} pictures, or set a smaller method.bank"
        )
    if method.search == "ivfpq":
        ivfpq.check(size)


def steps(features: Features, pictures: int, method: schema.Method) -> int:
    """Return how many steps a fit to so many pictures tells of: the vectors of its bank, or the pictures."""
    return bank.size(method, pictures * features.extractor.patches) if method.kind == "patchcore" else pictures


def fit(features: Features, members: Indices, method: schema.Method, seed: int, advance: Advance) -> Arrays:
    """Learn from some pictures; NotEnoughPictures if they have fewer different patches than a bank holds."""
    return _FITS[method.kind](features, members, method, seed, advance)


def judge(fitted: Arrays, method: schema.Method, extractor: Extractor) -> Placed:
    """Return the judge that a worker makes of the same arrays, for pictures of the extractor's size."""
    return Placed(judges.judge(method.kind, method, fitted, extractor.judged), method, extractor.view())


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


def in_order(parts: list[Judged]) -> Judged:
    """Put the parts of what was said together, by picture; the parts lose theirs."""
    pictures = np.sort(np.concatenate([part.pictures for part in parts]))
    distances, scores = np.empty((len(pictures), *parts[0].distances.shape[1:]), np.float32), np.empty(len(pictures))
    while parts:  # one after the other, so that the distances of all pictures are held once and not three times
        part = parts.pop()
        places = np.searchsorted(pictures, part.pictures)
        distances[places], scores[places] = part.distances, part.scores
    return Judged(pictures, distances, scores)
