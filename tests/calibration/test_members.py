"""From a station file to a verdict: members, shapes of the input, tiles and strides go all the way through."""

from pathlib import Path

import numpy as np
import pytest

from calibration.build import CalibrationResult, calibrate
from calibration.features import Extractor, Features
from calibration.job import Options
from inspectd.errors import BadInput
from inspectd.station import load
from inspectd.station.schema import Tiling
from inspectd.station.state import StateDir
from inspectd.vision.backbone import Backbone
from inspectd.vision.detector import Detector
from inspectd.vision.member import Placed
from inspectd.vision.methods.patchcore import PatchCore
from inspectd.wire.enums import Reason
from inspectd.wire.messages import Key, WorkItem
from inspectd.worker.score import score
from tests.calibration import parts
from tests.calibration.parts import METHOD

pytestmark = pytest.mark.usefixtures("no_charts")

SMALL = "backbone: lite0, layers: [4, 10]"  # 8 x 8 patches of 64 x 64 pixels
MEMBERS = """
  members:
    - {backbone: lite0, layers: [4, 10], input_px: 64, bank: 100, weight: 2}
    - {backbone: lite0, input_px: [96, 64], layers: [4], bank: 200, stride: 2, score: max}
    - {backbone: lite0, layers: [4, 10], input_px: 64, bank: 150, tiling: {rows: 2, columns: 2, overlap_px: 16}}
"""
KINDS = f"""
  members:
    - {{kind: padim, {SMALL}, input_px: 64, tiling: {{overlap_px: 16}}}}
    - {{kind: spade, {SMALL}, input_px: 64, retrieve: 5}}
"""


def made(tmp_path: Path, method: str, extra: str = "", threads: int = 1) -> CalibrationResult:
    """Calibrate a station from its file on 24 good parts."""
    stations = tmp_path / "stations"
    stations.mkdir(exist_ok=True)
    text = f"station: lid\ncamera: {{kind: folder, path: ../good}}\ndeadline_ms: 200\nseed: 5\n{extra}method: {method}\n"
    (stations / "lid.yaml").write_text(text)
    if not (tmp_path / "good").exists():
        parts.good_folder(tmp_path / "good", 24)
    state = StateDir(tmp_path / "state")
    config = load.load(stations)
    return calibrate(config, "lid", "default", tmp_path / "good", None, state, Options(threads=threads))


def verdicts(detectors: list[Detector], pictures: list[np.ndarray]) -> list[list[float]]:
    """Scores that a worker answers with when it gets the pictures of all detectors in one batch."""
    held = {detector.fingerprint: detector for detector in detectors}
    asked = [(fingerprint, pixels) for pixels in pictures for fingerprint in held]
    items = [
        WorkItem(Key("lid", 1, i), mark, 100.0, pixels.shape, "mono8", camera_px=(64, 64))
        for i, (mark, pixels) in enumerate(asked)
    ]
    answers = [one.answer for one in score(items, [memoryview(pixels.tobytes()) for _, pixels in asked], held)]
    assert [(answer.key.seq, answer.reason) for answer in answers] == [(i, Reason.NONE) for i in range(len(asked))]
    return [[answer.score for answer in answers[i :: len(held)]] for i in range(len(held))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        MEMBERS,
        f"{{{SMALL}, input_px: [64, 128], bank: 100}}",
        f"{{{SMALL}, input_px: 64, bank: 150, tiling: {{overlap_px: 16}}}}",
        f"{{{SMALL}, input_px: 128, bank: 60, stride: 3}}",
        KINDS,
    ],
    ids=["members", "aspect", "tiles", "stride", "kinds"],
)  # fmt: skip
def test_whatever_the_method_good_parts_pass_and_defects_fail_at_any_batch_size_and_thread_count(
    tmp_path: Path, method: str
) -> None:
    """Golden pictures agree, unseen good parts score below all defects, and the map lies over the picture."""
    result = made(tmp_path, method)
    detector = Detector.open(result.directory)
    good, bad = [parts.part(i) for i in range(100, 106)], [parts.bad_part(i)[0] for i in range(6)]
    together = [one.score for one in detector.score([*good, *bad])]
    assert max(together[:6]) < min(together[6:])
    assert [one.label for one in detector.score(bad)] == ["FAIL"] * 6
    for threads in (1, 2):
        other = Detector.open(result.directory, threads)
        assert [other.score([one])[0].score for one in [*good, *bad]] == pytest.approx(together, rel=1e-4)
    pixels, where = parts.bad_part(1)
    heat = detector.score([pixels])[0].map
    assert heat.shape == pixels.shape
    assert heat[where].mean() > 1.3 * heat[~where].mean()


