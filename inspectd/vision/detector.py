"""A bundle at work: a picture in, a score, a label and a heat map out.

    prepare ─ backbone.run (shared by stations) ─ judge_batch

The worker calls the three steps apart, so that stations with the same graph share a forward pass; `score` does all of them.
"""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inspectd.errors import BadBundle
from inspectd.vision import bundle as bundles
from inspectd.vision import neighbours, preprocess, scoring
from inspectd.vision.backbone import Backbone, Device
from inspectd.vision.bundle import Bundle, Manifest, Member
from inspectd.vision.golden import check_golden
from inspectd.vision.methods import Method
from inspectd.vision.methods.patchcore import PatchCore
from inspectd.wire.messages import Verdict

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Result:
    """What a detector says of one picture."""

    score: float
    label: Verdict  # PASS or FAIL
    distances: F32  # [h,w], of each patch
    heat: scoring.Separable

    @cached_property
    def map(self) -> F32:
        """Heat map float32 [H,W] in roi pixels, in the unit of the score; worked out when first asked for."""
        return self.heat(self.distances)


class Detector:
    """One bundle, loaded."""

    def __init__(self, bundle: Bundle, backbone: Backbone) -> None:
        """`backbone` is the graph that the bundle's member names."""
        member = _only_member(bundle)
        _check_channels(bundle, backbone)
        self.manifest: Manifest = bundle.manifest
        self.backbone = backbone
        self._input_px = member.input_px
        self._mask: npt.NDArray[np.bool_] | None = bundle.arrays["mask"] != 0 if "mask" in bundle.arrays else None
        grid = (member.input_px[0] // backbone.stride, member.input_px[1] // backbone.stride)
        judged = None if self._mask is None else preprocess.judged_cells(self._mask, grid)
        self._method: Method = PatchCore.of(member, bundle.arrays, judged)
        self._heat = scoring.heat(
            grid, member.input_px, self.manifest.picture.judged_px, backbone.stride, backbone.offset, member.map_sigma_px
        )

    @classmethod
    def open(
        cls, directory: Path, threads: int = 1, backbones: MutableMapping[str, Backbone] | None = None,
        backbone_dir: Path | None = None, device: Device = "cpu",
    ) -> "Detector":  # fmt: skip
        """Load a bundle and its graph; BadBundle naming file and reason, also if its golden pictures score otherwise.

        `threads` holds for the graph and for all matrix products of this process.
        `backbones` by sha256 is looked up and added to, so that stations of one process share sessions. Graphs lie in
        `backbone_dir`, by default <state>/backbones of the state directory in which the bundle lies.
        """
        neighbours.use_threads(threads)
        bundle = bundles.read(directory)
        shared = {} if backbones is None else backbones
        sha256 = _only_member(bundle).backbone
        if sha256 not in shared:
            graphs = backbone_dir or bundles.graphs_of(directory)
            shared[sha256] = Backbone.open(graphs / f"{sha256}.onnx", threads, device)
        detector = cls(bundle, shared[sha256])
        try:
            check_golden(detector, bundle.golden)
        except BadBundle as error:
            raise BadBundle(f"{directory / bundles.GOLDEN}: {error}") from error
        return detector

    @property
    def fingerprint(self) -> str:
        """16 hex digits: the settings, thresholds and arrays by which it judges."""
        return self.manifest.fingerprint

    @property
    def threshold(self) -> float:
        """`score >= threshold` is FAIL."""
        return self.manifest.threshold

    @property
    def batch_key(self) -> str:
        """Pictures of one key can share a forward pass: sha256 of the graph."""
        return self.backbone.sha256

    def prepare(self, pixels: U8) -> U8:
        """uint8 [H,W] or [H,W,3] as the camera sends it to the graph's input uint8 [h,w,3]."""
        return preprocess.prepare(pixels, self._input_px, self._mask)

    def judge(self, vectors: F32) -> Result:
        """Patch vectors [h,w,d] of one picture to its result."""
        return self.judge_batch(vectors[None])[0]

    def judge_batch(self, vectors: F32) -> list[Result]:
        """Patch vectors [B,h,w,d] to one result each."""
        judged = self._method.judge(vectors)
        return [
            Result(score, label(score, self.threshold), distances, self._heat)
            for score, distances in zip(judged.scores.tolist(), judged.distances, strict=True)
        ]

    def score(self, images: Sequence[U8]) -> list[Result]:
        """Score pictures as the camera sends them, in one batch."""
        if not images:
            return []
        return self.judge_batch(self.backbone.run(np.stack([self.prepare(pixels) for pixels in images])))

    def map_per_mille(self, result: Result) -> npt.NDArray[np.uint16]:
        """Heat map uint16 [H,W] as it travels: per mille of the threshold, clamped at 65,535."""
        return scoring.per_mille(result.map, self.threshold)


def label(score: float, threshold: float) -> Verdict:
    """PASS only if the score is below the threshold; NaN is not."""
    return Verdict.PASS if score < threshold else Verdict.FAIL


def _only_member(bundle: Bundle) -> Member:
    if len(bundle.manifest.members) != 1:
        path = bundle.directory / bundles.MANIFEST
        raise BadBundle(f"{path}: expected one member, got {len(bundle.manifest.members)}; update inspectd")
    return bundle.manifest.members[0]


def _check_channels(bundle: Bundle, backbone: Backbone) -> None:
    for role in bundle.manifest.members[0].arrays.values():
        shape = bundle.arrays[role].shape
        if shape[-1] != backbone.channels:
            path = bundle.directory / f"{role}.npy"
            raise BadBundle(f"{path}: expected arrays for {backbone.channels} channels, got shape {shape}; calibrate again")
