"""IVF-PQ tells true distances to bank vectors, nearly always to the nearest; and what is no index of a bank is refused."""

import sys

import numpy as np
import pytest

from inspectd.errors import BadBundle, MissingExtra, NotEnoughPictures
from inspectd.vision import ivfpq, neighbours
from inspectd.vision.ivfpq import LEAST, IvfPq
from inspectd.vision.methods.patchcore import PatchCore
from inspectd.vision.neighbours import Neighbours
from tests.vision.methods.made import Told

D = 10  # not a multiple of four: few, so that an index is trained in a second


def like_patches(count, seed):
    """Vectors as patches of parts give them: many kinds of place, few directions in which each varies."""
    rng = np.random.default_rng(seed)
    places, directions = np.random.default_rng(7).normal(size=(2, 60, D)) * [[[2.0]], [[1.0]]]
    at = rng.integers(60, size=count)
    along = rng.normal(size=(count, 4)) @ directions[:4]
    return (places[at] + along + rng.normal(0, 0.1, (count, D))).astype(np.float32)


BANK, QUERIES = like_patches(LEAST, 1), like_patches(2000, 2)


@pytest.fixture(scope="module")
def arrays():
    return ivfpq.train(BANK, 3)


@pytest.fixture(scope="module")
def search(arrays):
    return IvfPq(BANK, arrays)


def test_a_distance_is_that_to_the_vector_it_names(search):
    found = search.nearest(QUERIES)
    true = np.linalg.norm(QUERIES.astype(float) - BANK[found.indices], axis=1)
    assert found.distances == pytest.approx(true, rel=1e-5)


def test_the_nearest_is_found_for_98_of_100_queries_and_a_distance_is_never_too_small(search):
    found, exact = search.nearest(QUERIES), Neighbours(BANK).nearest(QUERIES)
    assert (found.indices == exact.indices).mean() > 0.98
    assert (found.distances >= exact.distances * (1 - 1e-6)).all()


def test_the_k_nearest_come_in_order_each_once_and_are_mostly_the_nearest(search):
    found, exact = search.k_nearest(QUERIES[:200], 9), Neighbours(BANK).k_nearest(QUERIES[:200], 9)
    assert (np.diff(found.distances, axis=1) >= 0).all()
    assert all(len(set(row)) == 9 for row in found.indices.tolist())
    common = [len(set(ours) & set(theirs)) for ours, theirs in zip(found.indices.tolist(), exact.indices.tolist(), strict=True)]
    assert np.mean(common) > 0.95 * 9


def test_results_do_not_depend_on_batches_and_threads(search, monkeypatch):
    at_once = search.nearest(QUERIES[:300])
    neighbours.use_threads(2)
    in_threads = search.nearest(QUERIES[:300])
    neighbours.use_threads(1)
    monkeypatch.setattr(ivfpq, "_ROWS", 7)
    in_blocks = search.nearest(QUERIES[:300])
    for other in (in_threads, in_blocks):
        assert other.distances == pytest.approx(at_once.distances, rel=1e-6)


@pytest.mark.slow
def test_the_same_bank_and_seed_give_the_same_bytes_and_another_seed_others(arrays):
    again, other = ivfpq.train(BANK, 3), ivfpq.train(BANK, 4)
    assert {name: array.tobytes() for name, array in again.items()} == {name: array.tobytes() for name, array in arrays.items()}
    assert other["cells"].tobytes() != arrays["cells"].tobytes()


def test_a_query_that_is_not_finite_has_a_distance_that_is_not_and_the_others_are_found(search):
    queries = QUERIES[:9].copy()
    expected = search.nearest(queries)
    queries[4, 3] = np.nan
    found = search.nearest(queries)
    others = np.arange(9) != 4
    assert not np.isfinite(found.distances[4])
    assert found.distances[others] == pytest.approx(expected.distances[others], rel=1e-6)


def test_no_queries_find_nothing(search):
    assert search.nearest(np.empty((0, D), np.float32)).distances.shape == (0,)


@pytest.mark.parametrize("score", ["smoothed_max", "max", "eq7"])
def test_patchcore_scores_by_it_as_by_the_exact_search(arrays, score):
    """Where it misses no nearest vector, which eq. 7 needs of nine, scores are equal; else they are a little larger."""
    by = {"bank": BANK, "channel_mean": np.zeros(D, np.float32), "channel_scale": np.ones(D, np.float32)}
    vectors = QUERIES[:600].reshape(6, 10, 10, D)
    exact = PatchCore(Told(score), by).judge(vectors)
    found = PatchCore(Told(score, search="ivfpq"), by | arrays).judge(vectors)
    assert found.scores == pytest.approx(exact.scores, rel=0.02)
    assert (found.distances >= exact.distances * (1 - 1e-6)).all()


def without(name):
    return lambda arrays: {key: array for key, array in arrays.items() if key != name}


def changed(name, change):
    return lambda arrays: {**arrays, name: change(arrays[name])}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without("codes"), r"search: ivfpq: expected the arrays cells, codebooks, codes, got no codes; calibrate again"),
        (changed("codes", lambda codes: codes[:-1]), r"codes: expected uint8 of shape \(9984, 4\)"),
        (changed("codes", lambda codes: codes[:, 1:]), r"codes: expected uint8 of shape"),
        (changed("codes", lambda codes: codes.astype(np.int64)), r"codes: expected uint8 of shape .* got int64"),
        (changed("cells", lambda cells: cells[:-1]), r"codes: expected numbers below 255, the cells that there are, got 255"),
        (changed("cells", lambda cells: cells[:, :-4]), r"cells: expected float32 of shape"),
        (changed("cells", lambda cells: cells[:0]), r"codes: expected uint8 of shape"),
        (changed("codebooks", lambda books: books[:, :-1]), r"codebooks: expected float32 of shape \(3, 256, 4\)"),
        (changed("codebooks", lambda books: books.astype(float)), r"codebooks: expected float32 .* got float64"),
    ],
)
def test_what_is_no_index_of_the_bank_is_refused(arrays, damage, said):
    with pytest.raises(BadBundle, match=said):
        IvfPq(BANK, damage(arrays))


def test_an_index_of_another_bank_is_refused(arrays):
    with pytest.raises(BadBundle, match=r"codes: expected uint8 of shape \(9983, 4\) for a bank of shape \(9983, 10\)"):
        IvfPq(BANK[:-1], arrays)


def test_a_small_bank_is_refused_with_what_to_do():
    with pytest.raises(
        NotEnoughPictures, match=r"at least 9,984 vectors, got 9,983; fewer are searched faster exactly: remove"
    ):
        ivfpq.train(BANK[:-1], 3)


def test_without_faiss_the_extra_is_named(arrays, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    for ask in (lambda: ivfpq.train(BANK, 3), lambda: IvfPq(BANK, arrays)):
        with pytest.raises(MissingExtra, match=r"faiss of the extra `ivfpq`: pip install 'inspectd\[ivfpq\]'"):
            ask()


@pytest.mark.parametrize(("vectors", "count"), [(LEAST, 256), (60_000, 979), (235_200, 1939), (38, 1)])
def test_cells_grow_as_the_root_of_the_bank_and_have_39_vectors_at_least(vectors, count):
    assert ivfpq.cells(vectors) == count
