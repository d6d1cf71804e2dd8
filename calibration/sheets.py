"""Sheets of a report: pictures beside their heat maps, each with its verdict."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration import page
from calibration.page import Markup, fill
from inspectd import image

_TILE_PX = 260  # height and width of a picture in a sheet, three to a row of A4


@dataclass(frozen=True)
class Shown:
    """One picture of a sheet: uint8 pixels, heat map float32 [H,W] of its size, and its score at calibration."""

    name: str
    score: float
    pixels: image.U8
    heat: image.F32


def sheet(shown: Sequence[Shown], threshold: float, band: float | None) -> Markup:
    """Return pictures, three to a row; maps are dark to half of the threshold and bright from one and a half of it on."""
    return fill('<div class="sheet">$tiles</div>', tiles=page.join(_tile(one, threshold, band) for one in shown))


def _tile(shown: Shown, threshold: float, band: float | None) -> Markup:
    picture = image.fit(image.rgb(shown.pixels), _TILE_PX, _TILE_PX)
    heat = image.resize(image.warm(shown.heat / np.float32(threshold) - np.float32(0.5)), *picture.shape[:2])
    data = base64.b64encode(image.encode_png(np.hstack([picture, heat]))).decode("ascii")
    verdict = "FAIL" if shown.score >= threshold else "PASS" if band is None or shown.score < band else "RECHECK"
    return fill(
        '<figure><img alt="$name and its heat map" src="data:image/png;base64,$data">'
        '<figcaption>$name<br><span class="$kind">$verdict</span> $score, $share of threshold</figcaption></figure>',
        name=shown.name, data=data, kind=verdict.lower(), verdict=verdict, score=f"{shown.score:.4g}",
        share=f"{shown.score / threshold:.1%}",
    )  # fmt: skip
