"""A judge learnt from some pictures, as benchmarks need it: for pictures of any size, each resized to the input.

A station's pictures are all of one size; those of a data set may vary (the magnetic tiles do).
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from calibration import bank, fitting, graphs
from calibration.evaluate import Seen
from calibration.features import U8, Extractor, Features
from calibration.pictures import Sample
from calibration.progress import Progress
from inspectd.station.schema import Method
from inspectd.vision import methods
from inspectd.vision.backbone import Backbone
from inspectd.vision.member import Placed


@dataclass(frozen=True)
class Machine:
    """By what it is computed: where base graphs were added, and how many threads each step may use."""

    backbones: Path
    threads: int = 2


@dataclass(frozen=True)
class Learnt:
    """What one method has learnt from some good pictures."""

    method: Method
    extractor: Extractor
    arrays: methods.Arrays
    judge: methods.Method

    def see(self, pixels: U8) -> Seen:
        """Judge one picture; its heat map is worked out when asked for."""
        view = self.extractor.view(pixels.shape[:2])
        said = Placed(self.judge, self.method, view).judge(self.extractor.vectors([pixels]))
        return Seen(float(said.scores[0]), lambda: view.heat(said.distances[0]))


def extractor(method: Method, machine: Machine) -> Extractor:
    """Cut the method's graph and open it."""
    graph = graphs.cut(graphs.base_graph(method.backbone, machine.backbones), method.layers, method.patch)
    with tempfile.TemporaryDirectory() as work:
        opened = Backbone.open(Path(work) / f"{graphs.store(Path(work), graph)}.onnx", machine.threads)
    return Extractor(opened, method.size_px, stride=method.stride, tiling=method.tiling)


def learn(method: Method, samples: Sequence[Sample], seed: int, machine: Machine, progress: Progress) -> Learnt:
    """Learn from good pictures; a bank holds what was asked for, or all their patches if they are fewer."""
    sees = extractor(method, machine)
    asked = _within(method, len(samples) * sees.patches)
    features = Features(sees, samples, seed, progress.stage("patch vectors", len(samples)))
    advance = progress.stage("bank", fitting.steps(features, len(samples), asked))
    arrays = fitting.fit(features, np.arange(len(samples)), asked, seed, advance)
    return Learnt(asked, sees, arrays, fitting.judge(arrays, asked, sees))


def _within(method: Method, patches: int) -> Method:
    """Ask for no more than there is: all patches, of which none need be chosen."""
    return method if bank.size(method, patches) < patches else replace(method, bank=patches, sampler="random")
