"""SPADE finds what scikit-learn's nearest neighbours find, pictures first and patches among theirs."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from inspectd.vision.methods.spade import Spade
from tests.vision.methods.made import Told

RNG = np.random.default_rng(8)
GRID, D, N, K = (4, 3), 6, 20, 5
MEAN, SCALE = RNG.normal(size=D).astype(np.float32), RNG.uniform(0.5, 2, D).astype(np.float32)
PICTURES = (RNG.normal(size=(N, 12, D)) + RNG.normal(size=(N, 1, D))).astype(np.float32)
ARRAYS = {"channel_mean": MEAN, "channel_scale": SCALE, "pictures": PICTURES, "pooled": PICTURES.mean(axis=1)}
VECTORS = RNG.normal(size=(7, *GRID, D)).astype(np.float32) * 2


def slow(k=K, cells=range(12)):
    """Image distances [7] and patch distances [7,cells]."""
    cells = list(cells)
    standard = ((VECTORS - MEAN) / SCALE).reshape(7, 12, D)[:, cells].astype(float)
    far, which = NearestNeighbors(n_neighbors=k).fit(PICTURES[:, cells].mean(axis=1)).kneighbors(standard.mean(axis=1))
    maps = [
        NearestNeighbors(n_neighbors=1).fit(PICTURES[near][:, cells].reshape(-1, D)).kneighbors(patches)[0][:, 0]
        for near, patches in zip(which, standard, strict=True)
    ]
    return far.mean(axis=1), np.array(maps)


def test_patches_are_compared_with_those_of_the_retrieved_pictures_alone():
    distances = Spade(Told(retrieve=K), ARRAYS).judge(VECTORS).distances
    assert distances.reshape(7, 12) == pytest.approx(slow()[1], rel=1e-4)
    assert (slow()[1] > slow(N)[1] + 1e-6).any()  # else which are retrieved would not matter here


def test_the_score_image_is_the_mean_distance_to_the_retrieved_pictures():
    assert Spade(Told("image", retrieve=K), ARRAYS).judge(VECTORS).scores == pytest.approx(slow()[0], rel=1e-4)


def test_other_scores_come_from_the_map():
    assert Spade(Told("max", retrieve=K), ARRAYS).judge(VECTORS).scores == pytest.approx(slow()[1].max(axis=1), rel=1e-4)


def test_fewer_pictures_than_are_to_be_retrieved_are_all_compared_with():
    assert Spade(Told("image"), ARRAYS).judge(VECTORS).scores == pytest.approx(slow(N)[0], rel=1e-4)


@pytest.mark.parametrize("score", ["power_mean", "smoothed_max", "max", "image"])
def test_a_cell_that_is_not_judged_cannot_matter(score):
    judged = np.ones(GRID, bool)
    judged[2, 1] = False  # the eighth of twelve
    kept = [cell for cell in range(12) if cell != 7]
    arrays = ARRAYS | {"pictures": PICTURES[:, kept], "pooled": PICTURES[:, kept].mean(axis=1)}
    other = VECTORS.copy()
    other[:, 2, 1] += 1000
    spade = Spade(Told(score, retrieve=K), arrays, judged)
    assert spade.judge(other).scores == pytest.approx(spade.judge(VECTORS).scores, rel=1e-6)
    assert (spade.judge(other).distances[:, 2, 1] == 0).all()
    assert spade.judge(VECTORS).distances.reshape(7, 12)[:, kept] == pytest.approx(slow(cells=kept)[1], rel=1e-4)
