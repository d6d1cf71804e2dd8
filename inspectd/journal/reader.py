"""Read the journal: rows over all days, while the daemon runs or not.

Every file is opened read-only. Everyone may import this module; it imports nothing of the flow.
"""

import difflib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from inspectd.errors import BadInput, JournalError
from inspectd.journal import gaps, pictures, schema
from inspectd.journal.gaps import Gap, Span
from inspectd.station.state import StateDir
from inspectd.wire.enums import LineOutcome, Verdict
from inspectd.wire.messages import Box, Commanded, Key

_NEAR = 5  # similar names in an error
_NAMES_COMPARED = 5_000  # newest part ids that a mistyped one is compared with
# seqs without a hole between them differ from their row numbers by the same figure
_SPANS = """
    SELECT station, run, MIN(seq), MAX(seq)
    FROM (SELECT station, run, seq, seq - ROW_NUMBER() OVER (PARTITION BY station, run ORDER BY seq) AS span FROM parts)
    GROUP BY station, run, span
"""
# one step down the primary key a name, where DISTINCT would read every row
_STATIONS = """
    WITH RECURSIVE names(name) AS (
        SELECT MIN(station) FROM parts
        UNION ALL SELECT (SELECT MIN(station) FROM parts WHERE station > name) FROM names WHERE name IS NOT NULL
    ) SELECT name FROM names WHERE name IS NOT NULL
"""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table `parts`; columns are described in schema.PARTS. None: not known, or not so far."""

    station: str
    run: int
    seq: int
    part_id: str | None = None
    product: str | None = None
    lot: str | None = None
    utc: str
    utc_ns: int
    host: str | None = None
    trigger_ns: int | None = None
    deadline_ms: float | None = None
    plc: str | None = None
    opened_ms: float | None = None
    frame_ms: float | None = None
    sent_ms: float | None = None
    scored_ms: float | None = None
    closed_ms: float | None = None
    outcome_ms: float | None = None
    verdict: Verdict | None = None
    reason: int | None = None
    reason_name: str | None = None
    text: str | None = None
    score: float | None = None
    threshold: float | None = None
    fingerprint: str | None = None
    worker: str | None = None
    batch: int | None = None
    outcome: LineOutcome | None = None
    late_score: float | None = None
    late_ms: float | None = None
    recheck: float | None = None
    pixel_threshold: float | None = None
    area_px: int | None = None
    area_mm2: float | None = None
    regions: int | None = None
    boxes: tuple[Box, ...] | None = None

    @property
    def key(self) -> Key:
        """The trigger's name."""
        return Key(self.station, self.run, self.seq)


@dataclass
class Counts:
    """The journal's side of the ledger: rows = opens + orphans, closes = sum of verdicts, in_flight = rows - closes."""

    rows: int = 0
    opens: int = 0  # rows whose Opened is there; the others lost it in a cut
    closes: int = 0
    settled: int = 0  # rows with a line outcome
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)  # of UNDECIDED, by name
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def in_flight(self) -> int:
        """Rows without a verdict."""
        return self.rows - self.closes


