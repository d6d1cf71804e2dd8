"""SPADE (Cohen & Hoshen, 2020): the good pictures most like a part are looked up, and its patches compared with theirs.

Arrays of a bundle, N good pictures of P judged patches: `channel_mean`, `channel_scale` [d], by which vectors are
standardised; `pictures` [N,P,d], the patch vectors; `pooled` [N,d], each picture's mean. All float32.

The score `image` is the paper's: the mean distance of the pooled vectors to those of the retrieved pictures. The others are
taken from the map of patch distances.
"""

import numpy as np

from inspectd.vision.methods import F32, Arrays, Judged, Mask, Settings, summed_up
from inspectd.vision.neighbours import Neighbours, standardise


class Spade:
    """One station's good pictures and how distances to them become a score."""

    def __init__(self, settings: Settings, arrays: Arrays, judged: Mask | None = None) -> None:
        """`judged` [h,w] are the cells that count, None: all."""
        self._settings, self._judged = settings, judged
        self._mean, self._scale = arrays["channel_mean"], arrays["channel_scale"]
        self._pictures = arrays["pictures"]
        self._half_norms = np.einsum("npd,npd->np", self._pictures, self._pictures) / 2
        self._pooled = Neighbours(arrays["pooled"])

    def judge(self, vectors: F32) -> Judged:
        """Patch vectors [B,h,w,d] to distances [B,h,w] and scores [B]."""
        standard = standardise(vectors, self._mean, self._scale)
        everywhere = np.ones(vectors.shape[1:3], np.bool_) if self._judged is None else self._judged
        queries = standard[:, everywhere]  # [B,P,d]
        found = self._pooled.k_nearest(queries.mean(axis=1), self._settings.retrieve)
        distances = np.zeros(vectors.shape[:3], np.float32)
        for picture, patches in enumerate(queries):
            distances[picture, everywhere] = self._nearest(patches, found.indices[picture].tolist())
        if self._settings.score == "image":
            return Judged(distances, found.distances.mean(axis=1, dtype=np.float64))
        return Judged(distances, summed_up(distances, self._settings, self._judged))

    def _nearest(self, patches: F32, retrieved: list[int]) -> F32:
        """Distance of each patch [P,d] to the nearest patch of the retrieved pictures, one picture's products at a time.

        The nearest b has the largest q·b - |b|²/2; its distance comes from the difference itself, which loses no digits.
        """
        best = np.full(len(patches), -np.inf, np.float32)
        nearest = np.empty_like(patches)
        for one in retrieved:
            closeness = patches @ self._pictures[one].T - self._half_norms[one]
            at = closeness.argmax(axis=1)
            value = closeness[np.arange(len(patches)), at]
            better = value > best
            best[better], nearest[better] = value[better], self._pictures[one][at[better]]
        difference: F32 = patches - nearest
        return np.asarray(np.sqrt(np.einsum("pd,pd->p", difference, difference)))
