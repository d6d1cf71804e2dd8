"""From what was learnt to a bundle on disk: golden pictures, versions, and publishing; whole and proven, or not at all."""

import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import inspectd
from calibration import defects, graphs
from calibration.ensemble import Panel
from calibration.features import U8, Mask
from calibration.pictures import Sample
from inspectd.station.scratch import alone
from inspectd.station.state import StateDir
from inspectd.vision import bundle as bundles
from inspectd.vision import reports, shelf
from inspectd.vision.backbone import Backbone
from inspectd.vision.bundle import Array, Bundle, Manifest
from inspectd.vision.detector import Detector
from inspectd.vision.golden import Golden

_TRIES = 8  # defects painted on a golden picture until one is rejected; else the one with the highest score is kept
_LIBRARIES = ("numpy", "onnxruntime", "onnxruntime-gpu", "opencv-python-headless")
_INDEXING = ("faiss-cpu", "faiss-gpu")


class Draft(NamedTuple):
    """A bundle that is not written yet."""

    manifest: Manifest
    arrays: Mapping[str, Array]
    golden: Golden
    warnings: list[str]
    pages: Callable[[Manifest, int], Mapping[str, bytes]]  # report and figures, of the sealed manifest and the bundle's number


def golden(panel: Panel, samples: Sequence[Sample], seed: int, threshold: float) -> Golden:
    """Score good pictures that no bank contains, and the same with synthetic defects."""
    extractor = panel.extractors[0]  # all members see the same roi and mask
    good = np.stack([extractor.cut(sample.pixels()) for sample in samples])
    defective = np.empty_like(good)
    for i, pixels in enumerate(good):
        best = -np.inf
        for painted in _painted(pixels, defects.KINDS[i % len(defects.KINDS)], seed, extractor.mask):
            reached = float(panel.score([painted])[0])
            if reached > best:
                best, defective[i] = reached, painted
            if best >= threshold:
                break
    good_scores, defective_scores = panel.score(good), panel.score(defective)
    return Golden(good, defective, good_scores, defective_scores, good_scores >= threshold, defective_scores >= threshold)


def _painted(pixels: U8, kind: str, seed: int, inside: Mask | None) -> Iterator[U8]:
    """Paint one defect after the other on a picture, a fifth of its side large, each by another seed."""
    for t in range(_TRIES):
        yield defects.make(kind, pixels, inside, max(4, min(pixels.shape[:2]) / 5), np.random.default_rng(seed + t))[0]


def versions(threads: int, indexed: bool = False) -> dict[str, str]:
    """Return what figures depend on beside their inputs: libraries, processor type, threads; faiss if a bank was `indexed`."""
    wanted = (*_LIBRARIES, *(_INDEXING if indexed else ()))
    libraries = {name: version for name in wanted if (version := _version(name))}
    python = platform.python_version()
    used = f"{threads} (of {len(os.sched_getaffinity(0))})"
    return {"inspectd": inspectd.__version__, "python": python, **libraries, "processor": _processor(), "threads": used}


def _version(name: str) -> str | None:
    """Return a package's version; None if another of the same module is installed instead."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def publish(draft: Draft, state: StateDir, cut: Mapping[str, bytes], backbones: Sequence[Backbone], work: Path) -> Bundle:
    """Write a bundle with its report under the next number, after a detector has read it and its golden pictures agree.

    `cut` are its graphs by sha256, `backbones` the same at work. It is made in `work` (on the same disk) and moved as a whole;
    `current` is not touched. BadBundle or StateError if that fails. Two calibrations that end at once publish one after the
    other: the number stands in the report.
    """
    with alone(state.root):
        return _publish(draft, state, cut, backbones, work)


def _publish(draft: Draft, state: StateDir, cut: Mapping[str, bytes], backbones: Sequence[Backbone], work: Path) -> Bundle:
    station, product = draft.manifest.station, draft.manifest.product
    number = shelf.following(state, station, product)
    made = bundles.write(work / str(number), draft.manifest, draft.arrays, draft.golden)
    manifest = reports.attach(made.directory, made.manifest, draft.pages(made.manifest, number))
    Detector.open(made.directory, backbones={backbone.sha256: backbone for backbone in backbones})
    target = state.bundle(station, product, number)
    new = [path for path in (state.backbones / f"{sha256}.onnx" for sha256 in cut) if not path.exists()]
    try:
        for graph in cut.values():
            graphs.store(state.backbones, graph)
        shelf.place(made.directory, target)
    except BaseException:  # Ctrl-C too must not leave a graph that no bundle names
        for path in () if target.exists() else new:
            path.unlink(missing_ok=True)
        raise
    return Bundle(target, manifest, made.arrays, made.golden)


def _processor() -> str:
    """Return the processor's type, as the kernel names it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
