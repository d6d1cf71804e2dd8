"""Made parts and bundles for tests of vision: a woven texture, good and with a scratch, and a bank of random vectors."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from calibration import graphs
from inspectd import image
from inspectd.station.schema import Tiling
from inspectd.station.state import StateDir
from inspectd.vision import bundle, reports
from inspectd.vision.backbone import Backbone
from inspectd.vision.bundle import Bundle, Manifest, Member, PictureSpec
from inspectd.vision.detector import Detector
from inspectd.vision.golden import Golden
from inspectd.vision.view import Lens, View

SIDE = 96  # of made parts
INPUT = (64, 64)
ARRAYS = {"bank": "bank", "channel_mean": "channel_mean", "channel_scale": "channel_scale"}


def good_part(seed: int) -> image.U8:
    """A woven texture, a little elsewhere and with other noise for each seed."""
    rng = np.random.default_rng(seed)
    across, down = np.meshgrid(np.arange(SIDE) + rng.uniform(0, 12), np.arange(SIDE) + rng.uniform(0, 12))
    weave = 128 + 50 * np.sin(across / 2) * np.sin(down / 2) + rng.normal(0, 4, (SIDE, SIDE))
    return np.clip(weave, 0, 255).astype(np.uint8)


def defective_part(seed: int) -> image.U8:
    """The good part of the same seed with a dark scratch."""
    part = good_part(seed)
    part[40:46, 20:76] = 10
    return part


@cache
def cut_graph() -> bytes:
    """Lite0 cut to blocks 2 and 4, p = 3: small and quick."""
    return graphs.cut(graphs.SHIPPED / "lite0.onnx", (2, 4), 3)


def backbone(state: StateDir) -> Backbone:
    """The small graph, stored and loaded."""
    sha256 = graphs.store(state.backbones, cut_graph())
    return Backbone.open(state.backbones / f"{sha256}.onnx")


def manifest(**changes: object) -> Manifest:
    """A manifest of a mono8 station; `changes` replace fields."""
    member = Member(
        backbone="ab" * 32, backbone_name="lite0", layers=(2, 4), patch=3, input_px=INPUT, arrays=ARRAYS
    )  # fmt: skip
    picture = PictureSpec(camera_px=(SIDE, SIDE), pixel_format="mono8")
    return replace(Manifest(station="weave", members=(member,), picture=picture, threshold=5.0), **changes)


def arrays(channels: int = 8, vectors: int = 20) -> dict[str, np.ndarray]:
    """Arrays of a bundle that need fit no graph."""
    rng = np.random.default_rng(3)
    return {
        "bank": rng.normal(size=(vectors, channels)).astype(np.float32),
        "channel_mean": np.zeros(channels, np.float32),
        "channel_scale": np.ones(channels, np.float32),
    }


def golden() -> Golden:
    """Golden pictures with made-up scores around a threshold of 5."""
    return Golden(
        good=np.stack([good_part(i) for i in range(4)]), defective=np.stack([defective_part(i) for i in range(4)]),
        good_scores=np.array([1.0, 2, 3, 4]), defective_scores=np.array([6.0, 7, 8, 9]),
        good_failed=np.zeros(4, bool), defective_failed=np.ones(4, bool),
    )  # fmt: skip


def real_bundle(state: StateDir, number: int = 1, **member_changes: object) -> Bundle:
    """A bundle that judges: bank from eight good parts, threshold between good and defective golden parts."""
    graph = backbone(state)
    member = replace(manifest().members[0], backbone=graph.sha256, **member_changes)
    contents = learnt(graph, member)
    draft = Bundle(Path("draft"), manifest(members=(member,)), contents, golden())
    detector = Detector(draft, graph)
    good, bad = ([r.score for r in detector.score(list(pictures))] for pictures in (golden().good, golden().defective))
    threshold = (max(good) + min(bad)) / 2
    sealed = Golden(
        good=golden().good, defective=golden().defective, good_scores=np.array(good), defective_scores=np.array(bad),
        good_failed=np.array(good) >= threshold, defective_failed=np.array(bad) >= threshold,
    )  # fmt: skip
    target = state.bundle("weave", "default", number)
    return bundle.write(target, replace(draft.manifest, threshold=threshold), contents, sealed)


def learnt(graph: Backbone, member: Member) -> dict[str, np.ndarray]:
    """Arrays of a bank from eight good parts, as the member sees them."""
    view = View(Lens(member.input_px, graph.stride, graph.offset, member.stride, member.tiling), (SIDE, SIDE))
    features = np.concatenate([view.lens.gather(graph.run(view.prepare(good_part(100 + i)))) for i in range(8)])
    features = features.reshape(-1, graph.channels)
    mean, scale = features.mean(axis=0), features.std(axis=0) + np.float32(1e-3)
    return {"bank": ((features - mean) / scale)[::3], "channel_mean": mean, "channel_scale": scale}


def two_members(state: StateDir, threads: int = 1) -> Detector:
    """A detector of two members with one graph, spreads 0.5 and 2, weights 1 and 3; no golden check."""
    path = state.backbones / f"{backbone(state).sha256}.onnx"
    graph = Backbone.open(path, threads)
    tiling = Tiling(rows=2, columns=2, overlap_px=20)
    plain = replace(manifest().members[0], backbone=graph.sha256, scale=0.5)
    tiled = replace(plain, tiling=tiling, stride=2, scale=2.0, weight=3.0, score="max")
    members = tuple(replace(one, arrays={name: f"m{i}_{name}" for name in one.arrays}) for i, one in enumerate((plain, tiled)))
    arrays = {member.arrays[name]: array for member in members for name, array in learnt(graph, member).items()}
    return Detector(Bundle(Path("draft"), manifest(members=members), arrays, golden()), graph, graph)


def idle_bundle(state: StateDir, station: str = "weave", number: int = 1) -> Bundle:
    """A bundle whose checksums are all right and which judges nothing: its graph is none."""
    graph = b"graph"
    sha256 = hashlib.sha256(graph).hexdigest()
    state.backbones.mkdir(parents=True, exist_ok=True)
    (state.backbones / f"{sha256}.onnx").write_bytes(graph)
    sealed = manifest(station=station, members=(replace(manifest().members[0], backbone=sha256),))
    return bundle.write(state.bundle(station, "default", number), sealed, arrays(), golden())


def reported_bundle(state: StateDir) -> Path:
    """The directory of such a bundle with a report."""
    made = idle_bundle(state)
    reports.attach(made.directory, made.manifest, {reports.REPORT: b"for people"})
    return made.directory
