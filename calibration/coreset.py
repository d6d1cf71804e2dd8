"""Choosing the bank: exact greedy k-centre, lazily and pool-wise, or plain random sampling. Pure.

Greedy k-centre (Gonzalez 1985; PatchCore, Roth et al. 2022, section 3.2) takes as next centre the vector farthest from all
centres so far. Done plainly it reads every vector once per centre. But distances to the centres only shrink, so one that was
worked out for fewer centres is an upper bound: vectors that lie near an early centre need never be looked at again. In each
round a pool of the vectors with the largest bounds is brought up to date, and centres are taken from it as long as the
farthest inside the pool is farther than every bound outside: then it is the farthest of all. The selection is that of the
plain algorithm, ties going to the lowest index.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inspectd.errors import NotEnoughPictures

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Advance = Callable[[int], None]  # so many more are chosen

_POOL = 2048  # vectors brought up to date in a round; with half or twice as many 235,200 patches took 10 % longer
_ROWS = 512  # vectors and
_CENTRES = 1024  # centres of one matrix product: 2 MiB of products
_SAME = 32 * float(np.finfo(np.float32).eps)  # squared distances below this share of the norms are rounding


def _unseen(_done: int) -> None:
    """Nobody watches."""


def greedy(vectors: Floats, count: int, seed: int, advance: Advance = _unseen) -> Ints:
    """Choose `count` of the vectors float32 [N,d] so that each is close to a chosen one; int64 [count], in the order chosen.

    The first is drawn with `seed`; `advance` is told of every few chosen. Beside the vectors it needs three numbers per
    vector and about 10 MiB. ValueError if a vector is not finite; NotEnoughPictures if fewer than `count` of them differ.
    """
    chosen = cover(vectors, count, seed, advance)
    if len(chosen) < count:
        raise NotEnoughPictures(
            f"expected at least {count} different patches for the bank, got {len(chosen)} "
            f"({len(vectors)} with repetitions); give more pictures or a smaller bank"
        )
    return chosen


def cover(vectors: Floats, count: int, seed: int, advance: Advance = _unseen) -> Ints:
    """Choose as `greedy` does, but only as many as differ; int64 [count] or fewer."""
    _check(vectors, count)
    space = _Space(vectors, count, int(np.random.default_rng(seed).integers(len(vectors))))
    advance(1)
    while space.done < count:
        before = space.done
        space.grow()
        if space.done == before:
            break
        advance(space.done - before)
    return space.chosen[: space.done]


def random(vectors: Floats, count: int, seed: int, advance: Advance = _unseen) -> Ints:
    """Choose `count` of the vectors float32 [N,d] at random, each at most once; int64 [count]. Errors as `greedy`."""
    _check(vectors, count)
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:count].astype(np.int64)
    advance(count)
    return chosen


def _check(vectors: Floats, count: int) -> None:
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise ValueError(f"vectors: expected float32 [N,d], got {vectors.dtype} {list(vectors.shape)}")
    if count < 1:
        raise ValueError(f"count: expected at least 1, got {count}")
    if len(vectors) < count:
        raise NotEnoughPictures(
            f"expected at least {count} patches for the bank, got {len(vectors)}; give more pictures or a smaller bank"
        )


class _Space:
    """All vectors, the centres so far, and of each vector a bound on its squared distance to the nearest of them.

    Distances are |x|^2 + |c|^2 - 2xc with the first centre as origin: an offset common to all vectors cancels exactly
    before it can drown the differences.
    """

    def __init__(self, vectors: Floats, count: int, first: int) -> None:
        self.chosen, self.done = np.full(count, first, np.int64), 1
        self._vectors, self._origin = vectors, vectors[first]
        self._norms = np.empty(len(vectors), np.float32)
        for start in range(0, len(vectors), _ROWS):
            rows = slice(start, start + _ROWS)
            x = self._shifted(rows)
            np.einsum("ij,ij->i", x, x, out=self._norms[rows])
        if not np.isfinite(self._norms).all():
            raise ValueError(f"vectors: expected finite numbers, got NaN or inf in row {np.isfinite(self._norms).argmin()}")
        self._bounds = self._norms.copy()  # exact for the first so many centres:
        self._seen = np.ones(len(vectors), np.int32)

    def grow(self) -> None:
        """Take one or more centres, as the plain algorithm would; none if all vectors left are repetitions of centres."""
        while self._bounds.max() > 0:
            pool, outside = self._pool()
            stale = pool[self._seen[pool] < self.done]
            self._refresh(stale)
            if self._take(pool, outside):
                return
            if not len(stale):  # the farthest in the pool ties with bounds outside
                self._take_first(np.flatnonzero(self._bounds >= outside))
                return

    def _pool(self) -> tuple[Ints, float]:
        """Return the vectors with the largest bounds, in order of index, and the largest bound outside."""
        count = len(self._bounds)
        if count <= _POOL:
            return np.arange(count), 0.0
        order = np.argpartition(self._bounds, count - _POOL - 1)
        return np.sort(order[count - _POOL :]), float(self._bounds[order[count - _POOL - 1]])

    def _take(self, pool: Ints, outside: float) -> bool:
        """Take centres from a pool that is up to date while they are farther than all bounds outside; whether there were."""
        x, norms, near = self._shifted(pool), self._norms[pool], self._bounds[pool]
        before = self.done
        while self.done < len(self.chosen):
            best = int(near.argmax())
            if near[best] <= outside:
                break
            self.chosen[self.done] = pool[best]
            self.done += 1
            np.minimum(near, self._distances(x @ (-2 * x[best]) + norms[best], norms), out=near)
            near[best] = 0
        self._bounds[pool], self._seen[pool] = near, self.done
        return self.done > before

    def _take_first(self, tied: Ints) -> None:
        """Take the first of the farthest among all vectors whose bounds tie."""
        self._refresh(tied)
        best = int(tied[self._bounds[tied].argmax()])
        self.chosen[self.done] = best
        self.done += 1
        self._bounds[best] = 0

    def _refresh(self, rows: Ints) -> None:
        """Make bounds exact for all centres so far; vectors that have seen as many are worked on together."""
        rows = rows[np.argsort(self._seen[rows], kind="stable")]
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            near = self._distances(self._partial(some, int(self._seen[some[0]])), self._norms[some])
            self._bounds[some] = np.minimum(self._bounds[some], near)
            self._seen[some] = self.done

    def _partial(self, rows: Ints, since: int) -> Floats:
        """Smallest |c|^2 - 2xc of each row over the centres from number `since` on."""
        x = self._shifted(rows)
        smallest = np.full(len(rows), np.inf, np.float32)
        for start in range(since, self.done, _CENTRES):
            centres = self.chosen[start : min(start + _CENTRES, self.done)]
            products = x @ (-2 * self._shifted(centres)).T
            products += self._norms[centres]
            np.minimum(smallest, products.min(axis=1), out=smallest)
        return smallest

    def _shifted(self, rows: Ints | slice) -> Floats:
        shifted: Floats = self._vectors[rows] - self._origin
        return shifted

    @staticmethod
    def _distances(partial: Floats, norms: Floats) -> Floats:
        """Complete |c|^2 - 2xc with |x|^2; what only rounding keeps above zero is zero."""
        partial += norms
        partial[partial <= _SAME * norms] = 0
        return partial
