"""Figures of a bundle on test pictures are those of its scores, and a figure that cannot be had says why."""

import json
from pathlib import Path

import numpy as np
import pytest

from calibration import evaluate, metrics
from calibration.build import calibrate
from calibration.evaluate import Judgement, Seen
from calibration.job import Options
from calibration.layout import read
from calibration.progress import Silent
from inspectd.errors import BadImages
from inspectd.station.schema import Roi
from inspectd.station.state import StateDir
from inspectd.vision.detector import Detector
from tests.calibration import parts
from tests.calibration.test_layout import mvtec

KEYS = {
    "good", "bad", "missed", "rejected",
    "image_auroc", "pixel_auroc", "pro", "f1", "threshold", "false_positives", "false_negatives", "f1_optimal",
    "f1_optimal_threshold", "ms_per_image", "reasons", "average_precision", "full_recall_threshold",
    "full_recall_false_positives", "curves",
}  # fmt: skip


def by_brightness(pixels: np.ndarray) -> Seen:
    """A judge that finds dark parts: score and map are easily known."""
    return Seen(float(255 - pixels.min()), lambda: (255 - pixels).astype(np.float32))


def test_figures_are_those_of_the_scores_and_maps(tmp_path: Path) -> None:
    """Every figure equals the metric of the judge's own scores; the file names no None without a reason."""
    tests = read(mvtec(tmp_path), Silent())
    judged = evaluate.collect(tests, by_brightness, None, Silent())
    scores = np.array([by_brightness(case.sample.pixels()).score for case in tests.cases])
    good, bad = scores[:3], scores[3:]
    found = evaluate.figures(judged, 200.0)
    assert set(found) == KEYS
    assert found["image_auroc"] == metrics.image_auroc(good, bad)
    assert (found["false_positives"], found["false_negatives"]) == ((good >= 200).sum(), (bad < 200).sum())
    assert found["threshold"] == 200.0
    assert found["f1_optimal"] == metrics.f1_optimal(good, bad).f1
    maps = [255.0 - case.sample.pixels().astype(np.float32) for case in tests.cases]
    masks = [case.where() for case in tests.cases]
    pixels = metrics.pixel_curves(maps, masks)
    assert found["pixel_auroc"] == pytest.approx(pixels.auroc)
    assert found["pro"] == pytest.approx(pixels.pro())
    assert found["average_precision"] == metrics.average_precision(good, bad)
    assert found["full_recall_threshold"] == metrics.full_recall(good, bad).threshold
    assert found["full_recall_false_positives"] == (good >= bad.min()).sum()
    assert found["curves"]["roc"] == {"x": metrics.roc(good, bad).x.tolist(), "y": metrics.roc(good, bad).y.tolist()}
    overlap = metrics.Curve(*map(np.array, found["curves"]["pro"].values()))
    assert overlap.area(0.3) / 0.3 == pytest.approx(found["pro"], abs=0.01)
    assert found["reasons"] == {}
    assert json.loads(json.dumps(found)) == found
    watch = parts.Watch()
    assert evaluate.figures(judged, None, watch)["threshold"] == found["f1_optimal_threshold"]
    assert watch.stages == {"figures": [1, 1]}


def test_every_wrong_verdict_is_named_the_worst_first(tmp_path: Path) -> None:
    """A missed defect costs most where its score is lowest, a rejected good part where it is highest."""
    judged = evaluate.collect(read(mvtec(tmp_path), Silent()), by_brightness, None, Silent())
    everything = evaluate.figures(judged, float(judged.scores.max()) + 1)
    assert [one["score"] for one in everything["missed"]] == sorted(judged.scores[judged.bad])
    assert {one["picture"] for one in everything["missed"]} == {n for n in judged.names if not n.startswith("good/")}
    assert everything["rejected"] == []
    nothing = evaluate.figures(judged, 0.0)
    assert [one["score"] for one in nothing["rejected"]] == sorted(judged.scores[~judged.bad], reverse=True)
    assert nothing["missed"] == []
    assert (nothing["good"], nothing["bad"]) == (3, 4)


def test_without_masks_pixel_figures_are_none_with_the_reason(tmp_path: Path) -> None:
    """The others are there."""
    judged = evaluate.collect(read(mvtec(tmp_path, masks=False), Silent()), by_brightness, None, Silent())
    found = evaluate.figures(judged, 200.0)
    assert found["pixel_auroc"] is None
    assert found["pro"] is None
    assert found["image_auroc"] is not None
    assert set(found["reasons"]) == {"pixel_auroc", "pro"}
    assert set(found["curves"]) == {"roc", "precision_recall"}
    assert "ground_truth" in found["reasons"]["pro"]


def test_with_one_class_its_figures_are_none_with_the_reason(tmp_path: Path) -> None:
    """Good parts alone still count their false rejects at a threshold."""
    parts.good_folder(tmp_path / "test" / "good", 3)
    judged = evaluate.collect(read(tmp_path, Silent()), by_brightness, None, Silent())
    found = evaluate.figures(judged, 0.0)
    assert [found[key] for key in ("image_auroc", "f1", "f1_optimal")] == [None] * 3
    assert found["false_positives"] == 3
    assert found["curves"] == {}
    assert "got 3 and 0" in found["reasons"]["image_auroc"]
    assert evaluate.figures(judged, None)["threshold"] is None


def test_more_heat_maps_than_fit_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason names the limit."""
    monkeypatch.setattr(evaluate, "MAX_PIXELS", 10_000)
    judged = evaluate.collect(read(mvtec(tmp_path), Silent()), by_brightness, None, Silent())
    assert judged.maps == []
    assert "megapixels" in evaluate.figures(judged, 1.0)["reasons"]["pro"]


def test_pictures_and_masks_are_cut_to_the_roi(tmp_path: Path) -> None:
    """The judge sees the roi, and masks have its size."""
    seen: list[tuple[int, ...]] = []

    def judge(pixels: np.ndarray) -> Seen:
        seen.append(pixels.shape)
        return by_brightness(pixels)

    judged: Judgement = evaluate.collect(read(mvtec(tmp_path), Silent()), judge, (8, 4, 40, 30), Silent())
    assert set(seen) == {(30, 40)}
    assert {mask.shape for mask in judged.masks} == {(30, 40)}


@pytest.mark.slow
def test_a_bundle_is_evaluated_at_its_own_threshold(tmp_path: Path, state: StateDir) -> None:
    """A calibrated station, on parts it never saw: figures, settings, time per picture; and other pictures are refused."""
    good = parts.good_folder(tmp_path / "good", 24)
    config = parts.config(tmp_path, roi=Roi(x=0, y=0, width=64, height=60))
    detector = Detector.open(calibrate(config, "lid", "default", good, None, state, Options(threads=1)).directory)
    root = mvtec(tmp_path / "tests")
    found = evaluate.evaluate(detector, root)
    assert set(found) == KEYS | {"settings"}
    assert found["threshold"] == detector.threshold
    assert found["image_auroc"] == 1.0
    assert found["pixel_auroc"] > 0.8
    assert found["ms_per_image"] > 0
    assert found["settings"]["fingerprint"] == detector.fingerprint
    assert found["settings"]["members"][0]["backbone_name"] == "lite0"
    assert (found["good"], found["bad"]) == (3, 4)
    assert json.dumps(found)
    parts.write(root / "test" / "good", {"small.png": parts.part(0, 32)})
    with pytest.raises(BadImages, match=r"small\.png: expected 64 x 64 mono8 as calibrated, got 32 x 32 mono8"):
        evaluate.evaluate(detector, root)
