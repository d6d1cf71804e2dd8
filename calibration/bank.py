"""The memory bank of PatchCore: how many vectors, of how many candidates, chosen how."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from calibration import coreset, proxy
from calibration.features import DRAWN, F32, Features, Indices
from calibration.progress import Advance, Progress
from inspectd.station.schema import Method
from inspectd.text import share_of
from inspectd.vision import ivfpq
from inspectd.vision.methods import Arrays

_SAMPLERS: dict[str, Callable[[F32, int, int, Advance], Indices]] = {"greedy": coreset.greedy, "random": coreset.random}
_CANDIDATES = 10  # patches drawn for each vector of the bank, at least, where there are as many


def size(method: Method, patches: int) -> int:
    """Return how many vectors the bank holds that is chosen from pictures of so many patches together."""
    return method.bank if isinstance(method.bank, int) else max(1, math.ceil(share_of(method.bank) * patches))


def candidates(method: Method, patches: int) -> int:
    """Return how many of so many patches must be drawn: samples stand for all patches; greedy sees them all."""
    if method.kind == "patchcore" and method.sampler != "greedy":
        return min(patches, max(DRAWN, _CANDIDATES * size(method, patches)))
    return min(patches, DRAWN) if method.kind == "padim" and method.reduction == "pca" else 0


def condensed(features: Features, method: Method) -> bool:
    """Whether the bank is chosen from coresets, all patches being too many."""
    return features.streamed and method.kind == "patchcore" and method.sampler == "greedy"


def condense(features: Features, shares: Sequence[Indices], method: Method, seed: int, progress: Progress) -> None:
    """Reduce each share of the pictures once, for the banks of any of the shares together; nothing where patches fit."""
    if not condensed(features, method):
        return
    budget = size(method, len(features.samples) * features.extractor.patches)  # of the largest of those banks
    told = [share for share in shares if len(share)]
    features.condense(told, budget, seed, progress.stage("coresets", sum(map(len, told))))


def fit(features: Features, members: Indices, method: Method, seed: int, advance: Advance) -> Arrays:
    """Choose the bank from some pictures; NotEnoughPictures if they have fewer different patches than it holds."""
    mean, scale = features.standard(members)
    count = size(method, len(members) * features.extractor.patches)
    vectors = features.candidates(members, count, seed) if method.sampler == "greedy" else features.drawn(members)
    np.subtract(vectors, mean, out=vectors)  # a copy already; as it may be as large as memory allows, no further one is made
    np.divide(vectors, scale, out=vectors)
    bank = _chosen(vectors, count, method.sampler, seed, advance)
    return {"bank": bank, "channel_mean": mean, "channel_scale": scale, **searched(bank, method, seed)}


def searched(bank: F32, method: Method, seed: int) -> Arrays:
    """Train what a method searches its bank by beside the bank itself; an exact search needs nothing."""
    return ivfpq.train(bank, seed) if method.search == "ivfpq" else {}


def _chosen(vectors: F32, count: int, sampler: str, seed: int, advance: Advance) -> F32:
    if count == len(vectors):  # repetitions too, of which a sampler would not take two
        advance(count)
        return vectors
    if sampler == "proxy":
        return proxy.proxies(vectors, count, seed, advance)
    return vectors[_SAMPLERS[sampler](vectors, count, seed, advance)]
