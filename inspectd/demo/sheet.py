"""The demo's contact sheet: cell, heat map and verdict of the parts that matter most, worst misses first."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inspectd import image
from inspectd.demo.tally import Row, worded
from inspectd.image import U8, Colour
from inspectd.journal.reader import Reader
from inspectd.station.state import StateDir
from inspectd.text import printable
from inspectd.wire.messages import Key

TILES, COLUMNS = 60, 6
_CELL, _GAP, _CAPTION, _TITLE = 150, 14, 46, 84
_PAPER, _NOTHING, _INK, _SOFT = (255, 255, 255), (232, 235, 239), (27, 36, 48), (93, 107, 122)
_WRONG, _RIGHT, _OPEN = (194, 69, 45), (47, 111, 159), (180, 83, 9)
_BRIGHTEST = 2_000  # per mille of the threshold at which the colours of a map end


def draw(path: Path, state: StateDir, rows: Sequence[Row], title: str = "") -> None:
    """Write the sheet; rows come in the order in which they are shown, and a title says what that is."""
    reader, shown = Reader(state), rows[:TILES]
    width = COLUMNS * (2 * _CELL + 2 * _GAP) + _GAP
    lines = math.ceil(len(shown) / COLUMNS)
    sheet = image.canvas(_TITLE + lines * (_CELL + _CAPTION + _GAP) + _GAP, width, _PAPER)
    ordered = f"{len(shown)} of {len(rows)} parts: wrong verdicts first, the worst leading, then undecided, then the closest"
    image.text(sheet, _GAP, 36, title or ordered, _INK, 24, bold=True)
    explained = "picture and heat map (brightest: twice the threshold); verdict and truth; part, score of threshold"
    image.text(sheet, _GAP, 62, explained, _SOFT, 16)
    for place, row in enumerate(shown):
        x = _GAP + place % COLUMNS * (2 * _CELL + 2 * _GAP)
        y = _TITLE + place // COLUMNS * (_CELL + _CAPTION + _GAP)
        _tile(sheet, x, y, row, reader)
    path.write_bytes(image.encode_png(sheet))


def _tile(sheet: U8, x: int, y: int, row: Row, reader: Reader) -> None:
    key = Key.parse(row.key)
    for left, cell in ((x, _picture(reader, key)), (x + _CELL + 2, _heat(reader, key))):
        sheet[y : y + cell.shape[0], left : left + cell.shape[1]] = cell
    words, colour = caption(row)
    score = f"{row.score:.3f} of {row.threshold:.3f}" if math.isfinite(row.score) else "no score"
    image.text(sheet, x, y + _CELL + 18, words, colour, 15, bold=True)
    image.text(sheet, x, y + _CELL + 36, f"{printable(row.part_id)}   {score}", _SOFT, 14)


def _picture(reader: Reader, key: Key) -> U8:
    path = reader.picture(key)
    return image.rgb(image.fit(image.read(path).pixels, _CELL, _CELL)) if path else _blank("picture not kept")


def _heat(reader: Reader, key: Key) -> U8:
    path = reader.map(key)
    if path is None:
        return _blank("no heat map")
    per_mille = image.decode_map(path.read_bytes(), str(path)).astype(np.float32)
    return image.fit(image.warm(per_mille / np.float32(_BRIGHTEST)), _CELL, _CELL)


def _blank(words: str) -> U8:
    """A cell that says what is missing."""
    cell = image.canvas(_CELL, _CELL, _NOTHING)
    image.text(cell, (_CELL - image.text_width(words, 14)) // 2, _CELL // 2 + 5, words, _SOFT, 14)
    return cell


def caption(row: Row) -> tuple[str, Colour]:
    """What to say of a verdict, knowing the truth, and in which colour."""
    truth = {True: "defective", False: "good", None: "truth unknown"}[row.defective]
    if row.wrong:
        return f"{row.verdict}, but {truth}", _WRONG
    verdict = worded(row.verdict or "no verdict", row.reason)
    return f"{verdict}, {truth}", _RIGHT if row.verdict in ("PASS", "FAIL") else _OPEN
