"""Every way to search that this machine has finds what a plain double-precision search finds, however queries are batched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from inspectd.vision import neighbours, scan
from inspectd.vision.neighbours import Neighbours

WAYS = (*scan.ways(), "numpy")


def slow(bank, queries):
    """All distances [n,N], one pair at a time, in double precision."""
    return np.array([[np.sqrt(((q - b) ** 2).sum()) for b in bank.astype(float)] for q in queries.astype(float)])


@st.composite
def searches(draw):
    """Banks with what tempts a bound: twins, constant and dominant channels, outliers; queries that are in the bank, or far."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size, count = draw(st.one_of(st.integers(1, 70), st.just(300))), draw(st.integers(1, 20))
    d = draw(st.one_of(st.integers(1, 40), st.integers(60, 70), st.just(152)))
    far = draw(st.sampled_from([0.0, 1.0, 100.0]))  # from the origin, where the product loses digits
    spread = np.where(rng.random(d) < draw(st.sampled_from([0.0, 0.5, 1.0])), draw(st.sampled_from([0.0, 0.01, 10.0])), 1.0)
    bank = (rng.normal(size=(size, d)) * spread + far).astype(np.float32)
    bank[rng.integers(size)] *= draw(st.sampled_from([1.0, 100.0]))  # an outlier
    bank[rng.integers(size)] = bank[0]  # a twin
    queries = (rng.normal(size=(count, d)) * spread + far).astype(np.float32)
    queries[-1] *= draw(st.sampled_from([1.0, 30.0]))
    queries[0] = bank[rng.integers(size)]  # an exact hit
    return bank, queries


def rounding(bank, queries):
    """Within what float32 lets one tell of distances of these vectors from the squares of their lengths."""
    centre = bank.mean(axis=0)
    longest = np.linalg.norm(bank - centre, axis=1).max() + np.linalg.norm(queries - centre, axis=1)
    return 1e-3 * longest


@pytest.mark.parametrize("by", WAYS)
@settings(max_examples=60, deadline=None)
@given(search=searches())
def test_the_nearest_is_the_nearest(by, search):
    bank, queries = search
    expected = slow(bank, queries)
    found = Neighbours(bank, by).nearest(queries)
    assert (np.abs(found.distances - expected.min(axis=1)) <= rounding(bank, queries)).all()
    assert found.distances == pytest.approx(expected[np.arange(len(queries)), found.indices], rel=1e-5, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(searches(), st.integers(1, 70))
def test_the_k_nearest_come_in_order(search, k):
    bank, queries = search
    expected = np.sort(slow(bank, queries), axis=1)[:, :k]
    found = Neighbours(bank).k_nearest(queries, k)
    assert (np.abs(found.distances - expected) <= rounding(bank, queries)[:, None]).all()
    assert (np.diff(found.distances, axis=1) >= 0).all()
    assert all(len(set(row)) == len(row) for row in found.indices.tolist())


@pytest.mark.parametrize("by", WAYS)
def test_a_vector_of_the_bank_is_at_distance_0(by):
    bank = np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32) + 10
    found = Neighbours(bank, by).nearest(bank)
    assert (found.distances == 0).all()
    assert found.indices.tolist() == list(range(500))


@pytest.mark.parametrize("by", WAYS)
def test_results_do_not_depend_on_how_queries_are_batched(by, monkeypatch):
    rng = np.random.default_rng(1)
    bank, queries = rng.normal(size=(300, 32)).astype(np.float32), rng.normal(size=(100, 32)).astype(np.float32)
    search = Neighbours(bank, by)
    at_once = search.nearest(queries)
    one_by_one = [search.nearest(query[None]).distances[0] for query in queries]
    monkeypatch.setattr(neighbours, "_BLOCK", 1000)
    in_blocks = search.nearest(queries)
    assert at_once.distances == pytest.approx(one_by_one, rel=1e-6)
    assert at_once.distances == pytest.approx(in_blocks.distances, rel=1e-6)


@pytest.mark.parametrize("by", WAYS)
@settings(max_examples=20, deadline=None)
@given(search=searches(), seed=st.integers(0, 2**32 - 1))
def test_queries_that_are_still_to_be_standardised_find_what_they_find_afterwards(by, search, seed):
    """To the bit, also of an odd number of queries and of more than a thread takes at a time."""
    bank, queries = search
    rng = np.random.default_rng(seed)
    raw = np.concatenate([queries] * 7 + [queries[:1]])
    standard = rng.normal(size=bank.shape[1]).astype(np.float32), rng.uniform(0.5, 2, bank.shape[1]).astype(np.float32)
    found = Neighbours(bank, by).nearest(raw, standard)
    expected = Neighbours(bank, by).nearest((raw - standard[0]) / standard[1])
    assert (found.distances == expected.distances).all()
    assert (found.indices == expected.indices).all()


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_distance_that_is_not_finite_is_told_and_the_others_are_found(by, value):
    rng = np.random.default_rng(2)
    bank, queries = rng.normal(size=(300, 80)).astype(np.float32), rng.normal(size=(9, 80)).astype(np.float32)
    expected = Neighbours(bank, by).nearest(queries)
    queries[4, 3] = value
    with np.errstate(over="ignore", invalid="ignore"):
        found = Neighbours(bank, by).nearest(queries)
    others = np.arange(9) != 4
    assert not np.isfinite(found.distances[4])
    assert found.distances[others] == pytest.approx(expected.distances[others], rel=1e-6)


@pytest.mark.parametrize("by", WAYS)
def test_no_queries_find_nothing(by):
    assert Neighbours(np.ones((3, 4), np.float32), by).nearest(np.empty((0, 4), np.float32)).distances.shape == (0,)


def test_this_machine_searches_by_its_best_way():
    assert neighbours.way() == WAYS[0]


@pytest.mark.parametrize(("way", "threads"), [("vnni", 1), ("avx2", 1), ("numpy", 2)])
def test_where_the_compiled_search_works_matrix_products_start_no_second_thread(monkeypatch, way, threads):
    """It would spin on the core that the backbone wants next; NumPy's search is all products and may use what it was given."""
    monkeypatch.setattr(neighbours, "way", lambda: way)
    try:
        neighbours.use_threads(2)
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {threads}
        assert neighbours.threads() == 2
    finally:
        neighbours.use_threads(1)
