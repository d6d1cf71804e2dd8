"""Calibration gives a bundle that a worker takes, the same for the same inputs, or an error and nothing else."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration import memory, threshold
from calibration.build import CalibrationResult, calibrate
from calibration.job import Options
from calibration.progress import Advance, Progress
from inspectd.errors import BadBundle, BadImage, BadImages, ConfigError, Interrupted, NotEnoughPictures, StateError
from inspectd.station.schema import Config, Roi, Threshold
from inspectd.station.state import StateDir
from inspectd.vision import bundle as bundles
from inspectd.vision import ivfpq
from inspectd.vision.detector import Detector
from inspectd.vision.ivfpq import LEAST, IvfPq
from inspectd.vision.neighbours import Neighbours, standardise
from tests.calibration import parts
from tests.calibration.parts import METHOD, Watch

# each runs a whole calibration, if a small one
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_charts")]

ONE = Options(threads=1)


def run(
    tmp_path: Path, state: StateDir, config: Config | None = None, bad: Path | None = None, options: Options = ONE,
    progress: Progress | None = None,
) -> CalibrationResult:  # fmt: skip
    good = tmp_path / "good"
    if not good.exists():
        parts.good_folder(good, 24)
    return calibrate(config or parts.config(tmp_path), "lid", "default", good, bad, state, options, progress)


def files(state: StateDir) -> list[str]:
    return sorted(str(path.relative_to(state.root)) for path in state.root.rglob("*") if path.is_file())


def test_a_bundle_comes_out_that_a_worker_takes_and_that_tells_good_from_bad(tmp_path: Path, state: StateDir) -> None:
    """Its golden pictures agree, unseen good parts pass, defects fail, and nothing but graph and bundle was written."""
    result = run(tmp_path, state)
    detector = Detector.open(result.directory)
    assert detector.fingerprint == result.fingerprint
    assert detector.threshold == result.threshold
    good = detector.score([parts.part(i) for i in range(100, 110)])
    bad = detector.score([parts.bad_part(i)[0] for i in range(10)])
    assert max(r.score for r in good) < min(r.score for r in bad)
    assert [r.label for r in bad] == ["FAIL"] * 10
    graph = f"backbones/{detector.backbone.sha256}.onnx"
    bundle = f"stations/lid/default/bundles/{result.number}"
    names = ("bank.npy", "channel_mean.npy", "channel_scale.npy", "golden.npz", "manifest.json", "report.html", "report.json")
    assert files(state) == [graph, *(f"{bundle}/{name}" for name in names)]
    assert result.report.read_bytes().startswith(b"<!DOCTYPE html>")
    assert result.rule == "max_false_reject"
    assert "24 cross-fitted good groups" in result.how


def test_a_bundle_outlines_defects_and_has_the_band_that_was_asked_for(tmp_path: Path, state: StateDir) -> None:
    """What the manifest promises is what the detector does: boxes where a defect was painted, none on most good parts."""
    config = parts.config(tmp_path, threshold=Threshold(recheck=0.5), mm_per_px=0.5)
    detector = Detector.open(run(tmp_path, state, config, bad=parts.bad_folder(tmp_path / "bad")).directory)
    assert detector.recheck == pytest.approx(detector.threshold / 2)
    defective, where = parts.bad_part(3)
    found = detector.outline(detector.score([defective])[0])
    assert found is not None
    assert found.area_mm2 == pytest.approx(0.25 * found.area_px)
    x, y, width, height = found.boxes[0]
    assert where[y : y + height, x : x + width].any()
    good = detector.score([parts.part(i) for i in range(100, 110)])
    assert sum(bool(detector.outline(result).regions) for result in good) <= 2
    assert {result.label for result in good} <= {"PASS", "UNDECIDED"}
    metrics = detector.manifest.metrics
    assert 0 <= metrics["synthetic_recall"] <= 1
    assert metrics["synthetic_recall.blob.22px"] >= metrics["synthetic_recall.blob.3px"]
    assert metrics["f1_threshold_low"] <= metrics["f1_threshold_high"]


@pytest.mark.parametrize(
    ("changes", "arrays"),
    [
        ({"kind": "padim", "channels": 30}, {"axes", "centre", "whiten"}),
        ({"kind": "padim", "channels": 30, "reduction": "pca"}, {"axes", "centre", "whiten"}),
        ({"kind": "spade", "retrieve": 5}, {"pictures", "pooled"}),
        ({"kind": "spade", "retrieve": 3, "score": "max"}, {"pictures", "pooled"}),
        ({"bank": "10%"}, {"bank"}),
        ({"sampler": "proxy"}, {"bank"}),
    ],
)
def test_every_method_gives_a_bundle_that_a_worker_takes(
    changes: dict[str, object], arrays: set[str], tmp_path: Path, state: StateDir
) -> None:
    """Of the arrays that it judges by; unseen good parts score lower than defective ones, and the settings are kept."""
    method = msgspec.structs.replace(METHOD, **changes)
    detector = Detector.open(run(tmp_path, state, parts.config(tmp_path, method=method)).directory)
    member = detector.manifest.members[0]
    assert set(member.arrays) == {"channel_mean", "channel_scale"} | arrays
    assert (member.method, member.score, member.retrieve) == (method.kind, method.score, method.retrieve)
    good = [r.score for r in detector.score([parts.part(i) for i in range(100, 106)])]
    bad = [r.score for r in detector.score([parts.bad_part(i)[0] for i in range(6)])]
    assert np.mean(bad) > max(good)


def test_a_large_bank_is_searched_by_an_index_that_the_bundle_holds(tmp_path: Path, state: StateDir) -> None:
    """It finds nearly all that an exact search finds; one with other bytes, or that is no index of the bank, is refused."""
    method = msgspec.structs.replace(METHOD, layers=(4,), input_px=224, bank=LEAST, sampler="random", search="ivfpq")
    config, bad = parts.config(tmp_path, method=method), parts.bad_folder(tmp_path / "bad")
    options = Options(threads=1, holdout=0.25)
    result = run(tmp_path, state, config, bad, options)
    detector, bundle = Detector.open(result.directory), bundles.read(result.directory)
    assert detector.manifest.members[0].search == "ivfpq"
    assert detector.manifest.versions["faiss-cpu"]
    assert {"bank", *ivfpq.ARRAYS} <= bundle.arrays.keys()
    assert run(tmp_path, state, config, bad, options).fingerprint == result.fingerprint
    vectors = detector.backbone.run(np.stack([detector.prepare(parts.part(100))])).reshape(-1, detector.backbone.channels)
    queries = standardise(vectors, bundle.arrays["channel_mean"], bundle.arrays["channel_scale"])
    bank = bundle.arrays["bank"]
    found, exact = IvfPq(bank, bundle.arrays).nearest(queries), Neighbours(bank).nearest(queries)
    assert (found.indices == exact.indices).mean() > 0.9
    assert (found.distances / exact.distances).mean() < 1.01
    bad_index = dict(bundle.arrays) | {"codes": bundle.arrays["codes"][:-1]}
    other = bundles.write(result.directory.with_name("9"), bundle.manifest, bad_index, bundle.golden)
    with pytest.raises(BadBundle, match=r"bundles/9: codes: expected uint8 of shape \(9984, 11\)"):
        Detector.open(other.directory)
    with (result.directory / "codes.npy").open("r+b") as stream:
        stream.seek(5000)
        stream.write(bytes([stream.read(1)[0] ^ 1]))
    with pytest.raises(BadBundle, match=r"codes\.npy: expected sha256"):
        Detector.open(result.directory)


def test_a_bank_too_small_for_an_index_is_refused_before_anything_is_computed(tmp_path: Path, state: StateDir) -> None:
    """With what to do instead."""
    config, watch = parts.config(tmp_path, method=msgspec.structs.replace(METHOD, search="ivfpq")), Watch()
    with pytest.raises(NotEnoughPictures, match=r"method.search: ivfpq: expected a bank of at least 9,984 vectors, got 100"):
        run(tmp_path, state, config, progress=watch)
    assert "patch vectors" not in watch.stages
    assert files(state) == []


def test_the_manifest_says_from_what_and_how(tmp_path: Path, state: StateDir) -> None:
    """Settings of the station, every picture's hash, seed, versions and timings are in it."""
    manifest = Detector.open(run(tmp_path, state).directory).manifest
    member = manifest.members[0]
    assert (member.backbone_name, member.layers, member.patch, member.input_px) == ("lite0", (4, 10), 3, (64, 64))
    assert manifest.picture.camera_px == (64, 64)
    assert manifest.picture.pixel_format == "mono8"
    assert sorted(manifest.pictures) == [f"good/{i:04}.png" for i in range(24)]
    assert manifest.seed == 5
    assert {"inspectd", "numpy", "onnxruntime", "processor", "threads"} <= set(manifest.versions)
    assert not any("faiss" in name for name in manifest.versions)
    assert "patch vectors" in manifest.timings
    assert manifest.thresholds["max_false_reject"].value == manifest.threshold


