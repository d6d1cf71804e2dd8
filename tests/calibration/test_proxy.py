"""Learnt proxies lie where the sum of distances is small: no step raises it, and clusters are found."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from calibration import coreset, proxy
from inspectd.errors import NotEnoughPictures

RNG = np.random.default_rng(2)
VECTORS = (RNG.normal(size=(8, 1, 5)) * 4 + RNG.normal(size=(8, 100, 5))).reshape(-1, 5).astype(np.float32)


def cost(vectors: np.ndarray, proxies: np.ndarray) -> float:
    return float(cdist(vectors, proxies).min(axis=1).sum())


def quiet(_done: int) -> None:
    pass


def test_no_round_raises_the_sum_of_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    """And all of them together lower it much."""
    costs = [cost(VECTORS, VECTORS[coreset.random(VECTORS, 24, 0, quiet)])]
    for rounds in range(1, 10):
        monkeypatch.setattr(proxy, "_ROUNDS", rounds)
        costs.append(cost(VECTORS, proxy.proxies(VECTORS, 24, 0, quiet)))
    assert (np.diff(costs) <= 1e-3 * costs[0]).all()
    assert costs[-1] < 0.9 * costs[0]


def test_it_is_about_as_good_as_scikit_learns_k_means() -> None:
    """Which minimises the sum of squares from the same beginning: by the sum of distances, ours is no worse."""
    begin = VECTORS[coreset.random(VECTORS, 24, 3, quiet)]
    theirs = KMeans(24, init=begin, n_init=1, max_iter=proxy._ROUNDS).fit(VECTORS).cluster_centers_
    assert cost(VECTORS, proxy.proxies(VECTORS, 24, 3, quiet)) <= 1.02 * cost(VECTORS, theirs)


def test_one_proxy_is_the_geometric_median(monkeypatch: pytest.MonkeyPatch) -> None:
    """On which outliers pull by their direction, not by their distance."""
    monkeypatch.setattr(proxy, "_ROUNDS", 100)
    points = np.array([[0, 0], [2, 0], [0, 2], [2, 2], [1, 1], [1000, 1000]], np.float32)
    found = proxy.proxies(points, 1, 0, quiet)[0]
    grid = np.stack(np.meshgrid(np.linspace(0, 3, 301), np.linspace(0, 3, 301)), axis=-1).reshape(-1, 2)
    assert cdist(points, found[None]).sum() <= 1.01 * cdist(points, grid).sum(axis=0).min()


def test_it_tells_the_count_and_the_seed_decides() -> None:
    """Repetitions among the vectors, and proxies that lose all their patches, do no harm."""
    told: list[int] = []
    repeated = np.repeat(VECTORS[:50], 4, axis=0)
    found = proxy.proxies(repeated, 100, 1, told.append)
    assert sum(told) == len(found) == 100
    assert np.isfinite(found).all()
    assert np.array_equal(found, proxy.proxies(repeated, 100, 1, quiet))
    assert not np.array_equal(found, proxy.proxies(repeated, 100, 2, quiet))


def test_more_proxies_than_vectors_are_refused() -> None:
    """As by the other samplers."""
    with pytest.raises(NotEnoughPictures, match="at least 801 patches"):
        proxy.proxies(VECTORS, 801, 0, quiet)
