"""Merging and reducing covers all vectors nearly as well as greedy selection that sees them all, in bounded memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration import coreset, stream
from calibration.stream import Stream

Floats = NDArray[np.float32]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees of several levels from a few hundred vectors."""
    monkeypatch.setattr(stream, "_LEAST", 16)
    monkeypatch.setattr(stream, "FAN", 4)


def streamed(vectors: Floats, budget: int, pieces: int = 1, scale: Floats | None = None, seed: int = 0) -> Floats:
    held = Stream(budget, np.ones(vectors.shape[1], np.float32) if scale is None else scale, seed)
    for piece in np.array_split(vectors, pieces):
        held.add(piece)
    return held.coreset()


def radius(vectors: Floats, centres: Floats) -> float:
    """Largest distance of a vector to its nearest centre, in float64."""
    apart = (vectors.astype(np.float64)[:, None] - centres.astype(np.float64)[None]) ** 2
    return float(np.sqrt(apart.sum(axis=2).min(axis=1).max()))


def rows(vectors: Floats) -> set[bytes]:
    return {vector.tobytes() for vector in vectors}


@settings(max_examples=40, deadline=None, suppress_health_check=[])
@given(st.data())
def test_a_bank_from_the_coreset_covers_within_the_factor_that_is_proven(data: st.DataObject) -> None:
    """2 (L + 1) times the radius of greedy over all vectors, whatever the vectors, their order, budget and bank."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31 - 1)))
    count, width = data.draw(st.integers(2, 400)), data.draw(st.integers(1, 4))
    clusters = rng.normal(0, data.draw(st.sampled_from([0.1, 10.0])), (count, width)) * rng.integers(0, 4, (count, 1))
    vectors = (clusters + rng.normal(0, 1, (count, width))).astype(np.float32)
    budget = data.draw(st.integers(1, count))
    bank = data.draw(st.integers(1, budget))
    found = streamed(vectors, budget, data.draw(st.integers(1, 9)))
    kept = min(bank, len(found))
    from_stream = found[coreset.cover(found, kept, 0)]
    whole = vectors[coreset.cover(vectors, kept, 0)]
    factor = 2 * (stream.levels(count, budget) + 1)
    assert radius(vectors, from_stream) <= factor * radius(vectors, whole) + 1e-4


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(1, 300), st.integers(1, 60), st.integers(1, 12))
def test_whatever_comes_in_whatever_order_what_is_kept_came_in(seed: int, count: int, budget: int, pieces: int) -> None:
    """Bit by bit, each at most as often as it came, `budget` of them; the same again gives the same."""
    vectors = np.random.default_rng(seed).integers(-3, 4, (count, 3)).astype(np.float32)
    found = streamed(vectors, budget, pieces)
    assert rows(found) <= rows(vectors)
    assert len(found) <= max(budget, 1)
    if count <= budget:
        assert np.array_equal(found, vectors)
    elif len(rows(vectors)) > budget:
        assert len(found) >= min(budget, 16)
    assert np.array_equal(found, streamed(vectors, budget, pieces))


def test_how_the_vectors_are_cut_does_not_matter_but_their_order_and_the_seed_do() -> None:
    """Chunks are of a fixed size, however many vectors come at a time."""
    vectors = np.random.default_rng(3).standard_normal((500, 4)).astype(np.float32)
    assert np.array_equal(streamed(vectors, 20, 1), streamed(vectors, 20, 37))
    assert not np.array_equal(streamed(vectors, 20), streamed(vectors, 20, seed=1))
    assert rows(streamed(vectors[::-1].copy(), 20)) != rows(streamed(vectors, 20))


def test_distances_are_those_of_the_scaled_vectors() -> None:
    """A channel of a thousand times the scale of the other would decide alone; divided by it, both count."""
    plain = np.random.default_rng(4).standard_normal((400, 2)).astype(np.float32)
    scale = np.array([1024, 1], np.float32)
    assert np.array_equal(streamed(plain * scale, 25, scale=scale), streamed(plain, 25) * scale)
    assert not np.array_equal(streamed(plain * scale, 25), streamed(plain, 25) * scale)


def test_repetitions_do_not_crowd_others_out() -> None:
    """Of 300 vectors of which 7 differ, all 7 are among the 20 that are kept at most."""
    vectors = np.repeat(np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32), 43, axis=0)
    found = streamed(vectors, 20)
    assert rows(found) == rows(vectors)
    assert len(found) <= 20


def test_of_nothing_nothing_is_kept() -> None:
    """And nothing fails."""
    assert streamed(np.empty((0, 3), np.float32), 5).shape == (0, 3)


def test_on_data_like_patches_it_covers_within_a_fifth_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 vectors of 16 dimensions in clusters, 200 centres, two levels; the mean growth of the radius over three seeds."""
    monkeypatch.setattr(stream, "FAN", 16)
    grown = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        vectors = (rng.standard_normal((60, 16))[rng.integers(0, 60, 20_000)] * 2 + rng.standard_normal((20_000, 16))).astype(
            "f4"
        )
        found = streamed(vectors, 200, 5)
        whole = vectors[coreset.greedy(vectors, 200, 0)]
        grown.append(radius(vectors, found) / radius(vectors, whole))
    assert stream.levels(20_000, 200) == 2
    assert np.mean(grown) < 1.2


def test_memory_does_not_grow_with_the_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the vectors, the same peak but for one level more: 8,000 of 32 held at a time (1 MB), a million taken in."""
    monkeypatch.setattr(stream, "FAN", 16)

    def peak(chunks: int) -> int:
        held, rng = Stream(500, np.ones(32, np.float32), 0), np.random.default_rng(0)
        tracemalloc.start()
        for _ in range(chunks):
            held.add(rng.standard_normal((4_000, 32)).astype(np.float32))
        held.coreset()
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return taken

    few, many = peak(8), peak(80)
    chunk = stream.chunk(500) * 32 * 4
    assert few > 2 * chunk
    assert many < few + 2 * chunk


@pytest.mark.parametrize(("vectors", "budget", "expected"), [(10, 5, 1), (20, 5, 1), (21, 5, 1), (80, 5, 1), (1000, 5, 3)])
def test_levels_are_counted_as_they_come(vectors: int, budget: int, expected: int) -> None:
    """One for all that fits a chunk; with 20 a chunk and 5 kept of each, 1,000 make 50 chunks, 13 and 4 and 1."""
    held = Stream(budget, np.ones(2, np.float32), 0)
    held.add(np.random.default_rng(0).standard_normal((vectors, 2)).astype(np.float32))
    held.coreset()
    assert len(held._levels) <= stream.levels(vectors, budget) + 1
    assert stream.levels(vectors, budget) >= expected
