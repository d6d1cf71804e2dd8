"""Choosing the bank: exact greedy k-centre, pool-wise, or plain random sampling. Pure.

Greedy k-centre (Gonzalez 1985; PatchCore, Roth et al. 2022, section 3.2) takes as next centre the vector farthest from all
centres so far. One at a time it reads every vector once per centre and is bound by memory. Here a pool of the farthest
vectors is taken; as long as the farthest inside the pool is farther than the best outside (whose distances can only
shrink), it is the farthest of all. So many centres are chosen from the pool's own distances, then one matrix product
updates all vectors. The selection is that of the plain algorithm, ties going to the lowest index.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inspectd.errors import NotEnoughPictures

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Advance = Callable[[int], None]  # so many more are chosen

_POOL = 1024  # its distances (4 MiB) stay in the cache; larger pools gave no fewer updates on patches of real parts
_ROWS = 2048  # vectors and
_CENTRES = 512  # centres of one matrix product: 4 MiB of products
_SAME = 32 * float(np.finfo(np.float32).eps)  # squared distances below this share of the norms are rounding


def _unseen(_done: int) -> None:
    """Nobody watches."""


def greedy(vectors: Floats, count: int, seed: int, advance: Advance = _unseen) -> Ints:
    """Choose `count` of the vectors float32 [N,d] so that each is close to a chosen one; int64 [count], in the order chosen.

    The first is drawn with `seed`; `advance` is told of every few chosen. Beside the vectors it needs two floats per vector
    and about 12 MiB. ValueError if a vector is not finite; NotEnoughPictures if fewer than `count` of them differ.
    """
    _check(vectors, count)
    space = _Space(vectors, int(np.random.default_rng(seed).integers(len(vectors))))
    chosen = np.empty(count, np.int64)
    chosen[0] = space.first
    done = 1
    advance(1)
    while done < count:
        new = space.choose(count - done)
        if not len(new):
            raise NotEnoughPictures(
                f"expected at least {count} different patches for the bank, got {done} "
                f"({len(vectors)} with repetitions); give more pictures or a smaller bank"
            )
        chosen[done : done + len(new)] = new
        done += len(new)
        advance(len(new))
        if done < count:
            space.add(new)
    return chosen


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
    """All vectors and their squared distance to the nearest centre so far.

    Distances are |x|^2 + |c|^2 - 2xc with the first centre as origin: an offset common to all vectors cancels exactly
    before it can drown the differences.
    """

    def __init__(self, vectors: Floats, first: int) -> None:
        self.vectors, self.first = vectors, first
        self.norms = np.empty(len(vectors), np.float32)
        for rows in self._chunks():
            x = self._shifted(rows)
            np.einsum("ij,ij->i", x, x, out=self.norms[rows])
        if not np.isfinite(self.norms).all():
            raise ValueError(f"vectors: expected finite numbers, got NaN or inf in row {np.isfinite(self.norms).argmin()}")
        self.nearest = self.norms.copy()

    def choose(self, most: int) -> Ints:
        """Return the next centres, at most `most`, as the plain algorithm would; none if all left are repetitions."""
        pool, outside = self._pool()
        x, norms, nearest = self._shifted(pool), self.norms[pool], self.nearest[pool]
        products = x @ x.T
        chosen: list[int] = []
        while len(chosen) < most:
            best = int(nearest.argmax())
            if nearest[best] <= 0 or (chosen and nearest[best] <= outside):
                break
            chosen.append(best)
            np.minimum(nearest, self._distances(products[best] * -2 + norms[best], norms), out=nearest)
            nearest[best] = 0
        return pool[chosen]

    def add(self, centres: Ints) -> None:
        """Bring every vector's nearest distance up to date with new centres."""
        for start in range(0, len(centres), _CENTRES):
            some = centres[start : start + _CENTRES]
            # the product [-2c, |c|^2] . [x, 1] is all of the distance but |x|^2, which does not change the nearest centre
            weights = np.hstack([-2 * self._shifted(some), self.norms[some, None]])
            for rows in self._chunks():
                x = np.ones((rows.stop - rows.start, weights.shape[1]), np.float32)
                np.subtract(self.vectors[rows], self.vectors[self.first], out=x[:, :-1])
                near = self._distances((weights @ x.T).min(axis=0), self.norms[rows])
                np.minimum(self.nearest[rows], near, out=self.nearest[rows])
        self.nearest[centres] = 0

    def _pool(self) -> tuple[Ints, float]:
        """Return the vectors farthest from the centres, in order of index, and the largest distance outside."""
        count = len(self.vectors)
        if count <= _POOL:
            return np.arange(count), -1.0
        order = np.argpartition(self.nearest, count - _POOL - 1)
        outside = float(self.nearest[order[count - _POOL - 1]])
        # of several farthest ones the first must be in the pool, or a tie would go to another than the lowest index
        return np.union1d(order[count - _POOL :], [self.nearest.argmax()]), outside

    def _shifted(self, rows: Ints | slice) -> Floats:
        shifted: Floats = self.vectors[rows] - self.vectors[self.first]
        return shifted

    def _chunks(self) -> list[slice]:
        return [slice(a, min(a + _ROWS, len(self.vectors))) for a in range(0, len(self.vectors), _ROWS)]

    @staticmethod
    def _distances(partial: Floats, norms: Floats) -> Floats:
        """Complete |c|^2 - 2xc with |x|^2; what only rounding keeps above zero is zero."""
        partial += norms
        partial[partial <= _SAME * norms] = 0
        return partial