class Reader:
    """The journal under one state directory."""

    def __init__(self, state: StateDir) -> None:
        self._state = state

    def parts(
        self,
        station: str | None = None,
        verdict: Verdict | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int | None = None,
        also: Mapping[str, str | None] | None = None,
    ) -> Iterator[Part]:
        """Yield rows by trigger time, oldest first: since <= utc_ns < until; with `limit` the newest so many of them.

        `also` gives patterns of GLOB that text columns must match, by their names.
        """
        asked = [("station = ?", station), ("verdict = ?", verdict), ("utc_ns >= ?", since), ("utc_ns < ?", until)]
        asked += [(f"{column} GLOB ?", pattern) for column, pattern in (also or {}).items()]
        terms = [(term, value) for term, value in asked if value is not None]
        where = "WHERE " + " AND ".join(term for term, _ in terms) if terms else ""
        values = [str(value) if isinstance(value, Verdict) else value for _, value in terms]
        if limit is None:
            for path in self._days():
                yield from _parts(path, f"{where} ORDER BY utc_ns, station, run, seq", values)
        else:
            yield from self._newest(where, values, limit)

    def _newest(self, where: str, values: Sequence[Any], limit: int) -> Iterator[Part]:
        found: list[Part] = []
        for path in reversed(self._days()):
            order = f"{where} ORDER BY utc_ns DESC, station DESC, run DESC, seq DESC LIMIT ?"
            found += _parts(path, order, [*values, limit - len(found)])
            if len(found) >= limit:
                break
        yield from reversed(found)

    def part(self, text: str) -> Part:
        """Return the part of the key `station/run/seq`, or the newest of this id; BadInput names similar ids."""
        if (key := _key(text)) is not None:
            for path in reversed(self._days()):
                for part in _parts(path, "WHERE station = ? AND run = ? AND seq = ?", [key.station, key.run, key.seq]):
                    return part
        for part in self.named(text):
            return part
        raise BadInput(f"no part {text!r} in the journal{self._near(text)}")

    def named(self, part_id: str) -> Iterator[Part]:
        """Yield every part of this id, newest first: ids come from outside and may come again."""
        for path in reversed(self._days()):
            yield from _parts(path, "WHERE part_id = ? ORDER BY utc_ns DESC", [part_id])

    def stations(self) -> list[str]:
        """Names of all stations that have rows."""
        return sorted({name for path in self._days() for (name,) in _rows(path, _STATIONS, [])})

    def counts(self, station: str | None = None) -> Counts:
        """Count rows, verdicts, reasons and line outcomes, of one station or of all."""
        counts = Counts()
        where, values = ("WHERE station = ?", [station]) if station is not None else ("", [])
        query = f"""SELECT verdict, reason_name, outcome, COUNT(*), COUNT(trigger_ns) FROM parts {where}
                    GROUP BY verdict, reason_name, outcome"""  # noqa: S608 (no word of it comes from outside)
        for path in self._days():
            for verdict, reason, outcome, rows, opens in _rows(path, query, values):
                counts.rows += rows
                counts.opens += opens
                counts.closes += rows if verdict else 0
                counts.settled += rows if outcome else 0
                for counter, name in ((counts.verdicts, verdict), (counts.reasons, reason), (counts.outcomes, outcome)):
                    if name:
                        counter[name] += rows
        return counts

    def gaps(self) -> list[Gap]:
        """Keys that are missing: a source counts without gaps, so a hole in seq is a row that was lost."""
        days = self._days()
        spans = [Span(*row) for path in days for row in _rows(path, _SPANS, [])]
        first_day = {(station, run) for station, run, _, _ in _rows(days[0], _SPANS, [])}
        return list(gaps.between(spans, first_day))

    def picture(self, key: Key) -> Path | None:
        """Path of the kept picture of a key; None if none was kept."""
        return pictures.find(self._state.pictures, key)

    def map(self, key: Key) -> Path | None:
        """Path of the kept heat map of a key (16 bits, per mille of the threshold); None if none was kept."""
        picture = self.picture(key)
        path = pictures.map_path(picture) if picture else None
        return path if path and path.is_file() else None

    def commands(self) -> Iterator[Commanded]:
        """Yield every command that was given, oldest first."""
        query = "SELECT utc_ns, who, what, args, ok, text FROM commands ORDER BY utc_ns"
        for path in self._days():
            for utc_ns, who, what, args, ok, text in _rows(path, query, []):
                yield Commanded(utc_ns=utc_ns, who=who, what=what, args=json.loads(args), ok=bool(ok), text=text)

    def _days(self) -> list[Path]:
        found = [path for _, path in schema.days(self._state.journal)]
        if not found:
            raise JournalError(f"{self._state.journal}: no journal there yet; is --state right, and has `inspectd run` run?")
        return found

    def _near(self, text: str) -> str:
        names: list[str] = []
        for path in reversed(self._days()):
            query = "SELECT part_id FROM parts WHERE part_id IS NOT NULL ORDER BY utc_ns DESC LIMIT ?"
            names += [name for (name,) in _rows(path, query, [_NAMES_COMPARED - len(names)])]
        near = difflib.get_close_matches(text, dict.fromkeys(names), _NEAR)
        return f"; near to it: {', '.join(near)}" if near else "; `inspectd replay` lists all parts"


def _key(text: str) -> Key | None:
    try:
        return Key.parse(text)
    except ValueError:
        return None


def _parts(path: Path, rest: str, values: Sequence[Any]) -> Iterator[Part]:
    names = [column.name for column in schema.PARTS.columns]
    for row in _rows(path, f"SELECT * FROM parts {rest}", values):  # noqa: S608 (our own words)
        known = dict(zip(names, row, strict=False))  # files of older versions end earlier
        try:
            boxes = json.loads(known["boxes"]) if known.get("boxes") else None
            yield msgspec.convert({**known, "boxes": boxes}, Part)
        except ValueError as error:  # msgspec's ValidationError and json's are ones
            raise JournalError(f"{path}: a row does not fit the schema: {error}; was it changed by hand?") from error


def _rows(path: Path, query: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Rows of one day's file; none where it is still empty, or was deleted by retention since it was listed."""
    with _reading(path) as db:
        if db is not None and schema.version(db, path):
            yield from db.execute(query, values)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection | None]:
    try:
        with closing(_open(path)) as db:
            yield db
    except sqlite3.DatabaseError as error:
        if path.exists():
            raise JournalError(
                f"{path}: cannot be read: {error}; check its rights, or move it away if it is damaged"
            ) from error
        yield None


def _open(path: Path) -> sqlite3.Connection:
    """Open read-only. A reader without the right to write beside the file can read it once its log is worked in."""
    where = f"file:{quote(str(path))}?mode=ro"
    db = sqlite3.connect(where, uri=True, isolation_level=None, timeout=5.0)
    try:
        db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        db.close()
        if any(companion.exists() for companion in schema.companions(path)[1:]):
            raise
        return sqlite3.connect(f"{where}&immutable=1", uri=True, isolation_level=None)
    return db
