"""Figures of a bundle on test pictures laid out as MVTec AD: `inspectd evaluate`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from calibration import layout, metrics
from calibration.layout import Case, Layout
from calibration.progress import Progress, Silent
from inspectd import clock
from inspectd.errors import BadImages, Problem
from inspectd.vision.bundle import Manifest, PictureSpec
from inspectd.vision.detector import Detector

Figures = dict[str, Any]  # as it stands in the JSON file
U8 = npt.NDArray[np.uint8]
Roi = tuple[int, int, int, int]  # x, y, width, height

MAX_PIXELS = 400_000_000  # of all heat maps together, 1.6 GB; pixel figures of more are not worked out


class Seen(NamedTuple):
    """What a judge says of one picture; the heat map [H,W] is worked out when asked for."""

    score: float
    heat: Callable[[], metrics.Map]


@dataclass(frozen=True)
class Judgement:
    """What was said of all test pictures. Without heat maps `no_maps` says why."""

    names: Sequence[str]  # [n], defect/file
    bad: metrics.Mask  # [n]
    scores: npt.NDArray[np.float64]  # [n]
    maps: Sequence[metrics.Map]
    masks: Sequence[metrics.Mask]
    no_maps: str
    ms_per_image: float


def evaluate(detector: Detector, directory: Path, progress: Progress | None = None) -> Figures:
    """Judge test pictures one at a time; return the figures at the bundle's threshold, and F1's best beside them.

    Keys: good, bad (counts), image_auroc, average_precision, pixel_auroc, pro, f1, threshold, false_positives,
    false_negatives, f1_optimal, f1_optimal_threshold, full_recall_threshold, full_recall_false_positives, ms_per_image
    (median, without reading the file), missed (defective pictures that pass, the lowest score first), rejected (good ones
    that fail, the highest first), settings, reasons, curves. A figure that the pictures do not allow is None, and `reasons`
    says why. BadInput or BadImages if the folder is laid out otherwise or its pictures are not of the bundle's kind.
    """
    shown = progress or Silent()
    tests = layout.read(directory, shown)
    _check_kind(tests, detector.manifest.picture)

    def judge(pixels: U8) -> Seen:
        result = detector.score([pixels])[0]
        return Seen(result.score, lambda: result.map)

    judged = collect(tests, judge, detector.manifest.picture.roi, shown)
    return figures(judged, detector.threshold, shown) | {"settings": _settings(detector.manifest)}


def collect(tests: Layout, judge: Callable[[U8], Seen], roi: Roi | None, progress: Progress) -> Judgement:
    """Let a judge see every test picture, and keep what figures need."""
    advance = progress.stage("scores", len(tests.cases))
    no_maps = _no_maps(tests, roi)
    scores, maps, masks, took = [], [], [], []
    for case in tests.cases:
        pixels = _cut(case.sample.pixels(), roi)
        start = clock.now_ns()
        seen = judge(pixels)
        took.append(clock.now_ns() - start)
        scores.append(seen.score)
        if not no_maps:
            maps.append(seen.heat())
            masks.append(_cut(case.where(), roi))
        advance(1)
    bad = np.array([case.bad for case in tests.cases])
    return Judgement(
        [case.sample.name for case in tests.cases],
        bad,
        np.array(scores),
        maps,
        masks,
        no_maps,
        float(np.median(took)) / clock.MS,
    )


def figures(judged: Judgement, threshold: float | None, progress: Progress | None = None) -> Figures:
    """Return all figures, at a threshold or (None) at the one of the largest F1."""
    advance = (progress or Silent()).stage("figures", 1)  # those of pixels take a second for ten million
    good, bad = judged.scores[~judged.bad], judged.scores[judged.bad]
    both = len(good) > 0 and len(bad) > 0
    ranked = _ranked(good, bad) if both else dict.fromkeys(_OF_BOTH)
    at = ranked["f1_optimal_threshold"] if threshold is None else threshold
    counts = None if at is None else metrics.confusion(good, bad, at)
    reasons = {} if both else dict.fromkeys(_OF_BOTH, f"needs good and defective pictures, got {len(good)} and {len(bad)}")
    reasons |= dict.fromkeys(_OF_PIXELS, judged.no_maps) if judged.no_maps else {}
    pixels = None if judged.no_maps else metrics.pixel_curves(judged.maps, judged.masks)
    advance(1)
    return {
        "good": len(good),
        "bad": len(bad),
        **ranked,
        "pixel_auroc": pixels.auroc if pixels else None,
        "pro": pixels.pro() if pixels else None,
        "f1": counts.f1 if counts and both else None,
        "threshold": at,
        "false_positives": counts.false_rejects if counts else None,
        "false_negatives": counts.escaped if counts else None,
        "ms_per_image": judged.ms_per_image,
        "missed": [] if at is None else _named(judged, judged.bad & (judged.scores < at)),
        "rejected": [] if at is None else _named(judged, ~judged.bad & (judged.scores >= at))[::-1],
        "reasons": reasons | ({} if both else {"f1": reasons["f1_optimal"]}),
        "curves": _curves(good, bad, pixels, both),
    }


_OF_PIXELS = ("pixel_auroc", "pro")
_OF_BOTH = (
    "image_auroc", "average_precision", "f1_optimal", "f1_optimal_threshold", "full_recall_threshold",
    "full_recall_false_positives",
)  # fmt: skip


def _ranked(good: metrics.Floats, bad: metrics.Floats) -> Figures:
    """Return the figures that need both classes and no threshold."""
    best, all_bad = metrics.f1_optimal(good, bad), metrics.full_recall(good, bad)
    found = (metrics.image_auroc(good, bad), metrics.average_precision(good, bad), best.f1, best.threshold)
    return dict(zip(_OF_BOTH, (*found, all_bad.threshold, all_bad.false_rejects), strict=True))


def _curves(good: metrics.Floats, bad: metrics.Floats, pixels: metrics.PixelCurves | None, both: bool) -> Figures:
    """Return the curves that there are, thin enough for a file and a plot: name to x and y."""
    found = {"roc": metrics.roc(good, bad), "precision_recall": metrics.precision_recall(good, bad)} if both else {}
    found |= {"pixel_roc": pixels.roc, "pro": pixels.overlap} if pixels else {}
    return {name: {"x": curve.thinned().x.tolist(), "y": curve.thinned().y.tolist()} for name, curve in found.items()}


def _named(judged: Judgement, some: metrics.Mask) -> list[Figures]:
    """Return pictures with their scores, the lowest first."""
    order = np.flatnonzero(some)[np.argsort(judged.scores[some], kind="stable")]
    return [{"picture": judged.names[i], "score": float(judged.scores[i])} for i in order]


def _no_maps(tests: Layout, roi: Roi | None) -> str:
    """Say why pixel figures are not worked out; empty if they are."""
    if not tests.masked:
        return "needs masks, got no folder ground_truth"
    if not any(case.bad for case in tests.cases):
        return "needs defective pictures with masks, got none"
    pixels = sum(case.sample.height * case.sample.width if roi is None else roi[2] * roi[3] for case in tests.cases)
    if pixels > MAX_PIXELS:
        return f"needs at most {MAX_PIXELS // 1_000_000} megapixels of heat maps, got {pixels // 1_000_000}"
    return ""


def _check_kind(tests: Layout, spec: PictureSpec) -> None:
    """BadImages naming every picture that the bundle was not made for."""
    problems = [problem for case in tests.cases for problem in _kind_problems(case, spec)]
    if problems:
        raise BadImages(problems)


def _kind_problems(case: Case, spec: PictureSpec) -> list[Problem]:
    sample = case.sample
    fits = (sample.height, sample.width, sample.pixel_format) == (*spec.camera_px, spec.pixel_format)
    if fits and sample.roi in (None, spec.roi):
        return []
    of = "" if spec.roi is None or sample.roi is None else " with the roi x {}, y {}, {} x {}".format(*spec.roi)
    expected = f"{spec.camera_px[1]} x {spec.camera_px[0]} {spec.pixel_format}{of} as calibrated"
    return [Problem(sample.path, None, "", expected, sample.kind, "evaluate with pictures of the station's camera")]


def _cut(pixels: Any, roi: Roi | None) -> Any:
    if roi is None:
        return pixels
    x, y, width, height = roi
    return np.ascontiguousarray(pixels[y : y + height, x : x + width])


def _settings(manifest: Manifest) -> Figures:
    return {
        "station": manifest.station,
        "product": manifest.product,
        "fingerprint": manifest.fingerprint,
        "members": msgspec.to_builtins(manifest.members),
        "batch": 1,
    }
