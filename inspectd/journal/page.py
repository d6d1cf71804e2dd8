"""One part on one page: what came of it, when, judged by what; its picture, and where it differs.

Drawn from the journal alone, so that it can be had as long as the row is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from inspectd import image
from inspectd.image import U8, U16, Colour
from inspectd.journal import table
from inspectd.journal.reader import Part, Reader
from inspectd.text import printable
from inspectd.wire.enums import LineOutcome, Verdict

_STEPS = (
    ("opened_ms", "trigger in the ledger"),
    ("frame_ms", "picture there"),
    ("sent_ms", "with a worker"),
    ("scored_ms", "answer back"),
    ("closed_ms", "verdict"),
    ("outcome_ms", "line"),
    ("deadline_ms", "deadline"),
)

_SEEN = {None: "line outcome not known yet", LineOutcome.DELIVERED: "delivered", LineOutcome.NO_PLC: "no PLC"}
_NAMESAKES = 20  # other parts of the same id that are listed


Lines = list[tuple[str, str]]  # names and values


class Section(NamedTuple):
    """A block of the page: a heading and lines of a name and a value."""

    heading: str
    lines: Lines


def sections(part: Part, bundle: Lines | None = None) -> list[Section]:
    """Everything the journal knows of a part, in the order in which people ask; what is not known is left out.

    `bundle` says more of the one that judged, which the journal knows by its fingerprint alone.
    """
    verdict = " ".join(
        text for text in (part.verdict or "not closed yet", f"({table.reason(part)})" if part.reason else "") if text
    )
    found = [
        Section("Result", [
            ("verdict", verdict),
            ("line", part.outcome or "not known yet"),
            ("score", _score(part)),
            ("threshold", _threshold(part)),
            ("outlined", _outlined(part)),
            ("at", _boxes(part)),
            ("late score", _late(part)),
        ]),
        Section("Part", [
            ("part", part.part_id or ""),
            ("key", str(part.key)),
            ("product", part.product or ""),
            ("lot", part.lot or ""),
            ("time", f"{table.time(part)} UTC"),
        ]),
        Section("Judged by", [
            ("bundle", part.fingerprint or ""),
            *(bundle or []),
            ("worker", part.worker or ""),
            ("batch", f"{part.batch} picture{'s' * (part.batch > 1)}" if part.batch else ""),
            ("PLC", part.plc or ""),
        ]),
        Section("ms since the trigger", _steps(part)),
    ]  # fmt: skip
    known = (Section(heading, [(name, printable(value)) for name, value in lines if value]) for heading, lines in found)
    return [section for section in known if section.lines]


def headline(part: Part) -> str:
    """The verdict, and what the line saw of it, which need not be the same."""
    return f"{part.verdict or 'OPEN'} ({_SEEN.get(part.outcome, f'line saw {part.outcome}')})"


def render(reader: Reader, name: str, bundle_of: Callable[[Part], Lines] = lambda _: []) -> tuple[str, bytes]:
    """Return the page of a part, by id or key, as text and as PNG; BadInput if there is none, BadImage for a damaged file."""
    part = reader.part(name)
    bundle = bundle_of(part)
    picture, heat = reader.picture(part.key), reader.map(part.key)
    drawn = draw(
        part,
        image.read(picture).pixels if picture else None,
        image.decode_map(heat.read_bytes(), str(heat)) if heat else None,
        bundle,
    )
    others = [other for other in reader.named(name) if other.key != part.key]
    return "\n".join([text(part, bundle), *namesakes(part, others)]), image.encode_png(drawn)


def namesakes(part: Part, others: Sequence[Part]) -> Iterator[str]:
    """Tell that a part is not the only one of its id, and how to see the others."""
    if others:
        yield f"{len(others) + 1} parts are called {printable(part.part_id or '')}; this is {part.key}. By its key, show any:"
        for other in others[:_NAMESAKES]:
            yield f"  {other.key}  {table.time(other)} UTC  {headline(other)}"
    if len(others) > _NAMESAKES:
        yield f"  and {len(others) - _NAMESAKES} older ones"


def text(part: Part, bundle: Lines | None = None) -> str:
    """Return the page as plain text."""
    blocks = [headline(part)]
    for heading, lines in sections(part, bundle):
        width = max(len(name) for name, _ in lines)
        blocks.append("\n".join([heading, *(f"  {name:<{width}}  {value}" for name, value in lines)]))
    return "\n\n".join(blocks) + "\n"


def _score(part: Part) -> str:
    if part.score is None:
        return ""
    share = f" ({part.score / part.threshold:.0%} of the threshold)" if part.threshold else ""
    return f"{part.score:.4f}{share}"


def _threshold(part: Part) -> str:
    band = f", recheck from {part.recheck:.4f}" if part.recheck is not None else ""
    return table.number(part.threshold, 4) + band


def _outlined(part: Part) -> str:
    """Say how much of the heat map is over the pixel threshold."""
    if part.area_px is None or part.regions is None:
        return ""
    if not part.regions:
        return "nothing"
    size = "" if part.area_mm2 is None else f" ({part.area_mm2:.3g} mm²)"
    return f"{part.area_px:,} px{size} in {part.regions} place{'s' * (part.regions > 1)}"


def _boxes(part: Part) -> str:
    """Name the outlined places, the largest first: where from the top left, width x height, in pixels."""
    shown = [f"{x}, {y}: {width} x {height}" for x, y, width, height in part.boxes or ()]
    left_out = (part.regions or 0) - len(shown)
    return "; ".join(shown) + (f"; and {left_out} smaller" if shown and left_out > 0 else "")


def _late(part: Part) -> str:
    return "" if part.late_score is None else f"{part.late_score:.4f}, {part.late_ms or 0:.1f} ms after the verdict"


def _steps(part: Part) -> list[tuple[str, str]]:
    """Steps in the order in which they happened."""
    known = [(getattr(part, field), name) for field, name in _STEPS if getattr(part, field) is not None]
    return [(name, f"{ms:.1f}") for ms, name in sorted(known)]


# --- the page as a picture ------------------------------------------------------------------------------------------

_PAPER: Colour = (255, 255, 255)
_INK: Colour = (27, 36, 48)
_SOFT: Colour = (93, 107, 122)
_VERDICT: dict[Verdict | None, Colour] = {
    Verdict.PASS: (47, 111, 159),
    Verdict.FAIL: (194, 69, 45),
    Verdict.UNDECIDED: (180, 83, 9),
    None: _SOFT,
}
_MARGIN, _GUTTER = 48, 24
_PICTURE = (460, 620)  # most rows and columns of a picture on the page
_WIDTH = 2 * _MARGIN + 2 * _PICTURE[1] + _GUTTER
_LINE = 24
_NAME_WIDTH = 190
_ALARM = 1_000  # of a map, per mille of the threshold: from here on a place alone makes the part FAIL
_BRIGHTEST = 2_000  # where the colours of a map end


@dataclass
class _Pen:
    """Where the next thing is drawn."""

    onto: U8
    x: int
    y: int

    def write(self, words: str, colour: Colour = _INK, size_px: int = 16, bold: bool = False, indent: int = 0) -> None:
        image.text(self.onto, self.x + indent, self.y, words, colour, size_px, bold)


def draw(part: Part, picture: U8 | None, heat: U16 | None, bundle: Lines | None = None) -> U8:
    """Return the page as rgb8; `picture` as kept, `heat` in per mille of the threshold, of the picture's size or smaller."""
    blocks = sections(part, bundle)
    columns = blocks[::2], blocks[1::2]
    shown = _pictures(picture, heat, _alarm(part))
    tallest = max((shot.shape[0] for _, shot in shown), default=0)
    text_rows = max(sum(len(block.lines) + 2 for block in column) for column in columns)
    height = 2 * _MARGIN + 76 + (tallest + 2 * _LINE if shown else _LINE) + text_rows * _LINE
    page = image.canvas(height, _WIDTH, _PAPER)

    pen = _Pen(page, _MARGIN, _MARGIN + 34)
    colour = _VERDICT[part.verdict if part.outcome in _SEEN else Verdict.FAIL]  # a fail-safe rejects, whatever was found
    pen.write(headline(part), colour, 40, bold=True)
    pen.y += 32
    pen.write(printable(f"{part.part_id or part.key} · {part.station} · {table.time(part)} UTC"), _SOFT)
    pen.y += _LINE
    if not shown:
        pen.write("no picture was kept", _SOFT, 14)
    _paste(page, shown, pen.y)
    top = pen.y + (tallest + 3 * _LINE if shown else 2 * _LINE)
    for column, x in zip(columns, (_MARGIN, _MARGIN + _PICTURE[1] + _GUTTER), strict=True):
        _write(_Pen(page, x, top), column)
    return page