@pytest.mark.slow
def test_a_bundle_of_members_says_how_each_judges_and_two_threads_make_the_same_one(tmp_path: Path) -> None:
    """Arrays of member i stand under m<i>_; weights and spreads are in the manifest; the report names all."""
    result = made(tmp_path, MEMBERS)
    manifest = Detector.open(result.directory).manifest
    assert [(one.input_px, one.stride, one.weight) for one in manifest.members] == [
        ((64, 64), 1, 2), ((96, 64), 2, 1), ((64, 64), 1, 1),
    ]  # fmt: skip
    assert manifest.members[2].tiling is not None
    assert all(one.scale != 1 for one in manifest.members)
    banks = {ref.role: ref.shape[0] for ref in manifest.arrays if ref.role.endswith("_bank")}
    assert banks == {"m0_bank": 100, "m1_bank": 200, "m2_bank": 150}
    report = result.report.read_text(encoding="utf-8")
    assert "2 x 2 tiles, 16 px shared" in report
    assert "weight 2" in report
    assert len(list((tmp_path / "state/backbones").iterdir())) == 2  # two members share a graph
    again = made(tmp_path, MEMBERS, threads=2)
    assert Detector.open(again.directory).manifest.members == manifest.members


@pytest.mark.slow
def test_a_worker_judges_several_stations_kinds_in_one_batch_as_each_alone(tmp_path: Path) -> None:
    """Members, tiles and a plain method whose graph another shares; an error in one harms no other."""
    bundles = [made(tmp_path, method).directory for method in (MEMBERS, f"{{{SMALL}, input_px: 64, bank: 100}}")]
    backbones: dict[str, Backbone] = {}
    detectors = [Detector.open(directory, backbones=backbones) for directory in bundles]
    pictures = [parts.part(200), parts.bad_part(7)[0]]
    expected = [[detector.score([pixels])[0].score for pixels in pictures] for detector in detectors]
    got = verdicts(detectors, pictures)
    assert got[0] == pytest.approx(expected[0], rel=1e-4)
    assert got[1] == pytest.approx(expected[1], rel=1e-4)
    assert len(backbones) == 2


@pytest.mark.slow
def test_roi_and_mask_hold_for_every_member(tmp_path: Path) -> None:
    """What lies outside of them is not seen by any, in tiles or not."""
    parts.write(tmp_path / "good", {f"{i:04}.png": np.pad(parts.part(i), ((8, 8), (16, 0))) for i in range(24)})
    mask = np.full((64, 64), 255, np.uint8)
    mask[:, :24] = 0
    parts.write(tmp_path / "stations", {"mask.png": mask})
    detector = Detector.open(made(tmp_path, MEMBERS, "roi: {x: 16, y: 8, width: 64, height: 64}\nmask: mask.png\n").directory)
    good = parts.part(100)
    hidden, seen = good.copy(), good.copy()
    hidden[20:40, 2:20], seen[20:40, 40:58] = 0, 0
    scores = [one.score for one in detector.score([good, hidden, seen])]
    assert scores[1] == pytest.approx(scores[0])
    assert scores[2] > detector.threshold