def test_the_same_inputs_give_the_same_fingerprint_and_the_next_number(tmp_path: Path, state: StateDir) -> None:
    """Twice the same, at numbers 1 and 2; another seed gives another; what is active is not touched."""
    first, second = run(tmp_path, state), run(tmp_path, state)
    assert (first.number, second.number) == (1, 2)
    assert first.fingerprint == second.fingerprint
    other = run(tmp_path, state, parts.config(tmp_path, seed=6))
    assert other.fingerprint != first.fingerprint
    assert state.read_current("lid") is None


def test_bad_parts_give_the_f1_rule_and_figures(tmp_path: Path, state: StateDir) -> None:
    """Labelled defects choose the threshold between the classes, and their hashes are kept."""
    result = run(tmp_path, state, bad=parts.bad_folder(tmp_path / "bad"))
    assert result.rule == "f1"
    assert result.metrics["image_auroc"] == 1.0
    assert (result.metrics["false_positives"], result.metrics["false_negatives"]) == (0, 0)
    manifest = Detector.open(result.directory).manifest
    assert set(manifest.thresholds) == {"f1", "full_recall", "max_false_reject", "pixel"}
    assert "bad/0000.png" in manifest.pictures
    assert b"Bad parts with the lowest scores" in result.report.read_bytes()


