"""The journal's files and tables: one SQLite file a UTC day, one row a trigger. The README's table is made from here.

The version stands in `PRAGMA user_version`. A file of a newer version is refused, never guessed at.
"""

import re
import sqlite3
from pathlib import Path
from typing import NamedTuple

from inspectd.errors import JournalError

VERSION = 2
_NAME = re.compile(r"journal-(\d{4}-\d{2}-\d{2})\.db")


class Column(NamedTuple):
    """One column: its name, SQLite type, and what it means to people."""

    name: str
    type: str
    meaning: str
    since: int = 1  # version of the first journal that has it


class Table(NamedTuple):
    """One table: its name, what one row of it is, its columns and its primary key."""

    name: str
    row: str
    columns: tuple[Column, ...]
    primary: tuple[str, ...]


PARTS = Table(
    "parts",
    "One trigger.",
    (
        Column("station", "TEXT", "station that saw the part; with run and seq the key"),
        Column("run", "INTEGER", "starts of the process that numbered the trigger"),
        Column("seq", "INTEGER", "number of the trigger in its run, from 1 without gaps"),
        Column("part_id", "TEXT", "the part's name, where it has one"),
        Column("product", "TEXT", "product that was active"),
        Column("lot", "TEXT", "lot, where it is known"),
        Column("utc", "TEXT", "when the trigger came, wall clock, for people"),
        Column("utc_ns", "INTEGER", "the same in ns since 1970; its day names the file"),
        Column("host", "TEXT", "boot of the host whose monotonic clock trigger_ns is"),
        Column("trigger_ns", "INTEGER", "when the trigger came, CLOCK_MONOTONIC of that host"),
        Column("deadline_ms", "REAL", "from the trigger until the result must stand at the PLC"),
        Column("plc", "TEXT", "connection to the PLC; empty: none"),
        Column("opened_ms", "REAL", "dispatch had the trigger; all steps in ms since the trigger"),
        Column("frame_ms", "REAL", "dispatch had the picture"),
        Column("sent_ms", "REAL", "the picture went to a worker"),
        Column("scored_ms", "REAL", "the worker's answer was back"),
        Column("closed_ms", "REAL", "the verdict stood"),
        Column("outcome_ms", "REAL", "the line had it, or the fail-safe took its place"),
        Column("verdict", "TEXT", "PASS, FAIL or UNDECIDED; empty: not closed yet"),
        Column("reason", "INTEGER", "code of the reason of an UNDECIDED, 0: none"),
        Column("reason_name", "TEXT", "its name"),
        Column("text", "TEXT", "details of the reason"),
        Column("score", "REAL", "anomaly score; empty: none in time"),
        Column("threshold", "REAL", "FAIL from this score on"),
        Column("fingerprint", "TEXT", "bundle that judged, or was to judge"),
        Column("worker", "TEXT", "worker that scored"),
        Column("batch", "INTEGER", "pictures in its batch"),
        Column("outcome", "TEXT", "what the line saw: delivered, fail_safe(…) or no_plc"),
        Column("late_score", "REAL", "score that came after the verdict and changed nothing"),
        Column("late_ms", "REAL", "when it came, ms after the verdict"),
        # a column that came later stands behind the earlier ones: ALTER TABLE puts it there in older files
        Column("recheck", "REAL", "UNDECIDED(recheck) from this score to the threshold; empty: no such band", 2),
        Column("pixel_threshold", "REAL", "heat map outlined from this value on, in the unit of the score", 2),
        Column("area_px", "INTEGER", "area outlined, in pixels of the roi", 2),
        Column("area_mm2", "REAL", "the same in square millimetres, where mm_per_px is known", 2),
        Column("regions", "INTEGER", "connected places outlined", 2),
        Column("boxes", "TEXT", "x, y, width, height around the largest of them, in pixels of the roi; JSON", 2),
    ),
    ("station", "run", "seq"),
)
COMMANDS = Table(
    "commands",
    "One command that somebody gave.",
    (
        Column("utc_ns", "INTEGER", "when, ns since 1970"),
        Column("who", "TEXT", "user who gave it"),
        Column("what", "TEXT", "the command"),
        Column("utc", "TEXT", "when, for people"),
        Column("args", "TEXT", "its arguments, JSON"),
        Column("ok", "INTEGER", "1: done, 0: refused or failed"),
        Column("text", "TEXT", "the answer"),
    ),
    ("utc_ns", "who", "what"),
)
POSITION = Table(
    "position",
    "The place in the spool up to which the journal is drained: a single row, written with the rows that it speaks of.",
    (
        Column("id", "INTEGER", "always 1"),
        Column("n", "INTEGER", "counts the commits over all files: the row with the highest n holds"),
        Column("segment", "INTEGER", "number of the spool's segment"),
        Column("offset", "INTEGER", "offset in it"),
    ),
    ("id",),
)
TABLES = (PARTS, COMMANDS, POSITION)
_INDEXES = (
    "CREATE INDEX parts_by_id ON parts (part_id)",
    "CREATE INDEX parts_by_time ON parts (utc_ns)",
)