@pytest.mark.slow
def test_tiles_that_do_not_fit_are_refused_before_any_patch_is_computed(tmp_path: Path) -> None:
    """With the line of the key, and nothing is written."""
    with pytest.raises(BadInput, match=r"lid\.yaml:5: method\.tiling\.overlap_px: expected at most half a tile: 21 pixels"):
        made(tmp_path, f"{{{SMALL}, input_px: 64, tiling: {{overlap_px: 30}}}}")
    assert not list((tmp_path / "state").rglob("*.*"))


def test_pictures_learnt_from_and_judged_need_not_share_a_shape(backbone: Backbone) -> None:
    """A bank of patches has no places: learnt from 64 x 64 and 96 x 64, it judges 64 x 128, and finds the hole there."""

    def patches(input_px: tuple[int, int], pictures: list[np.ndarray]) -> np.ndarray:
        return Extractor(backbone, input_px).vectors(pictures)

    def strip(seeds: range) -> np.ndarray:
        return np.hstack([parts.part(seed) for seed in seeds])

    square = patches((64, 64), [parts.part(i) for i in range(6)])
    tall = patches((96, 64), [np.vstack([parts.part(i), parts.part(i)[:32]]) for i in range(6, 12)])
    learnt = np.concatenate([square.reshape(-1, 152), tall.reshape(-1, 152)])
    wide = patches((64, 128), [strip(range(2)), strip(range(2, 4)), strip(range(50, 52))])
    learnt = np.concatenate([learnt, wide[:2].reshape(-1, 152)])
    arrays = {"channel_mean": learnt.mean(axis=0), "channel_scale": learnt.std(axis=0) + np.float32(1e-3)}
    arrays["bank"] = (learnt - arrays["channel_mean"]) / arrays["channel_scale"]
    judge = PatchCore(METHOD, arrays)
    broken = strip(range(50, 52))
    broken[20:44, 80:104] = 255
    good, bad = judge.judge(wide[2:]), judge.judge(patches((64, 128), [broken]))
    assert good.distances.shape == (1, 8, 16)
    assert bad.scores[0] > 1.3 * good.scores[0]
    row, column = np.unravel_index(bad.distances[0].argmax(), (8, 16))
    assert 1 <= row <= 6
    assert 9 <= column <= 13


@pytest.mark.parametrize("tiling", [None, Tiling(overlap_px=12)])
def test_pictures_of_several_sizes_are_learnt_from_together(backbone: Backbone, tmp_path: Path, tiling: Tiling | None) -> None:
    """Each is resized, or cut into tiles, by its own size; maps are put back by the size of the picture that is judged."""
    shapes = [(64, 64), (100, 80), (80, 130), (128, 128)]
    pictures = [np.tile(parts.part(i), (2, 3))[:height, :width] for i, (height, width) in enumerate(shapes)]
    folder = parts.write(tmp_path / "good", {f"{i}.png": pixels for i, pixels in enumerate(pictures)})
    sees = Extractor(backbone, (64, 64), tiling=tiling)
    features = Features(sees, parts.samples(folder), 0, lambda _done: None)
    grid = (16, 16) if tiling else (8, 8)
    assert features.vectors(np.arange(4)).shape == (4, *grid, 152)
    arrays = {"channel_mean": features.standard(np.arange(4))[0], "channel_scale": features.standard(np.arange(4))[1]}
    arrays["bank"] = (features.drawn(np.arange(4)) - arrays["channel_mean"]) / arrays["channel_scale"]
    for pixels in pictures:
        view = sees.view(pixels.shape)
        said = Placed(PatchCore(METHOD, arrays), METHOD, view).judge(sees.vectors([pixels]))
        assert said.scores[0] == pytest.approx(0, abs=0.1)  # its own patches are in the bank
        assert view.heat(said.distances[0]).shape == pixels.shape
