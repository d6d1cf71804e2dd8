"""PaDiM's distances are SciPy's Mahalanobis distances, place by place."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from inspectd.errors import BadBundle
from inspectd.vision import scoring
from inspectd.vision.methods.padim import Padim
from tests.vision.methods.made import Told

RNG = np.random.default_rng(3)
GRID, D, K = (4, 3), 6, 4
MEAN, SCALE = RNG.normal(size=D).astype(np.float32), RNG.uniform(0.5, 2, D).astype(np.float32)
AXES = np.eye(D, dtype=np.float32)[:, [0, 2, 3, 5]]
CENTRE = RNG.normal(size=(*GRID, K)).astype(np.float32)
ROOTS = RNG.normal(size=(*GRID, K, K))
COVARIANCE = ROOTS @ ROOTS.transpose(0, 1, 3, 2) + np.eye(K)
WHITEN = np.linalg.inv(np.linalg.cholesky(COVARIANCE)).astype(np.float32)
ARRAYS = {"channel_mean": MEAN, "channel_scale": SCALE, "axes": AXES, "centre": CENTRE, "whiten": WHITEN}
VECTORS = RNG.normal(size=(5, *GRID, D)).astype(np.float32) * 3


def slow_distances():
    reduced = ((VECTORS - MEAN) / SCALE).astype(float)[..., [0, 2, 3, 5]]
    inverse = np.linalg.inv(COVARIANCE)
    return np.array(
        [[[mahalanobis(picture[r, c], CENTRE[r, c], inverse[r, c]) for c in range(3)] for r in range(4)] for picture in reduced]
    )


def test_distances_are_mahalanobis_to_each_places_own_gaussian():
    assert Padim(Told(), ARRAYS).judge(VECTORS).distances == pytest.approx(slow_distances(), rel=1e-4)


def test_the_score_is_the_largest_distance_smoothed_or_not():
    judged = Padim(Told(), ARRAYS).judge(VECTORS)
    assert judged.scores.tolist() == scoring.smoothed_max(judged.distances, scoring.smoothing(GRID, 1.0)).tolist()
    assert Padim(Told("max"), ARRAYS).judge(VECTORS).scores == pytest.approx(slow_distances().max(axis=(1, 2)), rel=1e-4)


def test_scores_do_not_depend_on_the_batch():
    padim = Padim(Told(), ARRAYS)
    alone = [padim.judge(one[None]).scores[0] for one in VECTORS]
    assert padim.judge(VECTORS).scores == pytest.approx(alone, rel=1e-5)


def test_a_cell_that_is_not_judged_cannot_matter():
    judged = np.ones(GRID, bool)
    judged[2, 1] = False
    other = VECTORS.copy()
    other[:, 2, 1] += 1000
    padim = Padim(Told(), ARRAYS, judged)
    assert padim.judge(other).scores == pytest.approx(padim.judge(VECTORS).scores, rel=1e-6)
    assert (padim.judge(other).distances[:, 2, 1] == 0).all()


def test_pictures_of_another_grid_are_refused():
    with pytest.raises(BadBundle, match="expected Gaussians for 3 x 4 places, got 4 x 3"):
        Padim(Told(), ARRAYS).judge(VECTORS.transpose(0, 2, 1, 3))
