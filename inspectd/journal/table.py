"""The journal as a table: columns for people, and all columns as CSV or JSON. Pure."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from inspectd import clock
from inspectd.journal.reader import Part
from inspectd.text import printable
from inspectd.wire.messages import Commanded


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
    Shown("product", False, lambda part: part.product or ""),
    Shown("lot", False, lambda part: part.lot or ""),
    Shown("verdict", False, lambda part: part.verdict or "(open)"),
    Shown("reason", False, reason),
    Shown("score", True, lambda part: number(part.score, 3)),
    Shown("threshold", True, lambda part: number(part.threshold, 3)),
    Shown("verdict ms", True, lambda part: number(part.closed_ms)),
    Shown("line", False, lambda part: part.outcome or ""),
    Shown("line ms", True, lambda part: number(part.outcome_ms)),
    Shown("bundle", False, lambda part: part.fingerprint or ""),
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


COMMAND_HEADS = ("time (UTC)", "who", "what", "about", "done", "answer")


def command_cells(one: Commanded) -> list[str]:
    """One command that somebody gave, as a line of the table."""
    about = " ".join(f"{name}={value}" for name, value in sorted(one.args.items()))
    when = clock.utc_text(one.utc_ns).replace("T", " ").removesuffix("Z")
    return [printable(text) for text in (when, one.who, one.what, about, "yes" if one.ok else "refused", one.text)]


def commands_to_csv(commands: Iterable[Commanded]) -> Iterator[str]:
    """Return the same as CSV."""
    yield _line(COMMAND_HEADS)
    yield from (_line(command_cells(one)) for one in commands)


def _line(values: Iterable[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(values)
    return stream.getvalue()
