"""What the benchmarks of speed measure on: the good patches of a data set, banks greedily chosen from them, and detectors.

The greedy order is worked out once: every prefix of it is the bank that a smaller count would have given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration import coreset, fitting, memory
from calibration.bench import learnt
from calibration.bench.accuracy import Bench, Category
from calibration.bench.learnt import Learnt, Machine
from calibration.ensemble import Panel
from calibration.features import F32, MEMORY, U8, Extractor, Features, kept
from calibration.memory import Taken
from calibration.progress import Progress
from inspectd.errors import BadInput
from inspectd.station.schema import Method
from inspectd.vision import neighbours, preprocess
from inspectd.vision.bundle import Bundle, Manifest, PictureSpec
from inspectd.vision.detector import Detector
from inspectd.vision.golden import Golden
from inspectd.vision.methods import Arrays

_CODES, _CODING = 80, 520  # bytes for each vector of a bank: as the search keeps it, and while it is coded, in double precision


@dataclass(frozen=True)
class Taught:
    """Good pictures of one category, seen by one method's backbone."""

    method: Method
    features: Features
    seed: int
    progress: Progress

    @cached_property
    def standard(self) -> tuple[F32, F32]:
        """Mean and scale of the channels."""
        return self.features.standard(np.arange(len(self.features.samples)))

    @cached_property
    def vectors(self) -> F32:
        """All patch vectors [N,d], standardised."""
        mean, scale = self.standard
        vectors = self.features.patches(np.arange(len(self.features.samples)))
        np.subtract(vectors, mean, out=vectors)  # a copy already, as large as memory may allow
        np.divide(vectors, scale, out=vectors)
        return vectors

    def chosen(self, count: int) -> npt.NDArray[np.int64]:
        """Choose so many of the vectors greedily."""
        return coreset.greedy(self.vectors, count, self.seed, self.progress.stage(f"bank of {count:,}", count))

    def prepared(self, i: int) -> U8:
        """Return a good picture of the input's size."""
        return preprocess.prepare(self.features.samples[i].pixels(), self.method.size_px)

    def bank(self, vectors: F32) -> Arrays:
        """Return the arrays of a PatchCore with these vectors."""
        mean, scale = self.standard
        return {"bank": vectors, "channel_mean": mean, "channel_scale": scale}

    def fitted(self, method: Method) -> Arrays:
        """Return what a method learns from all the pictures."""
        pictures = len(self.features.samples)
        advance = self.progress.stage(method.kind, fitting.steps(self.features, pictures, method))
        return fitting.fit(self.features, np.arange(pictures), method, self.seed, advance)

    def judge(self, method: Method, arrays: Arrays) -> Learnt:
        """Return a judge of pictures of any size."""
        return Learnt(self._panel(method, arrays))

    def detector(self, method: Method, arrays: Arrays) -> Detector:
        """Return the detector that a worker would make of the same arrays, for pictures of the input's size."""
        panel, picture = self._panel(method, arrays), PictureSpec(camera_px=method.size_px, pixel_format="rgb8")
        manifest = Manifest(station="benchmark", members=panel.described, picture=picture, threshold=1.0)
        bundle = Bundle(Path("benchmark"), manifest, panel.arrays, _no_golden())
        return Detector(bundle, self.features.extractor.backbone)

    def _panel(self, method: Method, arrays: Arrays) -> Panel:
        return Panel([method], [self.features.extractor], [arrays], [1.0])


def held(sees: Extractor, *pictures: int) -> Taken:
    """Return what patch vectors take of so many pictures each, as they were seen and standardised; never less of more."""
    seen = [kept(count, sees) for count in pictures]
    in_memory = sum(seen) + sum(min(one, MEMORY) for one in seen)  # as if the file of those on disk took what memory could
    return Taken(memory.beside([sees], max(pictures), 1) + in_memory, sum(one for one in seen if one > MEMORY))


def searched(sees: Extractor, *banks: int) -> int:
    """Return the bytes that banks of so many vectors each take, copies with their codes, while one is centred and coded."""
    row = sees.backbone.channels * 4
    return sum(banks) * (row + _CODES) + max(banks, default=0) * (row + _CODING)


def taught(one: Category, pictures: int, method: Method, machine: Machine, seed: int, progress: Progress) -> Taught:
    """See so many good pictures of a category, or all if it has fewer."""
    samples = one.few(min(pictures, len(one.train)), seed)
    extractor = learnt.extractor(method, machine)
    advance = progress.stage("patch vectors", len(samples))
    return Taught(method, Features(extractor, samples, seed, advance, drawn=0), seed, progress)


def only(root: Path, category: str | None, machine: Machine, progress: Progress) -> Category:
    """Read a data set of one category, and bound all threads; BadInput if there are several: figures of speed are of one."""
    neighbours.use_threads(machine.threads)
    categories = Bench(root, category, (0,), machine, progress).categories
    if len(categories) > 1:
        raise BadInput(f"--category: expected one of {', '.join(one.name for one in categories)}, got none; speed is of one")
    return categories[0]


def shown(one: Category, count: int, method: Method, seed: int) -> list[U8]:
    """Return so many test pictures in random order, of the input's size: uint8 [h,w,3]."""
    order = np.random.default_rng(seed).permutation(len(one.tests.cases))[:count]
    return [preprocess.prepare(one.tests.cases[i].sample.pixels(), method.size_px) for i in order]


def _no_golden() -> Golden:
    none: Mapping[str, Any] = {name: np.empty(0, np.uint8) for name in Golden.__dataclass_fields__}
    return Golden(**none)
