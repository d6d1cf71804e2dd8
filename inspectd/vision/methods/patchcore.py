"""PatchCore (Roth et al., CVPR 2022): a part is as unusual as its patch farthest from all patches of good parts.

Arrays of a bundle: `bank` float32 [N,d], patch vectors of good parts, standardised; `channel_mean` and `channel_scale`
float32 [d], by which vectors are standardised: (v - mean) / scale. Distances are Euclidean, in the standardised space.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from inspectd.vision import scoring
from inspectd.vision.bundle import Member
from inspectd.vision.methods import Judged
from inspectd.vision.neighbours import Neighbours

F32 = npt.NDArray[np.float32]
Score = Literal["smoothed_max", "max", "eq7"]

NEIGHBOURS = 9  # b of equation 7, the neighbourhood of m* in the bank, itself included


def standardise(vectors: F32, mean: F32, scale: F32) -> F32:
    """Bring patch vectors [..., d] to mean 0 and spread 1 per channel, as they are in the bank."""
    return (vectors - mean) / scale


class PatchCore:
    """One station's bank and how its distances become a score."""

    def __init__(
        self, bank: F32, mean: F32, scale: F32, score: Score = "smoothed_max", sigma: float = 1.0,
        judged: npt.NDArray[np.bool_] | None = None,
    ) -> None:  # fmt: skip
        """`bank` [N,d] is standardised; `judged` [h,w] are the cells that count, None: all."""
        self._neighbours = Neighbours(bank)
        self._mean, self._scale = mean, scale
        self._score, self._sigma = score, sigma
        self._judged = judged

    @classmethod
    def of(cls, member: Member, arrays: Mapping[str, npt.NDArray[Any]], judged: npt.NDArray[np.bool_] | None) -> "PatchCore":
        """Make it from a bundle's member and arrays."""
        bank, mean, scale = (arrays[member.arrays[name]] for name in ("bank", "channel_mean", "channel_scale"))
        return cls(bank, mean, scale, member.score, member.sigma, judged)

    def judge(self, vectors: F32) -> Judged:
        """Patch vectors [B,h,w,d] to distances [B,h,w] and scores [B]."""
        batch, h, w, d = vectors.shape
        queries = standardise(vectors, self._mean, self._scale).reshape(-1, d)
        found = self._neighbours.nearest(queries)
        distances = found.distances.reshape(batch, h, w)
        if self._judged is not None:
            distances = distances * self._judged
        if self._score == "smoothed_max":
            return Judged(distances, scoring.smoothed_max(distances, scoring.smoothing((h, w), self._sigma), self._judged))
        if self._score == "max":
            return Judged(distances, scoring.maximum(distances))
        return Judged(distances, self._reweighted(distances, queries.reshape(batch, -1, d), found.indices.reshape(batch, -1)))

    def _reweighted(self, distances: F32, queries: F32, nearest: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Equation 7 of each picture, for its farthest patch: distances [B,h,w], queries [B,h*w,d], nearest [B,h*w]."""
        flat = distances.reshape(len(distances), -1)
        picture, farthest = np.arange(len(flat)), flat.argmax(axis=1)
        around = self._neighbours.k_nearest(self._neighbours.bank[nearest[picture, farthest]], NEIGHBOURS).indices
        around[:, 0] = nearest[picture, farthest]  # m* is nearest to itself, or ties with its twin
        differences = queries[picture, farthest][:, None] - self._neighbours.bank[around]
        scores = map(scoring.reweighted, flat[picture, farthest].tolist(), np.linalg.norm(differences, axis=2))
        return np.array(list(scores), np.float64)
