"""PaDiM (Defard et al., 2020): every place of the picture has a Gaussian of its own, fitted to good parts.

Arrays of a bundle, h x w places, k of d channels: `channel_mean`, `channel_scale` [d], by which vectors are standardised;
`axes` [d,k], which reduce them (k channels drawn at random, or principal axes); `centre` [h,w,k], the Gaussians' means;
`whiten` [h,w,k,k], inverse Cholesky factors W of their covariances C, W'W = C⁻¹. All float32.

The Mahalanobis distance is then the length of W (x - centre): one batched product for all places and pictures.
"""

import numpy as np

from inspectd.errors import BadBundle
from inspectd.vision.methods import F32, Arrays, Judged, Mask, Settings, summed_up


class Padim:
    """One station's Gaussians and how their distances become a score."""

    def __init__(self, settings: Settings, arrays: Arrays, judged: Mask | None = None) -> None:
        """`judged` [h,w] are the cells that count, None: all."""
        self._settings, self._judged = settings, judged
        self._mean = arrays["channel_mean"]
        self._axes = arrays["axes"] / arrays["channel_scale"][:, None]
        self._grid, k = arrays["centre"].shape[:2], arrays["axes"].shape[1]
        self._centre = arrays["centre"].reshape(-1, k)
        self._whiten = arrays["whiten"].reshape(-1, k, k)

    def judge(self, vectors: F32) -> Judged:
        """Patch vectors [B,h,w,d] to distances [B,h,w] and scores [B]; BadBundle if h x w are not the Gaussians' places."""
        batch, h, w, d = vectors.shape
        if (h, w) != self._grid:
            places = " x ".join(map(str, self._grid))
            raise BadBundle(f"centre: expected Gaussians for {h} x {w} places, got {places}; calibrate again")
        away = (vectors.reshape(batch, -1, d) - self._mean) @ self._axes - self._centre
        white = self._whiten @ away.transpose(1, 2, 0)  # [h*w, k, B]
        distances = np.sqrt(np.einsum("pkb,pkb->bp", white, white)).reshape(batch, h, w)
        if self._judged is not None:
            distances = distances * self._judged
        return Judged(distances, summed_up(distances, self._settings, self._judged))
