"""The demo's contact sheet: cell, heat map and verdict of the parts that matter most, worst misses first."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from inspectd import image
from inspectd.demo.tally import Row
from inspectd.image import U8, Colour
from inspectd.journal.reader import Reader
from inspectd.station.state import StateDir
from inspectd.wire.messages import Key

TILES, COLUMNS = 60, 6
_CELL, _GAP, _CAPTION, _TITLE = 150, 14, 46, 84
_PAPER, _INK, _SOFT = (255, 255, 255), (27, 36, 48), (93, 107, 122)
_WRONG, _RIGHT, _OPEN = (194, 69, 45), (47, 111, 159), (180, 83, 9)
_BRIGHTEST = 2_000  # per mille of the threshold at which the colours of a map end


def draw(
    path: Path, state: StateDir, rows: Sequence[Row], truth: Mapping[str, bool], threshold: float, title: str = ""
) -> None:
    """Write the sheet; rows come in the order in which they are shown, and a title says what that is."""
    reader, shown = Reader(state), rows[:TILES]
    width = COLUMNS * (2 * _CELL + 2 * _GAP) + _GAP
    lines = math.ceil(len(shown) / COLUMNS)
    sheet = image.canvas(_TITLE + lines * (_CELL + _CAPTION + _GAP) + _GAP, width, _PAPER)
    ordered = f"{len(shown)} of {len(rows)} parts: undecided first, then wrong verdicts, the worst first"
    image.text(sheet, _GAP, 36, title or ordered, _INK, 24, bold=True)
    explained = f"picture and heat map (brightest: twice the threshold of {threshold:.3f}), verdict, part and score"
    image.text(sheet, _GAP, 62, explained, _SOFT, 16)
    for place, row in enumerate(shown):
        x = _GAP + place % COLUMNS * (2 * _CELL + 2 * _GAP)
        y = _TITLE + place // COLUMNS * (_CELL + _CAPTION + _GAP)
        _tile(sheet, x, y, row, truth[row.part_id], _pictures(reader, Key.parse(row.key)))
    path.write_bytes(image.encode_png(sheet))


def _pictures(reader: Reader, key: Key) -> list[U8]:
    """The kept picture and its heat map, each fitted into a cell; what was not kept is left out."""
    picture, heat = reader.picture(key), reader.map(key)
    found = []
    if picture:
        found.append(image.rgb(image.fit(image.read(picture).pixels, _CELL, _CELL)))
    if heat:
        per_mille = image.decode_map(heat.read_bytes(), str(heat)).astype(np.float32)
        found.append(image.fit(image.warm(per_mille / np.float32(_BRIGHTEST)), _CELL, _CELL))
    return found


def _tile(sheet: U8, x: int, y: int, row: Row, defective: bool, pictures: Sequence[U8]) -> None:
    for place, picture in enumerate(pictures):
        left = x + place * (_CELL + 2)
        sheet[y : y + picture.shape[0], left : left + picture.shape[1]] = picture
    words, colour = caption(row, defective)
    score = f"{row.score:.3f}" if math.isfinite(row.score) else "no score"
    image.text(sheet, x, y + _CELL + 18, words, colour, 15, bold=True)
    image.text(sheet, x, y + _CELL + 36, f"{row.part_id}   {score}", _SOFT, 14)


def caption(row: Row, defective: bool) -> tuple[str, Colour]:
    """What to say of a verdict, knowing the truth, and in which colour."""
    if row.verdict == "UNDECIDED":
        return "UNDECIDED", _OPEN
    if (row.verdict == "PASS") == defective:
        return ("PASS, but defective" if defective else "FAIL, but good"), _WRONG
    return f"{row.verdict}, {'defective' if defective else 'good'}", _RIGHT
