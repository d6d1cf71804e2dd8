"""From pictures to patch vectors, in batches: summed per channel, sampled, and kept where they fit into the memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from calibration import parallel
from calibration.pictures import Sample
from calibration.progress import Advance
from inspectd.station.schema import Roi, Tiling
from inspectd.vision import forward
from inspectd.vision.backbone import Backbone
from inspectd.vision.view import Lens, View

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

BATCH = 8  # pictures in one forward pass; more gave nothing on two cores
MEMORY = 2 << 30  # bytes of patch vectors kept as float32: 4,700 pictures of 784 x 152; beyond it they are computed twice
DRAWN = 100_000  # patch vectors, about, from which a bank is chosen


def batches(indices: Indices) -> list[Indices]:
    """Cut indices into batches of pictures."""
    return [indices[start : start + BATCH] for start in range(0, len(indices), BATCH)]


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
        return self.lens.gather(forward.run([(self.backbone, inputs)])[0])

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
    """The patch vectors of some pictures, one pass over which gives all that banks are made of.

    Every picture gives the same number of patch vectors drawn by `seed`, a reservoir from which any subset of pictures has
    its bank chosen, and its channels' sums, from which any subset has its mean and scale.
    """

    def __init__(
        self, extractor: Extractor, samples: Sequence[Sample], seed: int, advance: Advance, memory: int | None = None,
        drawn: int = DRAWN,
    ) -> None:  # fmt: skip
        """Keep the vectors in at most `memory` bytes, by default MEMORY; about `drawn` of them in the reservoir."""
        self.extractor, self.samples = extractor, samples
        n, d, each = len(samples), extractor.backbone.channels, min(extractor.patches, -(-drawn // max(1, len(samples))))
        self._drawn = np.empty((n, each, d), np.float32)
        self._sums, self._squares = np.empty((n, d)), np.empty((n, d))
        fits = n * extractor.grid[0] * extractor.grid[1] * d * 4 <= (MEMORY if memory is None else memory)
        self._kept: dict[int, F32] | None = {} if fits else None
        parallel.each(partial(self._take_in, seed), batches(np.arange(n)), extractor.threads, advance)

    def vectors(self, indices: Indices) -> F32:
        """Return the patch vectors [B,h,w,d] of some pictures."""
        if self._kept is None:
            return self.extractor.see([self.samples[i] for i in indices])
        return np.stack([self._kept[i] for i in indices])

    def drawn(self, members: Indices) -> F32:
        """Return the reservoir [n,d] of some pictures."""
        return self._drawn[members].reshape(-1, self._drawn.shape[2])

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

    def _take_in(self, seed: int, indices: Indices, advance: Advance) -> None:
        """Sum up, sample and keep a batch of pictures."""
        each = self._drawn.shape[1]
        batch = self.extractor.see([self.samples[i] for i in indices])
        for i, vectors in zip(indices.tolist(), batch, strict=True):
            patches = self._counted(vectors)
            wide = patches.astype(np.float64)
            self._sums[i], self._squares[i] = wide.sum(axis=0), (wide * wide).sum(axis=0)
            self._drawn[i] = patches[np.random.default_rng([seed, i]).permutation(len(patches))[:each]]
            if self._kept is not None:
                self._kept[i] = vectors
        advance(len(indices))

    def _counted(self, vectors: F32) -> F32:
        judged = self.extractor.judged
        return vectors.reshape(-1, vectors.shape[-1]) if judged is None else vectors[judged]