def markdown() -> str:
    """All tables as Markdown, for the README."""
    lines = []
    for table in TABLES:
        lines += [f"**{table.name}**: {table.row}", "", "| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{name}` | {type_} | {meaning} |" for name, type_, meaning, _ in table.columns]
        lines.append("")
    return "\n".join(lines)


def path_of(journal: Path, day: str) -> Path:
    """Path of one day's file; `day` as 2026-11-21."""
    return journal / f"journal-{day}.db"


def days(journal: Path) -> list[tuple[str, Path]]:
    """Every day there is a file of, oldest first; none where the directory is missing."""
    if not journal.is_dir():
        return []
    found = ((match[1], path) for path in journal.iterdir() if (match := _NAME.fullmatch(path.name)))
    return sorted(found)


def companions(path: Path) -> list[Path]:
    """Name the files that belong to a day: the database, its write-ahead log and that log's index."""
    return [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open a day's file, making it where it is missing: write-ahead log, every commit on disk when it returns.

    JournalError if it is of a newer version; sqlite3.Error if SQLite cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # one thread at a time uses it, not always the same; a reader never blocks us, so a lock is somebody's tool at work
    db = sqlite3.connect(path, isolation_level=None, timeout=1.0, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        found = version(db, path)
        if found == 0:
            _create(db)
        elif found < VERSION:
            _migrate(db, found)
    except BaseException:
        db.close()
        raise
    return db


def version(db: sqlite3.Connection, path: Path) -> int:
    """Version of an open file, 0 for one that is still empty; JournalError if this release does not know it."""
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    is_foreign = found == 0 and db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
    if is_foreign or not 0 <= found <= VERSION:
        raise JournalError(
            f"{path}: expected a journal of at most version {VERSION}, "
            f"got {'another database' if is_foreign else f'version {found}'}; "
            f"{'move it away' if is_foreign else 'install the release of inspectd that wrote it, or move it away'}"
        )
    return found


def _create(db: sqlite3.Connection) -> None:
    statements = [*map(_create_table, TABLES), *_INDEXES, f"PRAGMA user_version = {VERSION}"]
    db.executescript("BEGIN IMMEDIATE;" + ";".join(statements) + ";COMMIT;")


def _migrate(db: sqlite3.Connection, found: int) -> None:
    """Add the columns that a file of an older version lacks; its rows keep them empty."""
    newer = [(table, column) for table in TABLES for column in table.columns if column.since > found]
    statements = [f"ALTER TABLE {table.name} ADD COLUMN {column.name} {column.type}" for table, column in newer]
    db.executescript("BEGIN IMMEDIATE;" + ";".join([*statements, f"PRAGMA user_version = {VERSION}"]) + ";COMMIT;")


def _create_table(table: Table) -> str:
    columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    return f"CREATE TABLE {table.name} ({columns}, PRIMARY KEY ({', '.join(table.primary)})) WITHOUT ROWID"
