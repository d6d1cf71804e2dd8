"""A bundle at work: pictures in, and of each a score, a label and a heat map out.

    picture ─ inputs of each member ─ forward.run (shared by members and stations) ─ each member judges ─ one score

`judge` takes pictures of several detectors, so that stations with the same graph share a forward pass.
"""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inspectd.errors import BadBundle
from inspectd.vision import bundle as bundles
from inspectd.vision import forward, member, neighbours, scoring
from inspectd.vision import outline as outlines
from inspectd.vision.backbone import Backbone, Device
from inspectd.vision.bundle import Bundle, Manifest, Member
from inspectd.vision.golden import check_golden
from inspectd.vision.member import AtWork, Layer, Placed
from inspectd.vision.methods import Judged, judges
from inspectd.vision.view import Lens, View
from inspectd.wire.enums import Verdict
from inspectd.wire.messages import Outline

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]

_BY_CHANNEL = ("bank", "channel_mean", "channel_scale", "pictures", "pooled")  # arrays whose last axis is the graph's channels


@dataclass(frozen=True)
class Result:
    """What a detector says of one picture."""

    score: float
    label: Verdict  # PASS, FAIL, or UNDECIDED in the recheck band
    layers: list[Layer]  # of the heat map, one a member

    @cached_property
    def map(self) -> F32:
        """Heat map float32 [H,W] in roi pixels, in the unit of the score; worked out when first asked for."""
        return member.heat_map(self.layers)


class Detector:
    """One bundle, loaded."""

    def __init__(self, bundle: Bundle, *backbones: Backbone) -> None:
        """`backbones` are the graphs that the bundle's members name, in their order."""
        self.manifest: Manifest = bundle.manifest
        settings = self.manifest.members
        factors = member.shares([one.weight for one in settings], [one.scale for one in settings])
        self.members = [_at_work(bundle, *one) for one in zip(settings, backbones, factors, strict=True)]

    @classmethod
    def open(
        cls, directory: Path, threads: int = 1, backbones: MutableMapping[str, Backbone] | None = None,
        backbone_dir: Path | None = None, device: Device = "cpu",
    ) -> "Detector":  # fmt: skip
        """Load a bundle and its graphs; BadBundle naming file and reason, also if its golden pictures score otherwise.

        `threads` holds for the graphs and for all matrix products of this process.
        `backbones` by sha256 is looked up and added to, so that stations of one process share sessions. Graphs lie in
        `backbone_dir`, by default <state>/backbones of the state directory in which the bundle lies.
        """
        neighbours.use_threads(threads)
        bundle = bundles.read(directory)
        shared = {} if backbones is None else backbones
        graphs = backbone_dir or bundles.graphs_of(directory)
        wanted = [one.backbone for one in bundle.manifest.members]
        for sha256 in wanted:
            if sha256 not in shared:
                shared[sha256] = Backbone.open(graphs / f"{sha256}.onnx", threads, device)
        detector = cls(bundle, *(shared[sha256] for sha256 in wanted))
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
    def recheck(self) -> float | None:
        """From this score to the threshold a part is UNDECIDED(recheck); None: no such band."""
        return self._found(bundles.RECHECK)

    @property
    def batch_key(self) -> str:
        """Pictures of one key can share forward passes: sha256 of the graph, or of all members' graphs."""
        return "+".join(one.batch_key for one in self.members)

    @property
    def backbone(self) -> Backbone:
        """The graph of a bundle of one member."""
        return self._only.backbone

    def prepare(self, pixels: U8) -> U8:
        """uint8 [H,W] or [H,W,3] as the camera sends it to the graph's input [h,w,3], with tiles [T,h,w,3]; of one member."""
        inputs = self._only.view.prepare(pixels)
        return inputs if self._only.view.stitched else inputs[0]

    def judge(self, vectors: F32) -> Result:
        """Patch vectors [h,w,d] of one picture, with tiles [T,h,w,d], to its result; of one member."""
        apart = vectors if self._only.view.stitched else vectors[None]
        return self.results([apart])[0]

    def results(self, vectors: Sequence[F32]) -> list[Result]:
        """Maps [B*T,h,w,d] of B pictures from each member's graph to one result each."""
        judged = [one.judge(maps) for one, maps in zip(self.members, vectors, strict=True)]
        scores = member.together([one.share for one in self.members], [one.scores for one in judged])
        return [
            Result(score, label(score, self.threshold, self.recheck), self._layers(judged, picture))
            for picture, score in enumerate(scores.tolist())
        ]

    def score(self, images: Sequence[U8]) -> list[Result]:
        """Score pictures as the camera sends them, in one batch."""
        return judge([(self, pixels) for pixels in images])

    def map_per_mille(self, result: Result) -> npt.NDArray[np.uint16]:
        """Heat map uint16 [H,W] as it travels: per mille of the threshold, clamped at 65,535."""
        return scoring.per_mille(result.map, self.threshold)

    def outline(self, result: Result) -> Outline | None:
        """Where a result's heat map reaches the pixel threshold; None where the bundle has none."""
        threshold = self._found(bundles.PIXEL)
        return None if threshold is None else outlines.outline(result.map, threshold, self.manifest.picture.mm_per_px)

    def _found(self, name: str) -> float | None:
        found = self.manifest.thresholds.get(name)
        return None if found is None else found.value

    @property
    def _only(self) -> AtWork:
        if len(self.members) != 1:
            raise ValueError(f"expected a bundle of one member, got {len(self.members)}; use score")
        return self.members[0]

    def _layers(self, judged: Sequence[Judged], picture: int) -> list[Layer]:
        pairs = zip(self.members, judged, strict=True)
        return [Layer(one.share, said.distances[picture], one.view.heat) for one, said in pairs]


