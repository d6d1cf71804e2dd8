"""Nearest neighbours in a memory bank: exact, Euclidean, float32, in bounded memory.

The nearest vector comes from the compiled search (scan.py) where the processor can run it, else from a matrix product:
|q - b|² = |q|² - 2 (q·b - |b|²/2), so the nearest b has the largest q·b - |b|²/2, which is the product of q with a 1 appended
and b with -|b|²/2 appended. Distances are then worked out from the difference itself, since the product loses digits where q
and b are close; so they do not depend on how queries were batched. The k nearest are asked of single patches only and always
come from the product.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from inspectd.vision import scan
from inspectd.vision.scan import Scan, Way

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
Standard = tuple[F32, F32]  # mean and scale [d] of the channels

_BLOCK = 4_000_000  # values of one product held at a time, 16 MB


def use_threads(threads: int) -> None:
    """Let searches of this process use so many threads; else matrix products take every core from the others.

    Where the compiled search works, only small products are left: a second BLAS thread would gain them nothing, and it goes
    on spinning after each, on the core that the backbone and the search want next (a picture took twice as long).
    """
    threadpool_limits(limits=threads if way() == "numpy" else 1, user_api="blas")
    scan.crew.resize(threads)


def threads() -> int:
    """Return how many threads a search of this process may use."""
    return scan.crew.size


def way() -> Way | Literal["numpy"]:
    """How this machine searches: by the compiled search for its processor, or by NumPy."""
    return next(iter(scan.ways()), "numpy")


class Found(NamedTuple):
    """Neighbours of n queries: distances and row numbers in the bank, nearest first where there are several."""

    distances: F32
    indices: I64


def standardise(vectors: F32, mean: F32, scale: F32) -> F32:
    """Bring patch vectors [..., d] to mean 0 and spread 1 per channel, as they are in a bank."""
    return (vectors - mean) / scale


class Searcher(Protocol):
    """A bank of N vectors that answers who is near."""

    bank: F32

    def nearest(self, queries: F32, standard: Standard | None = None) -> Found:
        """Nearest bank vector of each query [n,d]: distances [n] and indices [n]; `standard`: standardised by it first."""
        ...

    def k_nearest(self, queries: F32, k: int) -> Found:
        """The k nearest bank vectors of each query [n,d], or all if the bank has fewer: [n,k], nearest first."""
        ...


def ranked(bank: F32, queries: F32, indices: I64) -> Found:
    """Bank vectors [n,k] named for each query [n,d], nearest first, with their distances."""
    difference = queries[:, None, :] - bank[indices]
    distances = np.sqrt(np.einsum("nkd,nkd->nk", difference, difference))
    order = np.argsort(distances, axis=1, kind="stable")
    return Found(np.take_along_axis(distances, order, 1), np.take_along_axis(indices, order, 1))


class Neighbours:
    """A bank of N vectors of d values, N at least 1."""

    def __init__(self, bank: F32, by: Way | Literal["numpy"] | None = None) -> None:
        """Search `by` the best way of this machine, or by one of them."""
        self.bank = np.ascontiguousarray(bank, np.float32)
        by = by or way()
        self._scan = None if by == "numpy" or not scan.codable(self.bank) else Scan(self.bank, by)

    @property
    def way(self) -> Way | Literal["numpy"]:
        """How this bank is searched."""
        return self._scan.way if self._scan else "numpy"

    def nearest(self, queries: F32, standard: Standard | None = None) -> Found:
        """Nearest bank vector of each query [n,d]: distances [n] and indices [n]; `standard`: standardised by it first."""
        if self._scan:
            found = self._scan.nearest(queries, standard)
            return Found(found.distances, found.indices)
        queries = standardise(queries, *standard) if standard else queries
        indices = np.empty(len(queries), np.int64)
        for rows, closeness in self._blocks(queries):
            np.argmax(closeness, axis=1, out=indices[rows])
        difference = queries - self.bank[indices]
        return Found(np.sqrt(np.einsum("nd,nd->n", difference, difference)), indices)

    def k_nearest(self, queries: F32, k: int) -> Found:
        """The k nearest bank vectors of each query [n,d], or all if the bank has fewer: [n,k], nearest first."""
        k = min(k, len(self.bank))
        indices = np.empty((len(queries), k), np.int64)
        for rows, closeness in self._blocks(queries):
            indices[rows] = np.argpartition(-closeness, k - 1, axis=1)[:, :k]
        return ranked(self.bank, queries, indices)

    def _blocks(self, queries: F32) -> Iterator[tuple[slice, F32]]:
        """Rows of queries, and q·b - |b|²/2 [rows,N] for them, in bounded memory."""
        step = max(1, _BLOCK // len(self.bank))
        centre, columns = self._centred
        extended = np.column_stack([queries - centre, np.ones(len(queries), np.float32)])
        for start in range(0, len(queries), step):
            rows = slice(start, start + step)
            yield rows, extended[rows] @ columns

    @cached_property
    def _centred(self) -> tuple[F32, F32]:
        """The bank's centre, without which the product would lose digits far from the origin, and its columns."""
        centre = self.bank.mean(axis=0)
        centred = self.bank - centre
        half_norms = np.einsum("nd,nd->n", centred, centred, dtype=np.float64) / 2
        return centre, np.ascontiguousarray(np.column_stack([centred, -half_norms]).astype(np.float32).T)