def _alarm(part: Part) -> float:
    """From where on a map, per mille of the threshold, a place is outlined: the pixel threshold, where one was known."""
    return 1000 * part.pixel_threshold / part.threshold if part.pixel_threshold and part.threshold else _ALARM


def _pictures(picture: U8 | None, heat: U16 | None, alarm: float) -> list[tuple[str, U8]]:
    """The picture with its suspicious places outlined, and the heat map beside it, both with their captions."""
    if picture is None:
        return []
    shown = image.rgb(image.fit(picture, *_PICTURE)).copy()
    if heat is None:
        return [("picture", shown)]
    per_mille = image.upsample(heat.astype(np.float32), shown.shape[0], shown.shape[1])
    suspicious = per_mille >= alarm
    image.outlines(shown, suspicious, _VERDICT[Verdict.FAIL], 2)
    limit = "threshold" if alarm == _ALARM else "pixel threshold"
    caption = f"picture; outlined: over the {limit}" if suspicious.any() else f"picture; nowhere over the {limit}"
    return [(caption, shown), ("heat map; brightest: twice the threshold", image.warm(per_mille / np.float32(_BRIGHTEST)))]


def _paste(page: U8, shown: Sequence[tuple[str, U8]], y: int) -> None:
    x = _MARGIN
    for caption, picture in shown:
        height, width = picture.shape[:2]
        page[y : y + height, x : x + width] = picture
        image.text(page, x, y + height + _LINE, caption, _SOFT, 14)
        x += _PICTURE[1] + _GUTTER


def _write(pen: _Pen, blocks: Sequence[Section]) -> None:
    for heading, lines in blocks:
        pen.write(heading, bold=True)
        for name, value in lines:
            pen.y += _LINE
            pen.write(name, _SOFT)
            pen.write(_shortened(value, _PICTURE[1] - _NAME_WIDTH), indent=_NAME_WIDTH)
        pen.y += 2 * _LINE


def _shortened(words: str, width: int) -> str:
    """Cut words to columns of the page; the text of the page has them whole."""
    if image.text_width(words, 16) <= width:
        return words
    while words and image.text_width(f"{words}…", 16) > width:
        words = words[:-1]
    return f"{words}…"