def judge(asked: Sequence[tuple[Detector, U8]]) -> list[Result]:
    """Judge pictures, each by its own detector: forward passes are shared, then each detector judges its pictures at once."""
    inputs = [[(one.backbone, one.view.prepare(pixels)) for one in detector.members] for detector, pixels in asked]
    maps = iter(forward.run([one for picture in inputs for one in picture]))
    vectors = [[next(maps) for _ in picture] for picture in inputs]
    pictures: dict[int, list[int]] = {}
    for place, (detector, _) in enumerate(asked):
        pictures.setdefault(id(detector), []).append(place)
    results: dict[int, Result] = {}
    for places in pictures.values():
        by_member = zip(*(vectors[place] for place in places), strict=True)
        results |= zip(places, asked[places[0]][0].results([_joined(maps) for maps in by_member]), strict=True)
    return [results[place] for place in range(len(asked))]


def _joined(maps: Sequence[F32]) -> F32:
    """Maps of several pictures as one array; those of one are not copied."""
    return maps[0] if len(maps) == 1 else np.concatenate(maps)


def label(score: float, threshold: float, recheck: float | None = None) -> Verdict:
    """PASS only if the score is below the threshold, and below that of the recheck band where there is one; NaN is not."""
    if not score < threshold:
        return Verdict.FAIL
    return Verdict.PASS if recheck is None or score < recheck else Verdict.UNDECIDED


def _at_work(bundle: Bundle, settings: Member, backbone: Backbone, share: float) -> AtWork:
    _check_channels(bundle, settings, backbone)
    lens = Lens(settings.input_px, backbone.stride, backbone.offset, settings.stride, settings.tiling)
    mask = bundle.arrays["mask"] != 0 if "mask" in bundle.arrays else None
    view = View(lens, bundle.manifest.picture.judged_px, mask, settings.map_sigma_px)
    arrays = {name: bundle.arrays[role] for name, role in settings.arrays.items()}
    try:
        method = judges.judge(settings.method, settings, arrays, view.judged)
    except BadBundle as error:
        raise BadBundle(f"{bundle.directory}: {error}") from error
    return AtWork(backbone, Placed(method, settings, view), share)


def _check_channels(bundle: Bundle, settings: Member, backbone: Backbone) -> None:
    for role in (settings.arrays[name] for name in _BY_CHANNEL if name in settings.arrays):
        shape = bundle.arrays[role].shape
        if shape[-1] != backbone.channels:
            path = bundle.directory / f"{role}.npy"
            raise BadBundle(f"{path}: expected arrays for {backbone.channels} channels, got shape {shape}; calibrate again")
