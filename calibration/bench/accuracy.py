"""Accuracy as in the papers: learn from train/good, judge test/, and report at the F1-optimal threshold.

Other than a station, a benchmark may hold pictures of several sizes (the magnetic tiles do): each is resized to the input.
"""

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import msgspec
import numpy as np

from calibration import evaluate, fitting, graphs, layout
from calibration.evaluate import Figures, Judgement, Seen
from calibration.features import U8, Extractor, Features
from calibration.layout import Layout
from calibration.pictures import Sample
from calibration.progress import Progress, Silent
from inspectd.errors import BadInput
from inspectd.station.schema import Method
from inspectd.vision import neighbours, scoring
from inspectd.vision.backbone import Backbone

_MAP_SIGMA_PX = 4.0  # of the heat map, as in bundles
_AVERAGED = ("image_auroc", "pixel_auroc", "pro", "f1", "threshold", "false_positives", "false_negatives", "ms_per_image")


def accuracy(
    directory: Path, seeds: Sequence[int] = (0,), method: Method | None = None, backbones: Path | None = None, threads: int = 2,
    progress: Progress | None = None,
) -> Figures:  # fmt: skip
    """Return the figures on a folder laid out as MVTec AD: means over the seeds, `spread` of each, and each seed's own.

    Keys as `evaluate`'s, at the F1-optimal threshold of each seed. `backbones` is where base graphs were added. BadInput or
    BadImages if the folder is laid out otherwise.
    """
    shown, settings = progress or Silent(), method or Method()
    if not seeds:
        raise BadInput("accuracy: expected at least one seed, got none")
    neighbours.use_threads(threads)
    train, tests = layout.train_good(directory, shown), layout.read(directory, shown)
    with tempfile.TemporaryDirectory() as work:
        extractor = _extractor(settings, backbones or Path(work), Path(work), threads)
        runs = [evaluate.figures(_judged(extractor, settings, train, tests, seed, shown), None) for seed in seeds]
    described = msgspec.to_builtins(settings) | {
        "seeds": list(seeds),
        "train": len(train),
        "test": len(tests.cases),
        "batch": 1,
    }
    return _means(runs) | {"reasons": runs[0]["reasons"], "settings": described, "by_seed": runs}


def _extractor(method: Method, backbones: Path, work: Path, threads: int) -> Extractor:
    sha256 = graphs.store(work, graphs.cut(graphs.base_graph(method.backbone, backbones), method.layers, method.patch))
    return Extractor(Backbone.open(work / f"{sha256}.onnx", threads), (method.input_px, method.input_px))


def _judged(
    extractor: Extractor, method: Method, train: Sequence[Sample], tests: Layout, seed: int, progress: Progress
) -> Judgement:
    """Learn from the good pictures and judge the test pictures."""
    features = Features(extractor, train, seed, progress.stage("patch vectors", len(train)))
    fitted = fitting.fit(features, np.arange(len(train)), method, seed, progress.stage("bank", method.bank))
    judge, backbone = fitting.judge(fitted, method, extractor), extractor.backbone

    @cache
    def heat(size: tuple[int, int]) -> scoring.Separable:
        return scoring.heat(extractor.grid, extractor.input_px, size, backbone.stride, backbone.offset, _MAP_SIGMA_PX)

    def see(pixels: U8) -> Seen:
        said = judge.judge(extractor.vectors([pixels]))
        return Seen(float(said.scores[0]), lambda: heat(pixels.shape[:2])(said.distances[0]))

    return evaluate.collect(tests, see, None, progress)


def _means(runs: Sequence[Figures]) -> dict[str, Any]:
    """Average each figure over the runs; None where it could not be worked out."""
    known = [key for key in _AVERAGED if runs[0][key] is not None]
    means = {key: fmean(run[key] for run in runs) if key in known else None for key in _AVERAGED}
    return means | {"spread": {key: pstdev(run[key] for run in runs) for key in known}}
