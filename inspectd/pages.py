"""Pictures for people: a part with its heat map over it, a contact sheet of many parts, a page about one part."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inspectd import image
from inspectd.image import U8, U16, Colour

_PAPER, _INK, _SOFT, _LINE = (255, 255, 255), (28, 32, 38), (104, 112, 122), (222, 226, 230)
_MAT = (240, 242, 244)  # behind pictures that do not fill their tile
_VERDICT_COLOURS: dict[str, Colour] = {"PASS": (24, 128, 72), "FAIL": (196, 38, 38), "UNDECIDED": (176, 104, 0)}
_GAP = 16
_HEAT_FROM, _HEAT_FULL, _HEAT_OPACITY = 0.4, 1.0, 0.6  # times the threshold; below the first the picture is left alone
_LEGEND_PX = (10, 220)


class Part(NamedTuple):
    """One part as it is shown."""

    pixels: U8  # [H,W] or [H,W,3], as judged
    heat: U16 | None  # [H,W], per mille of the threshold
    verdict: str  # PASS | FAIL | UNDECIDED
    lines: tuple[str, ...]  # first line bold: its name; the others small
    wrong: bool = False  # the verdict contradicts the truth: framed


def heat_overlay(pixels: U8, heat: U16) -> U8:
    """Picture with its heat map over it, rgb8 of the picture's size; outlined where it is over the threshold.

    `heat` per mille of the threshold, of any size; half the colour range is the threshold, its end twice the threshold.
    """
    height, width = pixels.shape[:2]
    times = image.upsample(np.asarray(heat / 1000, np.float32), height, width)
    opacity = _HEAT_OPACITY * np.clip((times - _HEAT_FROM) / (_HEAT_FULL - _HEAT_FROM), 0, 1)[:, :, None]
    mixed = image.rgb(pixels) * (1 - opacity) + image.warm(times / np.float32(2)) * opacity
    shown = np.ascontiguousarray(np.rint(mixed), np.uint8)
    image.outlines(shown, times >= 1, (255, 255, 255), max(1, round(min(height, width) / 200)))
    return shown


def sheet(title: str, subtitle: str, parts: Sequence[Part], columns: int = 4, tile_px: int = 180) -> U8:
    """Contact sheet rgb8: each part's picture, the same with its heat map, its verdict and lines; in the order given."""
    lines = max((len(part.lines) for part in parts), default=0)
    cell_h, cell_w = tile_px + 34 + 20 * lines, 2 * tile_px + 4
    columns = max(1, min(columns, len(parts)))
    rows = -(-len(parts) // columns)
    head = 104
    width = max(_GAP + columns * (cell_w + _GAP), 2 * _GAP + image.text_width(title, 26, bold=True))
    paper = image.canvas(head + rows * (cell_h + _GAP), width, _PAPER)
    image.text(paper, _GAP, 46, title, _INK, 26, bold=True)
    image.text(paper, _GAP, 76, subtitle, _SOFT, 15)
    for index, part in enumerate(parts):
        row, column = divmod(index, columns)
        _draw_cell(paper, _GAP + column * (cell_w + _GAP), head + row * (cell_h + _GAP), part, tile_px)
    return paper


def page(title: str, part: Part, facts: Sequence[tuple[str, str]], tile_px: int = 460) -> U8:
    """One part on one page, rgb8: verdict, picture, heat map with its scale, and facts as name and value in two columns."""
    half = -(-len(facts) // 2)
    width = 2 * tile_px + 3 * _GAP
    top = 96
    facts_at = top + tile_px + 72
    paper = image.canvas(facts_at + 26 * half + _GAP, width, _PAPER)
    image.text(paper, _GAP, 46, title, _INK, 26, bold=True)
    if part.lines:
        image.text(paper, _GAP, 76, "   ".join(part.lines), _SOFT, 15)
    _draw_verdict(paper, width - _GAP, 46, part.verdict, 24)
    _draw_tile(paper, _GAP, top, part.pixels, tile_px)
    if part.heat is not None:
        _draw_tile(paper, 2 * _GAP + tile_px, top, _overlay_at(part.pixels, part.heat, tile_px), tile_px)
        _draw_legend(paper, 2 * _GAP + tile_px, top + tile_px + 14)
    for index, fact in enumerate(facts):
        column, row = divmod(index, half)
        _draw_fact(paper, _GAP + column * (tile_px + _GAP), facts_at + 26 * row, tile_px, fact)
    return paper


def _draw_cell(paper: U8, x: int, y: int, part: Part, tile_px: int) -> None:
    _draw_tile(paper, x, y, part.pixels, tile_px)
    if part.heat is not None:
        _draw_tile(paper, x + tile_px + 4, y, _overlay_at(part.pixels, part.heat, tile_px), tile_px)
    if part.wrong:
        _draw_frame(paper, x, y, 2 * tile_px + 4, tile_px, _VERDICT_COLOURS["FAIL"])
    _draw_verdict(paper, x + 2 * tile_px + 4, y + tile_px + 24, part.verdict, 15)
    for index, line in enumerate(part.lines):
        image.text(paper, x, y + tile_px + 24 + 20 * index, line, _SOFT if index else _INK, 14, bold=index == 0)


def _draw_tile(paper: U8, x: int, y: int, pixels: U8, tile_px: int) -> None:
    tile = image.canvas(tile_px, tile_px, _MAT)
    shown = image.rgb(image.fit(pixels, tile_px, tile_px))
    down, right = (tile_px - shown.shape[0]) // 2, (tile_px - shown.shape[1]) // 2
    tile[down : down + shown.shape[0], right : right + shown.shape[1]] = shown
    paper[y : y + tile_px, x : x + tile_px] = tile


def _overlay_at(pixels: U8, heat: U16, tile_px: int) -> U8:
    """Overlay worked out at the size at which it is shown: a picture may have 20 megapixels."""
    return heat_overlay(image.fit(pixels, tile_px, tile_px), heat)


def _draw_verdict(paper: U8, right: int, y: int, verdict: str, size_px: int) -> None:
    width = image.text_width(verdict, size_px, bold=True)
    image.text(paper, right - width, y, verdict, _VERDICT_COLOURS.get(verdict, _INK), size_px, bold=True)


def _draw_frame(paper: U8, x: int, y: int, width: int, height: int, colour: Colour) -> None:
    for inset in range(3):
        paper[[y + inset, y + height - 1 - inset], x : x + width] = colour
        paper[y : y + height, [x + inset, x + width - 1 - inset]] = colour


def _draw_legend(paper: U8, x: int, y: int) -> None:
    height, width = _LEGEND_PX
    scale = np.repeat(np.linspace(0, 1, width, dtype=np.float32)[None], height, axis=0)
    paper[y : y + height, x : x + width] = image.warm(scale)
    paper[y - 2 : y + height + 2, x + width // 2 : x + width // 2 + 2] = _INK
    half = x + width // 2
    image.text(paper, x, y + 30, "0", _SOFT, 13)
    image.text(paper, half - image.text_width("threshold", 13) // 2, y + 30, "threshold", _SOFT, 13)
    image.text(paper, x + width - image.text_width("x 2", 13), y + 30, "x 2", _SOFT, 13)


def _draw_fact(paper: U8, x: int, y: int, width: int, fact: tuple[str, str]) -> None:
    paper[y - 19 : y - 18, x : x + width] = _LINE
    image.text(paper, x, y, fact[0], _SOFT, 15)
    image.text(paper, x + width // 3, y, fact[1], _INK, 15)
