"""PaDiM's Gaussians are NumPy's mean and covariance, its axes scikit-learn's, in memory that pictures do not raise."""

import tracemalloc
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn.decomposition import PCA

from calibration import fitting, gaussians
from calibration.features import Extractor, Features
from inspectd.station.schema import Method
from inspectd.vision.neighbours import standardise
from tests.calibration import parts

RNG = np.random.default_rng(4)
PADIM = msgspec.structs.replace(parts.METHOD, kind="padim", channels=20)


def fitted_to(vectors: np.ndarray, regularisation: float, at_a_time: int) -> tuple[np.ndarray, np.ndarray]:
    moments = gaussians.Moments(vectors.shape[1], vectors.shape[2])
    for start in range(0, len(vectors), at_a_time):
        moments.add(vectors[start : start + at_a_time])
    return moments.gaussians(regularisation)


@pytest.mark.parametrize("at_a_time", [1, 7, 40])
@pytest.mark.parametrize("offset", [0, 1000])
def test_every_place_has_the_mean_and_covariance_of_its_own_vectors(at_a_time: int, offset: int) -> None:
    """However they came, and however far from zero they lie: W'W is the inverse of NumPy's covariance plus 0.01 I."""
    mixing = RNG.normal(size=(70, 6, 6))  # more places than are factorised at a time
    vectors = (np.einsum("nps,psd->npd", RNG.normal(size=(40, 70, 6)), mixing) + offset).astype(np.float32)
    centre, whiten = fitted_to(vectors, 0.01, at_a_time)
    assert centre == pytest.approx(vectors.mean(axis=0, dtype=np.float64), abs=1e-4 * max(1, offset / 100))
    for place in range(70):
        covariance = np.cov(vectors[:, place], rowvar=False, dtype=np.float64) + 0.01 * np.eye(6)
        root = whiten[place].astype(float)
        assert root @ covariance @ root.T == pytest.approx(np.eye(6), abs=2e-2)
        assert (np.triu(root, 1) == 0).all()


def test_fewer_pictures_than_channels_have_a_gaussian() -> None:
    """The regularisation alone spans what the pictures do not."""
    _, whiten = fitted_to(RNG.normal(size=(3, 2, 10)).astype(np.float32), 0.01, 3)
    assert np.isfinite(whiten).all()
    assert np.linalg.norm(whiten, 2, axis=(1, 2)) == pytest.approx([10, 10], rel=1e-3)  # 1 / sqrt(0.01)


def test_principal_axes_are_scikit_learns() -> None:
    """Up to their signs, in the same order."""
    vectors = (RNG.normal(size=(500, 8)) @ RNG.normal(size=(8, 8))).astype(np.float32)
    wanted = PCA(3).fit(vectors).components_.T
    assert np.abs((gaussians.principal(vectors, 3) * wanted).sum(axis=0)) == pytest.approx(np.ones(3), abs=1e-4)


def test_more_pictures_need_no_more_memory() -> None:
    """Four times the pictures, the same peak: only sums are kept."""

    def peak(pictures: int) -> int:
        rng = np.random.default_rng(0)
        tracemalloc.start()
        moments = gaussians.Moments(64, 40)
        for _ in range(pictures // 8):
            moments.add(rng.standard_normal((8, 64, 40), np.float32))
        moments.gaussians(0.01)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(128) < 1.05 * peak(32)


@pytest.fixture
def features(extractor: Extractor, tmp_path: Path) -> Features:
    return Features(extractor, parts.samples(parts.good_folder(tmp_path / "good", 35)), 0, lambda _done: None)


@pytest.mark.parametrize("reduction", ["random", "pca"])
def test_a_fit_is_that_of_its_pictures_vectors(features: Features, reduction: str) -> None:
    """Judged by the Gaussians, pictures are as far off as by covariances worked out from all vectors at once."""
    method = msgspec.structs.replace(PADIM, reduction=reduction)
    told: list[int] = []
    members = np.arange(34)
    fitted = fitting.fit(features, members, method, 1, told.append)
    assert sum(told) == fitting.steps(features, len(members), method) == 34
    assert fitted["axes"].shape == (152, 20)
    standard = standardise(features.vectors(members), fitted["channel_mean"], fitted["channel_scale"]) @ fitted["axes"]
    seen = standardise(features.vectors(np.array([34])), fitted["channel_mean"], fitted["channel_scale"]) @ fitted["axes"]
    judged = fitting.judge(fitted, method, features.extractor).judge(features.vectors(np.array([34])))
    for place in [(0, 0), (3, 5), (7, 7)]:
        there = standard[:, *place].astype(float)
        covariance = np.cov(there, rowvar=False) + 0.01 * np.eye(20)
        away = seen[0, *place] - there.mean(axis=0)
        assert judged.distances[0, *place] == pytest.approx(np.sqrt(away @ np.linalg.solve(covariance, away)), rel=1e-3)


def test_the_seed_draws_the_channels(features: Features) -> None:
    """Each axis is one channel, all are different, and another seed draws others; more than there are: all of them."""

    def axes(method: Method, seed: int) -> np.ndarray:
        return fitting.fit(features, np.arange(10), method, seed, lambda _done: None)["axes"]

    drawn = axes(PADIM, 0)
    assert (drawn.sum(axis=0) == 1).all()
    assert drawn.sum(axis=1).max() == 1
    assert np.array_equal(drawn, axes(PADIM, 0))
    assert not np.array_equal(drawn, axes(PADIM, 1))
    assert np.array_equal(axes(msgspec.structs.replace(PADIM, channels=999), 0), np.eye(152))
