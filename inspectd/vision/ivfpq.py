"""IVF-PQ, the one home of faiss: the nearest vectors of a large memory bank, found by their codes, told by true distances.

The bank is divided into cells, each around a centroid, and every vector is coded as its cell and one byte for each four
channels of what it lies off the centroid (Jégou et al., Product quantization for nearest neighbour search, 2011). A query is
compared with the codes of the cells nearest to it; the candidates that this leaves are compared in full. A distance is thus
always that to a vector of the bank, as exact as any; but the vector may be another than the nearest, so that a distance is
never too small and now and then too large.

What is trained is three arrays of a bundle, put together at each load and not trained again: `cells` float32 [C,D], centroids,
where D is the bank's channels filled up with zeros to a multiple of four; `codebooks` float32 [D/4,256,4]; `codes` uint8
[N,B+D/4], of each vector the number of its cell in B bytes, low first, and its codes. They are plain arrays and not an index
as faiss writes it: such a file can name others to be read, and what is wrong in it shows only when it is searched.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from inspectd.errors import BadBundle, MissingExtra, NotEnoughPictures
from inspectd.vision import neighbours
from inspectd.vision.neighbours import F32, Found, Standard

LEAST = 9_984  # vectors: faiss wants 39 for each of the 256 entries of a codebook, and an exact search of fewer is quick
ARRAYS = ("cells", "codebooks", "codes")

_PER_CODE = 4  # channels
_ENTRIES = 256  # of a codebook, which one byte names
_PER_CELL = 39  # vectors of a cell, at least, on average: what faiss wants to place a centroid
_LEARNT_FROM = 64  # vectors of the bank for each centroid and entry; more made the training longer and the search no better
_ROUNDS = 10  # of k-means
_PROBED = 8  # cells that a query looks into: of patches of real parts, 9 of 10 then found their nearest vector
_CANDIDATES = 8  # compared in full for each neighbour that is asked for
_CODED = 16_384  # vectors coded at a time: faiss copies them
_ROWS = 1024  # queries whose candidates are compared in full at a time

Arrays = Mapping[str, npt.NDArray[Any]]


def need() -> Any:
    """Return the module faiss; MissingExtra if it is not installed."""
    try:
        import faiss  # noqa: PLC0415 (stations that search exactly do without it)
    except ImportError as error:
        raise MissingExtra(
            "search: ivfpq needs the package faiss of the extra `ivfpq`: pip install 'inspectd[ivfpq]'"
        ) from error
    return faiss


def check(vectors: int) -> None:
    """NotEnoughPictures if a bank of so many vectors is too small for an index, MissingExtra without faiss."""
    need()
    if vectors < LEAST:
        raise NotEnoughPictures(
            f"method.search: ivfpq: expected a bank of at least {LEAST:,} vectors, got {vectors:,}; fewer are searched faster "
            "exactly: remove the key, or give a larger method.bank"
        )


def cells(vectors: int) -> int:
    """Return into how many cells a bank is divided: four times the root of its size, as faiss advises, or fewer if small."""
    return max(1, min(int(4 * math.sqrt(vectors)), vectors // _PER_CELL))


def train(bank: F32, seed: int) -> dict[str, npt.NDArray[Any]]:
    """Train the index of a bank [N,d]: its `cells`, `codebooks` and `codes`. Errors are those of `check`.

    The same bank and seed give the same bytes: a single thread adds up in one order.
    """
    check(len(bank))
    faiss = need()
    faiss.omp_set_num_threads(1)
    padded = _padded(bank)
    index = _empty(faiss, padded.shape[1], cells(len(bank)))
    for learning in (index.cp, index.pq.cp):
        learning.seed, learning.max_points_per_centroid, learning.niter = seed, _LEARNT_FROM, _ROUNDS
    index.train(padded)
    return {
        "cells": index.quantizer.reconstruct_n(0, index.nlist),
        "codebooks": faiss.vector_to_array(index.pq.centroids).reshape(-1, _ENTRIES, _PER_CODE),
        "codes": np.concatenate([index.sa_encode(padded[at : at + _CODED]) for at in range(0, len(padded), _CODED)]),
    }


class IvfPq:
    """A bank [N,d] and its index: the same questions as to `Neighbours`, answered as the text above says."""

    def __init__(self, bank: F32, arrays: Arrays) -> None:
        """Put the index together; BadBundle if the arrays are no index of this bank, MissingExtra without faiss."""
        faiss = need()
        _check(arrays, *bank.shape)
        self.bank = np.ascontiguousarray(bank, np.float32)
        self._index = _empty(faiss, arrays["cells"].shape[1], len(arrays["cells"]))
        self._index.quantizer.add(arrays["cells"])
        faiss.copy_array_to_vector(arrays["codebooks"].ravel(), self._index.pq.centroids)
        self._index.is_trained = True
        self._index.precompute_table()
        self._index.add_sa_codes(arrays["codes"], np.arange(len(bank)))
        self._index.nprobe = _PROBED
        self._limit: Callable[[int], None] = faiss.omp_set_num_threads

    def nearest(self, queries: F32, standard: Standard | None = None) -> Found:
        """Nearest bank vector found of each query [n,d]: distances [n] and indices [n]; `standard` as of `Neighbours`."""
        found = self.k_nearest(neighbours.standardise(queries, *standard) if standard else queries, 1)
        return Found(found.distances[:, 0], found.indices[:, 0])

    def k_nearest(self, queries: F32, k: int) -> Found:
        """The k nearest bank vectors found of each query [n,d], or all if the bank has fewer: [n,k], nearest first.

        Where the cells hold too few, the bank's first vector stands in: it is none of the nearest, but its distance is true.
        """
        k = min(k, len(self.bank))
        self._limit(neighbours.threads())  # here, since OpenMP counts for each thread that asks
        found = Found(np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64))
        for start in range(0, len(queries), _ROWS):
            rows = slice(start, start + _ROWS)
            candidates = self._index.search(_padded(queries[rows]), min(k * _CANDIDATES, len(self.bank)))[1]
            best = neighbours.ranked(self.bank, queries[rows], np.maximum(candidates, 0))  # -1: none
            found.distances[rows], found.indices[rows] = best.distances[:, :k], best.indices[:, :k]
        return found


def _empty(faiss: Any, d: int, count: int) -> Any:
    """Return an index of vectors of d values without cells, codebooks and vectors."""
    return faiss.IndexIVFPQ(faiss.IndexFlatL2(d), d, count, d // _PER_CODE, 8)  # 8 bits name one of 256 entries


def _padded(vectors: F32) -> F32:
    """Fill vectors [n,d] up with zeros to a multiple of four channels; their distances stay."""
    short = -vectors.shape[1] % _PER_CODE
    return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, short))) if short else vectors, np.float32)


def _check(arrays: Arrays, n: int, d: int) -> None:
    """BadBundle unless the arrays are an index of a bank [n,d]."""
    if missing := [name for name in ARRAYS if name not in arrays]:
        raise BadBundle(f"search: ivfpq: expected the arrays {', '.join(ARRAYS)}, got no {', '.join(missing)}; calibrate again")
    count, codes_each = len(arrays["cells"]), -(-d // _PER_CODE)
    width = (max(0, count - 1).bit_length() + 7) // 8  # bytes of a cell's number
    wanted = {
        "cells": ("float32", (count, codes_each * _PER_CODE)),
        "codebooks": ("float32", (codes_each, _ENTRIES, _PER_CODE)),
        "codes": ("uint8", (n, width + codes_each)),
    }
    for name, (dtype, shape) in wanted.items():
        if arrays[name].dtype != dtype or arrays[name].shape != shape:
            got = f"{arrays[name].dtype} of shape {arrays[name].shape}"
            raise BadBundle(
                f"{name}: expected {dtype} of shape {shape} for a bank of shape {(n, d)}, got {got}; calibrate again"
            )
    named = arrays["codes"][:, :width].astype(np.int64) @ (256 ** np.arange(width))
    if not count or named.max(initial=0) >= count:
        raise BadBundle(f"codes: expected numbers below {count}, the cells that there are, got {named.max()}; calibrate again")
