"""PatchCore (Roth et al., CVPR 2022): a part is as unusual as its patch farthest from all patches of good parts.

Arrays of a bundle: `bank` float32 [N,d], patch vectors of good parts, standardised; `channel_mean` and `channel_scale`
float32 [d], by which vectors are standardised: (v - mean) / scale; for the search `ivfpq` those of vision/ivfpq.py besides.
Distances are Euclidean, in the standardised space.
"""

import numpy as np
import numpy.typing as npt

from inspectd.vision import scoring
from inspectd.vision.ivfpq import IvfPq
from inspectd.vision.methods import F32, Arrays, Judged, Mask, Settings, summed_up
from inspectd.vision.neighbours import Neighbours, Searcher, standardise

NEIGHBOURS = 9  # b of equation 7, the neighbourhood of m* in the bank, itself included


class PatchCore:
    """One station's bank and how its distances become a score."""

    def __init__(self, settings: Settings, arrays: Arrays, judged: Mask | None = None) -> None:
        """`judged` [h,w] are the cells that count, None: all."""
        bank = arrays["bank"]
        self._neighbours: Searcher = IvfPq(bank, arrays) if settings.search == "ivfpq" else Neighbours(bank)
        self._standard = arrays["channel_mean"], arrays["channel_scale"]
        self._settings, self._judged = settings, judged

    def judge(self, vectors: F32) -> Judged:
        """Patch vectors [B,h,w,d] to distances [B,h,w] and scores [B]."""
        batch, h, w, d = vectors.shape
        found = self._neighbours.nearest(vectors.reshape(-1, d), self._standard)
        distances = found.distances.reshape(batch, h, w)
        if self._judged is not None:
            distances = distances * self._judged
        if self._settings.score == "eq7":
            nearest = found.indices.reshape(batch, -1)
            return Judged(distances, self._reweighted(distances, vectors.reshape(batch, -1, d), nearest))
        return Judged(distances, summed_up(distances, self._settings, self._judged))

    def _reweighted(self, distances: F32, vectors: F32, nearest: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Equation 7 of each picture, for its farthest patch: distances [B,h,w], vectors [B,h*w,d], nearest [B,h*w]."""
        flat = distances.reshape(len(distances), -1)
        picture, farthest = np.arange(len(flat)), flat.argmax(axis=1)
        around = self._neighbours.k_nearest(self._neighbours.bank[nearest[picture, farthest]], NEIGHBOURS).indices
        around[:, 0] = nearest[picture, farthest]  # m* is nearest to itself, or ties with its twin
        differences = standardise(vectors[picture, farthest], *self._standard)[:, None] - self._neighbours.bank[around]
        scores = map(scoring.reweighted, flat[picture, farthest].tolist(), np.linalg.norm(differences, axis=2))
        return np.array(list(scores), np.float64)
