"""The journal as a table: columns for people, and all columns as CSV or JSON. Pure."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from inspectd.journal.reader import Part
from inspectd.text import printable


class Shown(NamedTuple):
    """One column of the table that people see."""

    head: str
    is_right: bool  # figures stand to the right
    text: Callable[[Part], str]


def number(value: float | None, digits: int = 1) -> str:
    """A figure, or nothing where it is not known."""
    return "" if value is None else f"{value:.{digits}f}"


def time(part: Part) -> str:
    """When the trigger came, UTC."""
    return part.utc.replace("T", " ").removesuffix("Z")


def reason(part: Part) -> str:
    """Why a part is UNDECIDED, with its details."""
    return ": ".join(text for text in (part.reason_name, part.text) if text)


COLUMNS = (
    Shown("time (UTC)", False, time),
    Shown("key", False, lambda part: str(part.key)),
    Shown("part", False, lambda part: part.part_id or ""),
    Shown("verdict", False, lambda part: part.verdict or "(open)"),
    Shown("reason", False, reason),
    Shown("score", True, lambda part: number(part.score, 3)),
    Shown("threshold", True, lambda part: number(part.threshold, 3)),
    Shown("verdict ms", True, lambda part: number(part.closed_ms)),
    Shown("line", False, lambda part: part.outcome or ""),
    Shown("line ms", True, lambda part: number(part.outcome_ms)),
)


def cells(part: Part) -> list[str]:
    """One line of the table."""
    return [printable(column.text(part)) for column in COLUMNS]


def to_csv(parts: Iterable[Part]) -> Iterator[str]:
    """Every column of the journal, a line a part, under a line of names; figures at full precision."""
    yield _line(Part.__struct_fields__)
    for part in parts:
        yield _line(["" if value is None else str(value) for value in msgspec.structs.astuple(part)])


def to_json(parts: Iterable[Part]) -> Iterator[str]:
    """One JSON array with an object a part, in pieces: a year of parts is never held at once."""
    yield "["
    before = "\n"
    for part in parts:
        yield before + msgspec.json.encode(part).decode()
        before = ",\n"
    yield "\n]\n"


def _line(values: Iterable[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(values)
    return stream.getvalue()