def test_held_out_parts_give_an_exact_threshold(tmp_path: Path, state: StateDir) -> None:
    """A quarter is held out, and the sentence says so."""
    result = run(tmp_path, state, options=Options(threads=1, holdout=0.25))
    assert "6 held-out good groups" in result.how
    assert "estimate" not in result.how


def test_roi_and_mask_decide_what_is_judged(tmp_path: Path, state: StateDir) -> None:
    """Pictures with a frame around the part: the roi cuts it off, and a stain where the mask is black is not seen."""

    def framed(pixels: np.ndarray) -> np.ndarray:
        return np.pad(pixels, ((8, 8), (16, 0)), constant_values=255)

    parts.write(tmp_path / "good", {f"{i:04}.png": framed(parts.part(i)) for i in range(24)})
    mask = np.full((64, 64), 255, np.uint8)
    mask[:, :24] = 0
    parts.write(tmp_path, {"mask.png": mask})
    config = parts.config(tmp_path, roi=Roi(x=16, y=8, width=64, height=64), mask="mask.png")
    detector = Detector.open(run(tmp_path, state, config).directory)
    assert detector.manifest.picture.judged_px == (64, 64)
    good = parts.part(100)
    hidden, seen = good.copy(), good.copy()
    hidden[20:40, 2:20], seen[20:40, 40:58] = 0, 0
    scores = [r.score for r in detector.score([good, hidden, seen])]
    assert scores[1] == pytest.approx(scores[0])
    assert scores[2] > detector.threshold


@pytest.mark.parametrize("stage", ["pictures", "patch vectors", "scores of good parts", "bank", "bundle and report"])
def test_ctrl_c_leaves_nothing(stage: str, tmp_path: Path, state: StateDir) -> None:
    """Whenever it is pressed, the state directory is as empty as before, and the error says so."""

    def press(name: str) -> None:
        if name == stage:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="nothing was written"):
        run(tmp_path, state, progress=Watch(press))
    assert list(state.root.rglob("*")) == []


