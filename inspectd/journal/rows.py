"""From spool records to rows. Writing a record once more changes nothing, and records of a key may come in any order.

So what a kill left half done is simply done again, and a Closed or Outcome whose Opened was lost still makes a row.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from inspectd import clock
from inspectd.journal.segments import Position
from inspectd.wire.messages import Checkpoint, Closed, Commanded, Late, Opened, Outcome

Fact = Opened | Closed | Outcome | Late
Entry = Fact | Commanded
Values = Mapping[str, Any]


class _Write(NamedTuple):
    """How one kind of fact enters its row.

    The first such fact of a key fills its `own` columns, `mark` among them (never NULL once it came). Columns that two
    kinds of fact know: a value already there goes before that of `yields`, and after that of `rules`.
    """

    mark: str
    own: tuple[str, ...]
    yields: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


# columns filled from a Closed's outline, and its fields
_OF_OUTLINE = {
    "pixel_threshold": "threshold", "area_px": "area_px", "area_mm2": "area_mm2", "regions": "regions", "boxes": "boxes",
}  # fmt: skip
_WRITES: dict[type[Fact], _Write] = {
    Opened: _Write(
        "trigger_ns",
        ("trigger_ns", "host", "lot", "deadline_ms", "plc", "opened_ms"),
        yields=("fingerprint", "threshold"),
        rules=("part_id", "product"),
    ),
    Closed: _Write(
        "verdict",
        ("verdict", "reason", "reason_name", "text", "score", "worker", "batch",
         "frame_ms", "sent_ms", "scored_ms", "closed_ms", "recheck", *_OF_OUTLINE),
        yields=("part_id", "product"),
        rules=("fingerprint", "threshold"),
    ),
    Outcome: _Write("outcome", ("outcome", "outcome_ms")),
    Late: _Write("late_score", ("late_score", "late_ms")),
}  # fmt: skip
# fields that are named otherwise than their columns
_FIELDS = {(Opened, "trigger_ns"): "t_ns", (Outcome, "outcome_ms"): "t_ms", (Late, "late_score"): "score"}


def _upsert(write: _Write) -> str:
    names = ("station", "run", "seq", "utc_ns", "utc", *write.own, *write.yields, *write.rules)
    sets = [f"{name} = excluded.{name}" for name in write.own]
    sets += [f"{name} = COALESCE({name}, excluded.{name})" for name in write.yields]
    sets += [f"{name} = COALESCE(excluded.{name}, {name})" for name in write.rules]
    return (
        f"INSERT INTO parts ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)}) "  # noqa: S608 (our own names)
        f"ON CONFLICT (station, run, seq) DO UPDATE SET {', '.join(sets)} WHERE {write.mark} IS NULL"
    )


_UPSERTS = {kind: _upsert(write) for kind, write in _WRITES.items()}
_COMMAND = "INSERT OR IGNORE INTO commands (utc_ns, who, what, utc, args, ok, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
_POSITION = "INSERT OR REPLACE INTO position (id, n, segment, offset) VALUES (1, ?, ?, ?)"


def by_day(records: Iterable[Any]) -> dict[str, list[Entry]]:
    """Sort facts and commands into days, oldest day first; a Checkpoint's facts count too, and heal what a cut took."""
    found: dict[str, list[Entry]] = {}
    for record in records:
        if isinstance(record, Checkpoint):
            found.setdefault(clock.utc_day(record.utc_ns), [])  # so that its place in the spool is kept somewhere
        for fact in _facts(record):
            found.setdefault(clock.utc_day(fact.utc_ns), []).append(fact)
    return dict(sorted(found.items()))


def write(db: sqlite3.Connection, facts: Iterable[Entry]) -> dict[str, int]:
    """Put facts of one day into its tables, inside the caller's transaction; returns how many of each kind were new."""
    kinds: dict[type[Fact], list[Values]] = {}
    new: dict[str, int] = {}
    for fact in facts:
        if isinstance(fact, Commanded):
            new["Commanded"] = new.get("Commanded", 0) + db.execute(_COMMAND, _command(fact)).rowcount
        else:
            kinds.setdefault(type(fact), []).append(_values(fact))
    for kind, values in kinds.items():
        new[kind.__name__] = db.executemany(_UPSERTS[kind], values).rowcount
    return new


def write_position(db: sqlite3.Connection, n: int, position: Position) -> None:
    """Keep the place in the spool behind the last record written, in the same transaction as the rows."""
    db.execute(_POSITION, (n, *position))


def read_position(db: sqlite3.Connection) -> tuple[int, Position]:
    """Return the commit count and the place of one file; (0, the spool's beginning) if it has none."""
    row = db.execute("SELECT n, segment, offset FROM position").fetchone()
    return (row[0], Position(row[1], row[2])) if row else (0, Position(0, 0))


def _facts(record: Any) -> Iterator[Entry]:
    match record:
        case Opened() | Closed() | Outcome() | Late() | Commanded():
            yield record
        case Checkpoint():
            yield from record.opened
            yield from record.closed
            yield from record.outcomes


def _values(fact: Fact) -> Values:
    write = _WRITES[type(fact)]
    values: dict[str, Any] = {
        "station": fact.key.station,
        "run": fact.key.run,
        "seq": fact.key.seq,
        "utc_ns": fact.utc_ns,
        "utc": clock.utc_text(fact.utc_ns),
    }
    for name in (*write.own, *write.yields, *write.rules):
        values[name] = _value(fact, name)
    return values


def _value(fact: Fact, name: str) -> Any:
    """Value of a column; what a fact does not say (an empty text, a NaN) is NULL."""
    if isinstance(fact, Closed) and name == "reason_name":
        return fact.reason.name.lower() if fact.reason else None
    if isinstance(fact, Closed) and name in _OF_OUTLINE:
        value = getattr(fact.outline, _OF_OUTLINE[name], None)
        return json.dumps(value) if isinstance(value, tuple) else value
    value = getattr(fact, _FIELDS.get((type(fact), name), name))
    return str(value) or None if isinstance(value, str) else value  # SQLite stores NaN as NULL


def _command(command: Commanded) -> tuple[Any, ...]:
    args = json.dumps(command.args, sort_keys=True)
    utc = clock.utc_text(command.utc_ns)
    return command.utc_ns, command.who, command.what, utc, args, int(command.ok), command.text
