"""report.html: what an engineer reads before releasing a bundle, and signs.

One self-contained file: warnings first, then the scores with the threshold, the parts nearest to a wrong verdict, and all
that is needed to make the same bundle again.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration import charts, page
from calibration.page import Markup, fill
from inspectd import image
from inspectd.vision.bundle import Manifest, Member

_TILE_PX = 260  # height and width of a picture in a sheet, three to a row of A4


@dataclass(frozen=True)
class Shown:
    """One picture of a sheet: uint8 pixels, heat map float32 [H,W] of its size, and its score at calibration."""

    name: str
    score: float
    pixels: image.U8
    heat: image.F32


@dataclass(frozen=True)
class Report:
    """All that the report tells; `manifest` is sealed, with its fingerprint."""

    manifest: Manifest
    number: int
    warnings: Sequence[str]
    good_scores: npt.NDArray[np.float64]
    bad_scores: npt.NDArray[np.float64]
    good: Sequence[Shown]  # highest scores first
    bad: Sequence[Shown]  # lowest scores first


def render(report: Report) -> bytes:
    """Return report.html."""
    manifest = report.manifest
    title = f"Calibration of {manifest.station}, {manifest.product}, bundle {report.number}"
    parts = [_head(report), _warnings(report), _figures(report), _scores(report), *_sheets(report)]
    parts += [_settings(manifest), _made_with(manifest), _data(manifest), _signature()]
    return page.page(title, parts).encode()


def _head(report: Report) -> Markup:
    manifest = report.manifest
    product = "" if manifest.product == "default" else f", product {manifest.product}"
    return fill(
        '<header><p class="soft">inspectd calibration report</p><h1>$station$product</h1>'
        '<p class="soft">Bundle $number, fingerprint <code>$fingerprint</code>, made $created</p></header>',
        station=manifest.station, product=product, number=report.number, fingerprint=manifest.fingerprint,
        created=manifest.created,
    )  # fmt: skip


def _warnings(report: Report) -> Markup:
    if not report.warnings:
        return page.items("warnings none", ["Nothing to warn of. Look at the sheets below before you sign."])
    return page.items("warnings", report.warnings)


def _figures(report: Report) -> Markup:
    manifest = report.manifest
    pairs = [("Threshold", f"{manifest.threshold:.4g}"), ("Good pictures", f"{len(report.good_scores):,}")]
    pairs += [("Bad pictures", f"{len(report.bad_scores):,}")] if len(report.bad_scores) else []
    names = {
        "image_auroc": "Image AUROC",
        "f1": "F1 at threshold",
        "false_positives": "Good rejected",
        "false_negatives": "Bad passed",
    }
    pairs += [(name, _number(manifest.metrics[key])) for key, name in names.items() if key in manifest.metrics]
    return page.figures(pairs)


def _scores(report: Report) -> Markup:
    rows = [
        (rule + (", active" if found.value == report.manifest.threshold else ""), f"{found.value:.5g}", found.how)
        for rule, found in report.manifest.thresholds.items()
    ]
    drawn = Markup(charts.histogram(report.good_scores, report.bad_scores, report.manifest.threshold))
    return page.section("Scores and threshold", drawn, page.table(("Rule", "Threshold", "How it was found"), rows))


def _sheets(report: Report) -> list[Markup]:
    note = fill(
        "<p>$text</p>",
        text="Each was scored by a bank that does not contain it. Maps: dark to 50% of the threshold, bright at 150%.",
    )
    sheets = [page.section("Good parts with the highest scores", note, _sheet(report.good, report.manifest.threshold))]
    if report.bad:
        sheets.append(page.section("Bad parts with the lowest scores", _sheet(report.bad, report.manifest.threshold)))
    return sheets


def _sheet(shown: Sequence[Shown], threshold: float) -> Markup:
    return fill('<div class="sheet">$tiles</div>', tiles=page.join(_tile(one, threshold) for one in shown))


def _tile(shown: Shown, threshold: float) -> Markup:
    picture = image.fit(image.rgb(shown.pixels), _TILE_PX, _TILE_PX)
    heat = image.resize(image.warm(shown.heat / np.float32(threshold) - np.float32(0.5)), *picture.shape[:2])
    data = base64.b64encode(image.encode_png(np.hstack([picture, heat]))).decode("ascii")
    rejected = shown.score >= threshold
    return fill(
        '<figure><img alt="$name and its heat map" src="data:image/png;base64,$data">'
        '<figcaption>$name<br><span class="$kind">$verdict</span> $score, $share of the threshold</figcaption></figure>',
        name=shown.name, data=data, kind="fail" if rejected else "pass", verdict="FAIL" if rejected else "PASS",
        score=f"{shown.score:.4g}", share=f"{shown.score / threshold:.1%}",
    )  # fmt: skip


def _settings(manifest: Manifest) -> Markup:
    rows = [
        ("camera picture", f"{manifest.picture.camera_px[1]} x {manifest.picture.camera_px[0]} {manifest.picture.pixel_format}")
    ]
    rows.append(
        ("roi", "whole picture" if manifest.picture.roi is None else "x {}, y {}, {} x {}".format(*manifest.picture.roi))
    )
    rows += [("mask, sha256", manifest.picture.mask_sha256)] if manifest.picture.mask_sha256 else []
    for member in manifest.members:
        layers = ", ".join(str(layer) for layer in member.layers)
        score = f"{member.score} {member.power:g}" if member.score == "power_mean" else member.score
        score += f", sigma {member.sigma:g} patches" if member.score in ("power_mean", "smoothed_max") else ""
        rows += [
            ("method", f"{member.method}, score {score}, {member.normalisation} standardisation"),
            ("backbone", f"{member.backbone_name}, layers {layers}, averaged over {member.patch} x {member.patch}"),
            ("backbone graph, sha256", member.backbone),
            ("input", _input(member)),
        ]
        if len(manifest.members) > 1:
            rows.append(("share in the score", f"weight {member.weight:g}, in units of {member.scale:.4g}"))
    rows += [(f"{ref.role}, {ref.dtype} {list(ref.shape)}, sha256", ref.sha256) for ref in manifest.arrays]
    return page.section("Settings", page.table((), [*rows, ("seed", str(manifest.seed))]))


def _input(member: Member) -> str:
    """Say how a member sees."""
    told = f"{member.input_px[1]} x {member.input_px[0]} px"
    tiling = member.tiling
    told += f" for each of {tiling.rows} x {tiling.columns} tiles, {tiling.overlap_px} px shared" if tiling else ""
    return told + (f", 1 of {member.stride} x {member.stride} patches" if member.stride > 1 else "")


def _made_with(manifest: Manifest) -> Markup:
    timings = {f"time: {step}": f"{seconds:.1f} s" for step, seconds in manifest.timings.items()}
    return page.section("Made with", page.table((), [*manifest.versions.items(), *timings.items()]))


def _data(manifest: Manifest) -> Markup:
    note = fill("<p>sha256 of all $count pictures, first 16 digits; whole in manifest.json.</p>", count=len(manifest.pictures))
    return page.section("Pictures", note, page.hashes((name, sha256[:16]) for name, sha256 in manifest.pictures.items()))


def _signature() -> Markup:
    cells = page.join(fill("<div>$what</div>", what=what) for what in ("Name", "Signature", "Date"))
    return fill('<div class="sign">$cells</div>', cells=cells)


def _number(value: float | str) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
