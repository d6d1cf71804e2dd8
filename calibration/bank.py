"""The memory bank of PatchCore: how many vectors, of how many candidates, chosen how."""

import math
from collections.abc import Callable

from calibration import coreset
from calibration.features import F32, Features, Indices
from calibration.progress import Advance
from inspectd.station.schema import Method
from inspectd.vision.methods import Arrays, standardise

_SAMPLERS: dict[str, Callable[[F32, int, int, Advance], Indices]] = {"greedy": coreset.greedy, "random": coreset.random}


def size(method: Method, patches: int) -> int:
    """Return how many vectors the bank holds that is chosen from pictures of so many patches together."""
    return method.bank if isinstance(method.bank, int) else max(1, math.ceil(percent(method.bank) / 100 * patches))


def percent(bank: str) -> float:
    """Read `10%`."""
    return float(bank.removesuffix("%"))


def fit(features: Features, members: Indices, method: Method, seed: int, advance: Advance) -> Arrays:
    """Choose the bank from some pictures; NotEnoughPictures if they have fewer different patches than it holds."""
    mean, scale = features.standard(members)
    vectors = standardise(features.drawn(members), mean, scale)
    count = size(method, len(members) * features.extractor.patches)
    chosen = vectors[_SAMPLERS[method.sampler](vectors, count, seed, advance)]
    return {"bank": chosen, "channel_mean": mean, "channel_scale": scale}
