"""A coreset of more vectors than fit into memory, by merging and reducing. Pure.

Vectors are taken in a chunk at a time. A full chunk is reduced to `budget` of its vectors by greedy k-centre (see
coreset.py); what came of several chunks is merged and, once it is a chunk's worth, reduced again: a tree with many
children a node (merge and reduce: Bentley and Saxe 1980; Har-Peled and Mazumdar 2004), of which one chunk a level is held.

Coresets for k-centre compose (Indyk, Mahabadi, Mahdian and Mirrokni 2014; Malkomes et al. 2015): what covers the parts
covers the whole. Let r be the radius at which any `budget` centres at best cover all vectors. Of greedy's centres and the
vector farthest from them, `budget` + 1 in all that lie a covering radius apart, two share a best centre; so no reduction
moves a vector by more than 2 r, and after L levels every vector lies within 2 L r of the coreset. A greedy bank of
k <= budget vectors chosen from it covers all within 2 (L + 1) times the best radius of k centres, which is no larger than
that of the greedy bank chosen from all vectors at once. Measured on 200,000 patches of parts, 6,000 centres, two levels: the
farthest patch lies 14 % farther away, the mean distance is the same to 1 %.
"""

import numpy as np

from calibration import coreset
from calibration.coreset import Floats

FAN = 16  # budgets in a chunk: with 8, greedy took a quarter longer; with 32 the memory doubles
_LEAST = 32_768  # vectors in a chunk: of small ones, every reduction costs as much as its overheads


def chunk(budget: int) -> int:
    """Return how many vectors are held on a level before they are reduced."""
    return max(_LEAST, FAN * budget)


def levels(vectors: int, budget: int) -> int:
    """Return how often a vector is reduced at most, of so many: L above."""
    count, held = 1, chunk(budget)
    while vectors > held:
        vectors, count = -(-vectors // held) * budget, count + 1
    return count


class Stream:
    """Takes in vectors float32 [n,d], any number at a time, and keeps at most `budget` of them.

    Distances are those of the vectors divided by `scale` [d]; the vectors kept are as they came. The same vectors in the
    same order with the same seed give the same coreset. At most a chunk a level is held, and a scaled copy of one.
    """

    def __init__(self, budget: int, scale: Floats, seed: int) -> None:
        self._budget, self._scale, self._seed = budget, scale, seed
        self._chunk = chunk(budget)
        self._levels: list[list[Floats]] = [[]]

    def add(self, vectors: Floats) -> None:
        """Take in vectors."""
        start = 0
        while start < len(vectors):
            room = self._chunk - _total(self._levels[0])
            self._levels[0].append(vectors[start : start + room].copy())  # else the rest of a batch is held with it
            start += room
            self._carry()

    def coreset(self) -> Floats:
        """Return what is kept [m,d], m at most the budget; all vectors as they came, if they are no more."""
        left: list[Floats] = []
        for level in self._levels:
            left = [*level, *left]
            if _total(left) > self._budget:
                left = [self._reduced(left)]
        return np.concatenate(left) if left else np.empty((0, len(self._scale)), np.float32)

    def _carry(self) -> None:
        """Reduce every level that is full into the one above."""
        for i, level in enumerate(self._levels):
            if _total(level) < self._chunk:
                return
            if i + 1 == len(self._levels):
                self._levels.append([])
            self._levels[i + 1].append(self._reduced(level))
            level.clear()

    def _reduced(self, parts: list[Floats]) -> Floats:
        vectors = np.concatenate(parts)
        kept: Floats = vectors[coreset.cover(vectors / self._scale, self._budget, self._seed)]
        return kept


def _total(parts: list[Floats]) -> int:
    return sum(map(len, parts))
