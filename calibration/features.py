"""From pictures to patch vectors, in batches: summed per channel, sampled, and kept, in memory or on disk."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from calibration import parallel
from calibration.pictures import Sample
from calibration.progress import Advance
from calibration.spill import Disk, Memory
from calibration.stream import Stream
from inspectd.station.schema import Roi, Tiling
from inspectd.vision import forward, likeness
from inspectd.vision.backbone import Backbone
from inspectd.vision.view import Lens, View

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

BATCH = 8  # pictures read and judged together
_PIXELS = 640 * 640  # of inputs in one forward pass: each thread has its own, whose activations take 100 MB; more is no faster
MEMORY = 512 << 20  # bytes of patch vectors kept in memory: 1,100 pictures of 784 x 152; each thread may copy most of them
DRAWN = 100_000  # patch vectors, about, of a sample


class _Cut(Protocol):
    """What can be cut into pieces of its own kind: a sequence, an array."""

    def __len__(self) -> int: ...
    def __getitem__(self, where: slice, /) -> Self: ...


C = TypeVar("C", bound=_Cut)


def batches(things: C) -> list[C]:
    """Cut pictures, or their indices, into batches."""
    return [things[start : start + BATCH] for start in range(0, len(things), BATCH)]


@dataclass(frozen=True)
class Extractor:
    """How a station sees: roi, mask, resize, backbone."""

    backbone: Backbone
    input_px: tuple[int, int]
    roi: Roi | None = None
    mask: Mask | None = None  # [H,W] of the roi's size, True where judged
    threads: int = 1  # batches at a time
    stride: int = 1  # every so many-th patch
    tiling: Tiling | None = None
    size: tuple[int, int] | None = None  # of the pictures as ingest sends them; None: of several sizes, without tiles

    def cut(self, pixels: U8) -> U8:
        """Cut the roi from a camera's picture, as ingest does."""
        roi = self.roi
        return pixels if roi is None else pixels[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]

    def vectors(self, pictures: Iterable[U8]) -> F32:
        """Patch vectors float32 [B,h,w,d] of B pictures as ingest sends them."""
        inputs = np.concatenate([self.view(pixels.shape[:2]).prepare(pixels) for pixels in pictures])
        return self.lens.gather(forward.run([(self.backbone, inputs)], self.at_once)[0])

    def see(self, samples: Sequence[Sample]) -> F32:
        """Read pictures; their patch vectors [B,h,w,d]."""
        return self.vectors(self.cut(sample.pixels()) for sample in samples)

    @cached_property
    def lens(self) -> Lens:
        """How it sees, whatever the picture's size."""
        return Lens(self.input_px, self.backbone.stride, self.backbone.offset, self.stride, self.tiling)

    def view(self, size: tuple[int, ...] | None = None) -> View:
        """How it sees pictures of a size, by default its own."""
        height, width = size or self.size or (self.input_px if self.mask is None else self.mask.shape)
        if (height, width) not in self._views:
            self._views[height, width] = View(self.lens, (height, width), self.mask)
        return self._views[height, width]

    @property
    def at_once(self) -> int:
        """How many inputs, pictures or tiles, take one forward pass."""
        return max(1, _PIXELS // (self.input_px[0] * self.input_px[1]))

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches, those of all tiles side by side."""
        return self.lens.grid

    @property
    def judged(self) -> Mask | None:
        """The patches [h,w] that count; None: all."""
        return None if self.mask is None else self.view().judged

    @property
    def patches(self) -> int:
        """How many patches of a picture count."""
        return self.grid[0] * self.grid[1] if self.judged is None else int(self.judged.sum())

    @cached_property
    def _views(self) -> dict[tuple[int, int], View]:
        return {}


class Features:
    """The patch vectors of some pictures, one forward pass over which gives all that banks are made of.

    They are kept in memory or, where they are too many, on disk. Of each picture there are also its channels' sums, from which
    any subset of pictures has its mean and scale, and as many patch vectors drawn by `seed`, a sample of any subset.
    """

    def __init__(
        self, extractor: Extractor, samples: Sequence[Sample], seed: int, advance: Advance, memory: int | None = None,
        drawn: int = DRAWN, folder: Path | None = None,
    ) -> None:  # fmt: skip
        """Keep the vectors in at most `memory` bytes, by default MEMORY, else in `folder`; draw about `drawn` of them.

        StateError if the disk has no room for them.
        """
        self.extractor, self.samples = extractor, samples
        n, d, each = len(samples), extractor.backbone.channels, min(extractor.patches, -(-drawn // max(1, len(samples))))
        self._drawn = np.empty((n, each, d), np.float32)
        self._sums, self._squares = np.empty((n, d)), np.empty((n, d))
        self.small = np.empty((n, likeness.SIDE**2), np.uint8)  # each picture shrunk, by which those of one part are found
        self.streamed = kept(n, extractor) > (MEMORY if memory is None else memory)
        shape = (*extractor.grid, d)
        self._store = Disk(n, shape, folder or Path(tempfile.gettempdir())) if self.streamed else Memory(n, shape)
        self._coresets: list[tuple[Indices, F32]] = []
        parallel.each(partial(self._take_in, seed), batches(np.arange(n)), extractor.threads, advance)

    def vectors(self, indices: Indices) -> F32:
        """Return the patch vectors [B,h,w,d] of some pictures."""
        return self._store.get(indices)

    def patches(self, members: Indices) -> F32:
        """Return the judged patch vectors [n,d] of some pictures, a copy."""
        patches = np.empty((len(members), self.extractor.patches, self.extractor.backbone.channels), np.float32)
        for place, picture in enumerate(members.tolist()):
            patches[place] = self._counted(self.vectors(np.array([picture]))[0])
        return patches.reshape(-1, patches.shape[2])

    def drawn(self, members: Indices) -> F32:
        """Return the sample [n,d] of some pictures."""
        return self._drawn[members].reshape(-1, self._drawn.shape[2])

    def condense(self, shares: Sequence[Indices], budget: int, seed: int, advance: Advance) -> None:
        """Reduce each share of the pictures to a coreset of at most `budget` patch vectors, for `candidates`.

        No share is measured by what others hold, so that a bank of some shares owes nothing to the rest.
        """

        def reduce(share: Indices, told: Advance) -> tuple[Indices, F32]:
            return share, self._coreset(share, budget, seed, told)

        self._coresets = parallel.each(reduce, shares, self.extractor.threads, advance)

    def candidates(self, members: Indices, budget: int, seed: int) -> F32:
        """Return patch vectors [n,d], a copy, from which to choose a bank of at most `budget` for some pictures.

        All of them where they are in memory. Else the coresets of the shares among those pictures, and one of the pictures
        that are left.
        """
        if not self.streamed:
            return self.patches(members)
        ready = [(share, vectors) for share, vectors in self._coresets if np.isin(share, members).all()]
        left = np.setdiff1d(members, np.concatenate([share for share, _ in ready])) if ready else members
        rest = [self._coreset(left, budget, seed, lambda _done: None)] if len(left) else []
        return np.concatenate([*(vectors for _, vectors in ready), *rest])

    def standard(self, members: Indices) -> tuple[F32, F32]:
        """Return mean and scale [d] of the channels over the judged patches of some pictures.

        A channel that is all but constant on good parts gets a hundredth of the usual scale, not its own: else the first
        defect that moves it, or rounding, would outweigh all other channels.
        """
        count = len(members) * self.extractor.patches
        mean = self._sums[members].sum(axis=0) / count
        spread = np.sqrt(np.maximum(self._squares[members].sum(axis=0) / count - mean * mean, 0))
        floor = max(float(np.median(spread)) / 100, 1e-6)
        return mean.astype(np.float32), np.maximum(spread, floor).astype(np.float32)

    def _coreset(self, members: Indices, budget: int, seed: int, advance: Advance) -> F32:
        """Reduce the patch vectors of some pictures, a batch at a time."""
        stream = Stream(budget, self.standard(members)[1], seed)
        for some in batches(members):
            stream.add(self.patches(some))
            advance(len(some))
        return stream.coreset()

    def _take_in(self, seed: int, indices: Indices, advance: Advance) -> None:
        """Sum up, sample and keep a batch of pictures."""
        each = self._drawn.shape[1]
        batch = self.extractor.vectors(self._shrunk(self.extractor.cut(self.samples[i].pixels()), i) for i in indices)
        for i, vectors in zip(indices.tolist(), batch, strict=True):
            patches = self._counted(vectors)
            wide = patches.astype(np.float64)
            self._sums[i], self._squares[i] = wide.sum(axis=0), (wide * wide).sum(axis=0)
            self._drawn[i] = patches[np.random.default_rng([seed, i]).permutation(len(patches))[:each]]
            self._store.put(i, vectors)
        advance(len(indices))

    def _shrunk(self, pixels: U8, i: int) -> U8:
        """Keep a picture small; return it as it is."""
        self.small[i] = likeness.small(pixels, self.extractor.mask)
        return pixels

    def _counted(self, vectors: F32) -> F32:
        judged = self.extractor.judged
        return vectors.reshape(-1, vectors.shape[-1]) if judged is None else vectors[judged]


def kept(pictures: int, extractor: Extractor) -> int:
    """Return how many bytes the patch vectors of so many pictures take."""
    return pictures * extractor.grid[0] * extractor.grid[1] * extractor.backbone.channels * 4