def test_ctrl_c_after_the_bundle_was_written_says_that_it_was(tmp_path: Path, state: StateDir) -> None:
    """Nobody must look for it in vain, or think that it judges."""

    class Late(Watch):
        def stage(self, name: str, total: int) -> Advance:
            def advance(_done: int) -> None:
                if name == "bundle and report":
                    raise KeyboardInterrupt

            return advance

    with pytest.raises(Interrupted, match="bundle 1 was written, and is not active"):
        run(tmp_path, state, progress=Late())
    assert state.bundles("lid") == [1]


def test_a_failure_while_publishing_leaves_nothing(tmp_path: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails at the last step, when the bundle is moved to its place: no bundle, no graph, a named error."""
    move = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if Path(target).parent.name == "bundles":
            raise OSError(28, "No space left on device")
        return move(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StateError, match=r"bundles/1: cannot be written: No space left"):
        run(tmp_path, state)
    assert files(state) == []


def test_bad_pictures_are_all_named_and_nothing_is_written(tmp_path: Path, state: StateDir) -> None:
    """A text, one of another size: both at once."""
    good = parts.good_folder(tmp_path / "good", 24)
    (good / "note.png").write_text("hello")
    parts.write(good, {"small.png": parts.part(0, 32)})
    with pytest.raises(BadImages) as caught:
        run(tmp_path, state)
    assert {Path(p.file).name for p in caught.value.problems} == {"note.png", "small.png"}
    assert files(state) == []


def test_missing_and_empty_folders_are_named(tmp_path: Path, state: StateDir) -> None:
    """For good and bad parts alike."""
    (tmp_path / "good").mkdir()
    with pytest.raises(BadImages, match="got none"):
        run(tmp_path, state, bad=tmp_path / "nowhere")


def test_what_does_not_fit_into_the_memory_is_refused(tmp_path: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before patch vectors are computed, and after what it would take was told."""
    monkeypatch.setattr(memory, "beside", lambda *_args: 0)
    monkeypatch.setattr(memory, "available", lambda: 2_000_000)
    watch = Watch()
    config = parts.config(tmp_path)
    (tmp_path / "lid.yaml").write_text("station: lid\nmethod:\n  bank: 100\n")
    with pytest.raises(ConfigError, match=r"lid.yaml:3: method.bank: .*% fits"):
        run(tmp_path, state, config, progress=watch)
    assert list(watch.stages) == ["pictures"]
    assert len(watch.notes) == 1
    assert files(state) == []


def test_too_few_pictures_are_refused(tmp_path: Path, state: StateDir) -> None:
    """For the bank, for the folds, and for the rate that was asked for."""
    parts.good_folder(tmp_path / "good", 4)
    with pytest.raises(NotEnoughPictures, match="5 folds"):
        run(tmp_path, state)
    parts.good_folder(tmp_path / "good", 10)
    large = parts.config(tmp_path, method=msgspec.structs.replace(METHOD, bank=5000))
    with pytest.raises(NotEnoughPictures, match="bank of 5,000 vectors"):
        run(tmp_path, state, large)
    with pytest.raises(NotEnoughPictures, match=rf"{tmp_path}/good: expected at least 149 good groups .* they support 0\.25"):
        run(tmp_path, state, parts.config(tmp_path, threshold=Threshold(max_false_reject=0.02)))
    assert files(state) == []


def test_a_rate_that_the_pictures_do_not_support_is_refused_before_any_work(tmp_path: Path, state: StateDir) -> None:
    """With bad parts too: no stage begins. A copy is found out once all are read, before anything is computed."""
    bad = parts.bad_folder(tmp_path / "bad")
    watch = Watch()
    with pytest.raises(NotEnoughPictures, match=r"299 good groups .* got 24; they support 0\.1174"):
        run(tmp_path, state, bad=bad, options=Options(threads=1, max_false_reject=0.01), progress=watch)
    assert watch.stages == {}
    parts.write(tmp_path / "good", {"copy.png": parts.part(0)})
    with pytest.raises(NotEnoughPictures, match="got 24"):
        run(tmp_path, state, options=Options(threads=1, max_false_reject=threshold.supported_rate(25)), progress=watch)
    assert list(watch.stages) == ["pictures"]


def test_a_rate_asked_for_is_kept_with_bad_parts_too(tmp_path: Path, state: StateDir) -> None:
    """The threshold is that of the rate, not of the best F1."""
    result = run(tmp_path, state, bad=parts.bad_folder(tmp_path / "bad"), options=Options(threads=1, max_false_reject=0.2))
    assert result.rule == "max_false_reject"
    assert "at most 20.00%" in result.how


def test_a_state_directory_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    """Its path is named; no stage has begun."""
    (tmp_path / "file").write_text("in the way")
    watch = Watch()
    with pytest.raises(StateError, match=r"file.*: expected a state directory that can be written"):
        run(tmp_path, StateDir(tmp_path / "file" / "state"), progress=watch)
    assert watch.stages == {}


def test_every_stage_ends_where_it_said_it_would(tmp_path: Path, state: StateDir) -> None:
    """Each stage's counts add up to its total, so that bars fill and remaining times can be told."""
    watch = Watch()
    run(tmp_path, state, bad=parts.bad_folder(tmp_path / "bad"), progress=watch)
    assert watch.stages == {
        "pictures": [28, 28],
        "patch vectors": [24, 24],
        "scores of good parts": [524, 524],
        "bank": [100, 100],
        "learning curve": [6, 6],
        "scores of bad parts": [4, 4],
        "heat maps of good parts": [24, 24],
        "synthetic defects": [120, 120],
        "bundle and report": [1, 1],
    }


def test_what_stands_out_is_named_and_can_be_left_out(tmp_path: Path, state: StateDir) -> None:
    """A good part taken twice and a bad one among the good: both are told with the options that leave them out, and do."""
    good = parts.good_folder(tmp_path / "good", 24)
    again = np.random.default_rng(0).integers(0, 2, (64, 64), np.uint8) + parts.part(3)
    parts.write(good, {"again.png": again, "bad.png": np.full((64, 64), 250, np.uint8)})
    first = run(tmp_path, state)
    assert any("bad.png" in told and "--drop good/bad.png" in told for told in first.warnings)
    assert any("good/0003.png = good/again.png" in told and "--drop good/again.png" in told for told in first.warnings)
    second = run(tmp_path, state, options=Options(threads=1, drop=("good/bad.png", "again.png")))
    assert not any("--drop" in told for told in second.warnings)
    manifest = bundles.read(second.directory).manifest
    assert set(manifest.left_out) == {"good/bad.png", "good/again.png"}
    assert len(manifest.pictures) == 24
    assert second.fingerprint != first.fingerprint


def test_one_picture_or_the_same_one_again_and_again_is_too_few(tmp_path: Path, state: StateDir) -> None:
    """Told as what it is, before anything is computed: copies count once."""
    watch, good = Watch(), tmp_path / "good"
    parts.good_folder(good, 1)
    with pytest.raises(NotEnoughPictures, match="5 folds, got 1 in 1 good pictures"):
        run(tmp_path, state, progress=watch)
    parts.write(good, {f"copy{i}.png": parts.part(0) for i in range(20)})
    with pytest.raises(NotEnoughPictures, match=r"got 1 in 21 good pictures .copies of a picture"):
        run(tmp_path, state, progress=watch)
    assert list(watch.stages) == ["pictures"]
    assert files(state) == []


def test_a_corrupt_picture_is_skipped_where_that_was_asked_for(tmp_path: Path, state: StateDir) -> None:
    """It is named in the first warning and in the manifest; without the option nothing is written."""
    good = parts.good_folder(tmp_path / "good", 24)
    (good / "0011.png").write_bytes((good / "0011.png").read_bytes()[:100])
    with pytest.raises(BadImages, match=r"0011\.png"):
        run(tmp_path, state)
    assert files(state) == []
    result = run(tmp_path, state, options=Options(threads=1, skip_bad=True))
    assert result.warnings[0] == "1 files are no sound pictures and were skipped: good/0011.png."
    assert list(bundles.read(result.directory).manifest.left_out) == ["good/0011.png"]


def test_a_picture_that_changes_while_calibrating_stops_it(tmp_path: Path, state: StateDir) -> None:
    """The manifest must not name a hash of other pixels."""

    def swap(name: str) -> None:
        if name == "patch vectors":
            parts.write(tmp_path / "good", {"0003.png": parts.part(99)})

    with pytest.raises(BadImage, match=r"0003\.png.*changed while calibrating"):
        run(tmp_path, state, progress=Watch(swap))
    assert files(state) == []
