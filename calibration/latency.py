"""How long one part takes on this machine, by a setting that has learnt nothing yet."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calibration import bank, fitting
from calibration.features import Extractor
from inspectd import clock
from inspectd.station.schema import Method

U8 = npt.NDArray[np.uint8]

PICTURES = 16  # from which the bank is put together
_ROUNDS = 9
_MOST = 3 * _ROUNDS  # where it is over a limit, but not by as much again: something else may have held the machine up
_JITTER = 0.3  # of a channel's spread: what makes patches that are taken again differ, as those of other parts would


def of(method: Method, extractor: Extractor, pictures: Sequence[U8], limit: float = math.inf) -> float:
    """Return the ms from a picture to its score and heat map: one picture at a time, a bank of the full size.

    The fastest of a few, of more where it is over a limit: what else the machine does can only disturb. To two digits: the
    third is chance. The bank is put together from patches of the pictures, and repeated to its size; searches take as long
    as in a chosen one.
    """
    seen = np.concatenate([extractor.vectors([pixels]) for pixels in pictures])
    patches = seen.reshape(-1, seen.shape[-1])
    mean, scale = patches.mean(axis=0), np.maximum(patches.std(axis=0), 1e-6)
    rng = np.random.default_rng(0)
    count = bank.size(method, len(pictures) * extractor.patches)
    drawn = np.resize((patches - mean)[rng.permutation(len(patches))] / scale, (count, patches.shape[1]))
    drawn += _JITTER * rng.standard_normal(drawn.shape, np.float32)
    arrays = {"bank": drawn, "channel_mean": mean, "channel_scale": scale}
    judge, heat = fitting.judge(arrays, method, extractor), extractor.view().heat
    best, rounds = math.inf, 0
    while rounds < _ROUNDS or (rounds < _MOST and limit < best < 2 * limit):
        start = clock.now_ns()
        heat(judge.judge(extractor.vectors([pictures[rounds % len(pictures)]])).distances)
        best, rounds = min(best, (clock.now_ns() - start) / clock.MS), rounds + 1
    return float(f"{best:.2g}")
