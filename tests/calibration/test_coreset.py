"""The coreset is that of the plain greedy algorithm, only sooner."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration import coreset
from inspectd.errors import NotEnoughPictures


def plain(vectors: NDArray[np.float32], count: int, seed: int) -> list[int]:
    """The textbook: one centre at a time, in float64; ties go to the lowest index."""
    exact = vectors.astype(np.float64)
    chosen = [int(np.random.default_rng(seed).integers(len(vectors)))]
    nearest = np.full(len(vectors), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((exact - exact[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    return chosen


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_selects_what_the_plain_algorithm_selects_with_all_its_ties(data: st.DataObject) -> None:
    """On small integers, where distances are exact and ties are many, the selection is the same, in the same order."""
    rows, width = data.draw(st.integers(2, 200)), data.draw(st.integers(1, 6))
    seed, span = data.draw(st.integers(0, 2**31 - 1)), data.draw(st.integers(1, 9))
    vectors = np.random.default_rng(seed).integers(-span, span + 1, (rows, width)).astype(np.float32)
    count = data.draw(st.integers(1, len(np.unique(vectors, axis=0))))
    assert coreset.greedy(vectors, count, seed).tolist() == plain(vectors, count, seed)


@pytest.mark.parametrize("pool", [1, 7, 64])
def test_selects_the_same_whatever_the_pool(pool: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools far smaller than the vectors, and blocks that cut centres and vectors unevenly, change nothing."""
    monkeypatch.setattr(coreset, "_POOL", pool)
    monkeypatch.setattr(coreset, "_ROWS", 33)
    monkeypatch.setattr(coreset, "_CENTRES", 5)
    rng = np.random.default_rng(pool)
    smooth = rng.standard_normal((500, 12)).astype(np.float32)
    coarse = rng.integers(-2, 3, (500, 4)).astype(np.float32)
    assert coreset.greedy(smooth, 120, 3).tolist() == plain(smooth, 120, 3)
    assert coreset.greedy(coarse, 120, 3).tolist() == plain(coarse, 120, 3)


def test_an_offset_common_to_all_vectors_changes_nothing() -> None:
    """Vectors far from the origin are chosen by their differences, not by rounding."""
    vectors = np.random.default_rng(1).integers(-50, 51, (400, 8)).astype(np.float32)
    assert coreset.greedy(vectors + 10_000, 100, 5).tolist() == coreset.greedy(vectors, 100, 5).tolist()


def test_several_rounds_of_several_thousand_vectors_agree_with_the_plain_algorithm() -> None:
    """With more vectors than the pool holds, many rounds give the plain selection."""
    vectors = np.random.default_rng(2).standard_normal((6000, 16)).astype(np.float32)
    assert coreset.greedy(vectors, 300, 9).tolist() == plain(vectors, 300, 9)


@pytest.mark.parametrize("sample", [coreset.greedy, coreset.random])
def test_the_seed_decides(sample) -> None:
    """The same seed gives the same choice, another seed another one; no vector is chosen twice."""
    vectors = np.random.default_rng(0).standard_normal((300, 5)).astype(np.float32)
    once = sample(vectors, 50, 1)
    assert once.dtype == np.int64
    assert len(set(once.tolist())) == 50
    assert once.tolist() == sample(vectors, 50, 1).tolist()
    assert once.tolist() != sample(vectors, 50, 2).tolist()


def test_more_centres_than_different_vectors_is_an_error_with_both_numbers() -> None:
    """Repetitions are not chosen; the message says how many differ and how many were asked for."""
    different = np.random.default_rng(0).standard_normal((20, 64)).astype(np.float32) * 3
    vectors = np.repeat(different, 10, axis=0)
    assert len(coreset.greedy(vectors, 20, 0)) == 20
    with pytest.raises(NotEnoughPictures, match="at least 21 different patches for the bank, got 20"):
        coreset.greedy(vectors, 21, 0)


@pytest.mark.parametrize("sample", [coreset.greedy, coreset.random])
def test_every_vector_chosen_is_told(sample) -> None:
    """A progress bar that counts what it is told ends at the count."""
    told: list[int] = []
    sample(np.random.default_rng(0).standard_normal((3000, 5)).astype(np.float32), 500, 1, told.append)
    assert sum(told) == 500


@pytest.mark.parametrize("sample", [coreset.greedy, coreset.random])
def test_more_centres_than_vectors_is_an_error(sample) -> None:
    """A bank larger than all patches together is refused."""
    with pytest.raises(NotEnoughPictures, match="at least 11 patches for the bank, got 10"):
        sample(np.zeros((10, 3), np.float32), 11, 0)


def test_vectors_that_are_not_finite_are_refused_with_their_row() -> None:
    """One NaN would otherwise be the farthest of all."""
    vectors = np.zeros((10, 3), np.float32)
    vectors[4, 1] = np.nan
    with pytest.raises(ValueError, match="row 4"):
        coreset.greedy(vectors, 2, 0)


def test_wrong_types_and_counts_are_refused() -> None:
    """float64 vectors would double the memory unseen; an empty bank is no bank."""
    with pytest.raises(ValueError, match="float32"):
        coreset.greedy(np.zeros((10, 3)), 2, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        coreset.greedy(np.zeros((10, 3), np.float32), 0, 0)


def test_memory_beside_the_vectors_stays_below_the_vectors() -> None:
    """60,000 vectors of 128 (31 MB) are chosen from with less than that in extra."""
    vectors = np.random.default_rng(0).standard_normal((60_000, 128)).astype(np.float32)
    tracemalloc.start()
    coreset.greedy(vectors, 600, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < vectors.nbytes
