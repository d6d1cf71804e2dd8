"""The search finds what a plain double-precision search finds, however queries are batched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspectd.vision import neighbours
from inspectd.vision.neighbours import Neighbours


def slow(bank, queries):
    """All distances [n,N], one pair at a time, in double precision."""
    return np.array([[np.sqrt(((q - b) ** 2).sum()) for b in bank.astype(float)] for q in queries.astype(float)])


@st.composite
def searches(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size, count, d = draw(st.integers(1, 60)), draw(st.integers(1, 20)), draw(st.integers(1, 40))
    far = draw(st.sampled_from([0.0, 1.0, 100.0]))  # from the origin, where the product loses digits
    bank = (rng.normal(size=(size, d)) + far).astype(np.float32)
    queries = (rng.normal(size=(count, d)) + far).astype(np.float32)
    queries[0] = bank[rng.integers(size)]  # an exact hit
    return bank, queries


def close(distances, d):
    """Within what float32 lets one tell of squared distances between vectors of d values of spread 1."""
    return pytest.approx(distances, rel=1e-4, abs=float(np.sqrt(1e-6 * d)))


@settings(max_examples=60, deadline=None)
@given(searches())
def test_the_nearest_is_the_nearest(search):
    bank, queries = search
    expected = slow(bank, queries)
    found = Neighbours(bank).nearest(queries)
    assert found.distances == close(expected.min(axis=1), bank.shape[1])
    assert found.distances == pytest.approx(expected[np.arange(len(queries)), found.indices], rel=1e-5, abs=1e-6)
    assert found.distances[0] < 1e-2  # the exact hit


@settings(max_examples=60, deadline=None)
@given(searches(), st.integers(1, 70))
def test_the_k_nearest_come_in_order(search, k):
    bank, queries = search
    expected = np.sort(slow(bank, queries), axis=1)[:, :k]
    found = Neighbours(bank).k_nearest(queries, k)
    assert found.distances == close(expected, bank.shape[1])
    assert (np.diff(found.distances, axis=1) >= 0).all()
    assert all(len(set(row)) == len(row) for row in found.indices.tolist())


def test_a_vector_of_the_bank_is_at_distance_0():
    bank = np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32) + 10
    found = Neighbours(bank).nearest(bank)
    assert (found.distances == 0).all()
    assert found.indices.tolist() == list(range(500))


def test_results_do_not_depend_on_how_queries_are_batched(monkeypatch):
    rng = np.random.default_rng(1)
    bank, queries = rng.normal(size=(300, 32)).astype(np.float32), rng.normal(size=(100, 32)).astype(np.float32)
    at_once = Neighbours(bank).nearest(queries)
    one_by_one = [Neighbours(bank).nearest(query[None]).distances[0] for query in queries]
    monkeypatch.setattr(neighbours, "_BLOCK", 1000)
    in_blocks = Neighbours(bank).nearest(queries)
    assert at_once.distances == pytest.approx(one_by_one, rel=1e-6)
    assert at_once.distances == pytest.approx(in_blocks.distances, rel=1e-6)


def test_no_queries_find_nothing():
    assert Neighbours(np.ones((3, 4), np.float32)).nearest(np.empty((0, 4), np.float32)).distances.shape == (0,)
