"""The compiled search is exact to the last bit that float32 tells, and looks at few vectors in full to know it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspectd.vision import neighbours, scan
from inspectd.vision.neighbours import Neighbours
from inspectd.vision.scan import Scan

WAYS = scan.ways()


def patches(count, seed, d=152):
    """Vectors that correlate as patch vectors do: most of their spread lies in few directions."""
    mixing = np.random.default_rng(0).normal(size=(d, d)) * np.exp(-np.arange(d) / 15)[:, None]
    return (np.random.default_rng(seed).normal(size=(count, d)) @ mixing).astype(np.float32)


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), size=st.sampled_from([1, 15, 64, 65, 2049]),
    count=st.sampled_from([1, 7, 8, 9, 65]), d=st.sampled_from([1, 15, 16, 62, 63, 64, 65, 152, 300]),
    scale=st.sampled_from([1e-25, 1e-6, 1.0, 1e6, 1e12]),
)  # fmt: skip
def test_no_vector_of_the_bank_is_nearer_than_the_one_that_was_found(way, seed, size, count, d, scale):
    bank, queries = patches(size, seed, d) * np.float32(scale), patches(count, seed + 1, d) * np.float32(scale)
    found = Scan(bank, way).nearest(queries)
    squares = (
        (queries.astype(float) ** 2).sum(1)[:, None] + (bank.astype(float) ** 2).sum(1) - 2 * queries.astype(float) @ bank.T
    )
    nearest = np.sqrt(np.maximum(squares, 0).min(axis=1))
    itself = np.linalg.norm(queries.astype(float) - bank[found.indices], axis=1)
    assert itself == pytest.approx(nearest, rel=2e-6, abs=max(scale * 1e-6, 1e-18))  # squares of less are no float32
    assert found.distances == pytest.approx(itself, rel=2e-6, abs=1e-18)


@pytest.mark.parametrize("way", WAYS)
def test_of_equal_vectors_the_first_is_found(way):
    some = patches(700, 1)
    found = Scan(np.concatenate([some, some[::-1], some]), way).nearest(some)
    assert found.indices.tolist() == list(range(700))


@pytest.mark.parametrize("way", WAYS)
def test_few_vectors_are_compared_in_full(way):
    found = Scan(patches(3000, 1), way).nearest(patches(500, 2))
    assert found.compared < 0.02 * 500 * 3000


@pytest.mark.parametrize("way", WAYS)
def test_one_outlier_in_the_bank_does_not_blunt_the_codes_of_the_others(way):
    bank = patches(3000, 1)
    bank[77] *= 10_000
    found = Scan(bank, way).nearest(patches(500, 2))
    assert found.compared < 0.04 * 500 * 3000


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cache", [scan._CACHE, 0])
def test_threads_change_nothing(way, cache, monkeypatch):
    """Nor how many queries each takes at a time, which the size of the bank decides."""
    monkeypatch.setattr(scan, "_CACHE", cache)
    search, queries = Scan(patches(3000, 1), way), patches(1000, 2)
    alone = search.nearest(queries)
    try:
        for threads in (2, 3, 2):
            neighbours.use_threads(threads)
            together = search.nearest(queries)
            assert (together.distances == alone.distances).all()
            assert (together.indices == alone.indices).all()
            assert together.compared == alone.compared
    finally:
        neighbours.use_threads(1)


def test_a_bank_whose_squares_float32_cannot_hold_is_left_to_numpy():
    bank = patches(50, 1)
    assert scan.codable(bank)
    for value in (np.nan, np.inf, 1e18):
        bank[3, 3] = value
        assert not scan.codable(bank)
        assert Neighbours(bank).way == "numpy"


@pytest.mark.parametrize("library", [None, b"no library"])
def test_without_a_usable_library_numpy_searches(library, tmp_path):
    """As after an install without a compiler, or on another kind of machine."""
    (tmp_path / "scan.py").write_bytes(Path(scan.__file__).read_bytes())
    for suffix in scan.EXTENSION_SUFFIXES:
        if library:
            (tmp_path / f"_scan{suffix}").write_bytes(library)
    command = [sys.executable, "-c", "import scan; print(scan.ways())"]
    assert subprocess.check_output(command, cwd=tmp_path, text=True) == "()\n"
