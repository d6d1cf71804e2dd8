"""PatchCore equals a plain slow reference written from the paper, for each of its scores."""

import numpy as np
import pytest

from inspectd.vision import scoring
from inspectd.vision.methods.patchcore import NEIGHBOURS, PatchCore
from tests.vision.methods.made import Told

RNG = np.random.default_rng(11)
D = 12
BANK = RNG.normal(size=(50, D)).astype(np.float32)
MEAN, SCALE = RNG.normal(size=D).astype(np.float32), RNG.uniform(0.5, 2, D).astype(np.float32)
VECTORS = RNG.normal(size=(3, 5, 4, D)).astype(np.float32) * 2
ARRAYS = {"bank": BANK, "channel_mean": MEAN, "channel_scale": SCALE}


def slow_distances():
    standard = ((VECTORS - MEAN) / SCALE).astype(float)
    return np.array([[[min(np.linalg.norm(v - b) for b in BANK) for v in row] for row in picture] for picture in standard])


def slow_equation_7(picture):
    """s = (1 - exp|m_test - m*| / sum over m in N_b(m*) of exp|m_test - m|) * |m_test - m*|."""
    patches = ((picture - MEAN) / SCALE).astype(float).reshape(-1, D)
    to_bank = np.linalg.norm(patches[:, None] - BANK[None], axis=2)
    farthest = to_bank.min(axis=1).argmax()
    nearest = to_bank[farthest].argmin()
    around = np.argsort(np.linalg.norm(BANK - BANK[nearest], axis=1))[:NEIGHBOURS]
    exps = np.exp(to_bank[farthest])
    return (1 - exps[nearest] / exps[around].sum()) * to_bank[farthest, nearest]


def test_distances_are_euclidean_to_the_nearest_in_the_standardised_space():
    assert PatchCore(Told(), ARRAYS).judge(VECTORS).distances == pytest.approx(slow_distances(), rel=1e-4)


def test_max_is_equation_6():
    judged = PatchCore(Told("max"), ARRAYS).judge(VECTORS)
    assert judged.scores == pytest.approx(slow_distances().max(axis=(1, 2)), rel=1e-4)


def test_eq7_is_equation_7():
    judged = PatchCore(Told("eq7"), ARRAYS).judge(VECTORS)
    assert judged.scores == pytest.approx([slow_equation_7(picture) for picture in VECTORS], rel=1e-4)


def test_smoothed_max_smooths_by_its_sigma():
    judged = PatchCore(Told(sigma=0.7), ARRAYS).judge(VECTORS)
    assert judged.scores.tolist() == scoring.smoothed_max(judged.distances, scoring.smoothing((5, 4), 0.7)).tolist()


@pytest.mark.parametrize("score", ["power_mean", "smoothed_max", "max", "eq7"])
def test_a_cell_that_is_not_judged_cannot_matter(score):
    judged = np.ones((5, 4), bool)
    judged[2, 1] = False
    other = VECTORS.copy()
    other[:, 2, 1] += 1000
    patchcore = PatchCore(Told(score), ARRAYS, judged)
    assert patchcore.judge(other).scores == pytest.approx(patchcore.judge(VECTORS).scores, rel=1e-6)
    assert (patchcore.judge(other).distances[:, 2, 1] == 0).all()


def test_a_part_that_is_in_the_bank_scores_0():
    vectors = BANK[:20].reshape(1, 5, 4, D) * SCALE + MEAN
    assert PatchCore(Told(), ARRAYS).judge(vectors).scores == pytest.approx([0], abs=1e-5)


def test_a_bank_smaller_than_the_neighbourhood_of_equation_7_serves():
    assert np.isfinite(PatchCore(Told("eq7"), ARRAYS | {"bank": BANK[:3]}).judge(VECTORS).scores).all()
