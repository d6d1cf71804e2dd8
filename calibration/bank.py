"""The memory bank of PatchCore: how many vectors, of how many candidates, chosen how."""

import math
from collections.abc import Callable

import numpy as np

from calibration import coreset, proxy
from calibration.features import DRAWN, F32, Features, Indices
from calibration.progress import Advance
from inspectd.station.schema import Method
from inspectd.vision import ivfpq
from inspectd.vision.methods import Arrays

_SAMPLERS: dict[str, Callable[[F32, int, int, Advance], Indices]] = {"greedy": coreset.greedy, "random": coreset.random}
_CANDIDATES = 10  # drawn for each vector of the bank, at least, where there are as many


def size(method: Method, patches: int) -> int:
    """Return how many vectors the bank holds that is chosen from pictures of so many patches together."""
    return method.bank if isinstance(method.bank, int) else max(1, math.ceil(percent(method.bank) / 100 * patches))


def candidates(method: Method, patches: int) -> int:
    """Return how many of so many patches are drawn, from which the bank is chosen."""
    return min(patches, max(DRAWN, _CANDIDATES * size(method, patches)))


def percent(bank: str) -> float:
    """Read `10%`."""
    return float(bank.removesuffix("%"))


def fit(features: Features, members: Indices, method: Method, seed: int, advance: Advance) -> Arrays:
    """Choose the bank from some pictures; NotEnoughPictures if they have fewer different patches than it holds."""
    mean, scale = features.standard(members)
    vectors = features.drawn(members)  # a copy; as they may be as large as memory allows, no further one is made
    np.subtract(vectors, mean, out=vectors)
    np.divide(vectors, scale, out=vectors)
    count = size(method, len(members) * features.extractor.patches)
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
