"""Spool records for tests: the life of parts, in the order in which dispatch writes it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from inspectd.journal import schema
from inspectd.journal.records import Record, pack
from inspectd.journal.segments import path_of
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from inspectd.wire.messages import Checkpoint, Closed, Key, Opened, Outcome

NOON = 1_790_000_000 * 1_000_000_000  # ns UTC; a Monday in 2026
DAY_NS = 86_400 * 1_000_000_000


def key(seq: int, run: int = 1, station: str = "tile") -> Key:
    return Key(station, run, seq)


def opened(of: Key, utc_ns: int = NOON) -> Opened:
    return Opened(
        key=of, t_ns=5_000_000 + of.seq, utc_ns=utc_ns, host="boot", part_id=f"part-{of.seq}", lot="lot-7", product="default",
        deadline_ms=200.0, fingerprint="0123456789abcdef", threshold=3.5, plc="line1", opened_ms=0.25,
    )  # fmt: skip


def closed(of: Key, utc_ns: int = NOON, verdict: Verdict = Verdict.PASS, reason: Reason = Reason.NONE) -> Closed:
    return Closed(
        key=of, utc_ns=utc_ns, verdict=verdict, reason=reason, score=1.25, threshold=3.5, fingerprint="0123456789abcdef",
        part_id=f"part-{of.seq}", worker="workerd-1", batch=2, frame_ms=1.0, sent_ms=1.5, scored_ms=9.0, closed_ms=9.25,
    )  # fmt: skip


def outcome(of: Key, utc_ns: int = NOON, what: LineOutcome = LineOutcome.DELIVERED) -> Outcome:
    return Outcome(key=of, outcome=what, t_ms=12.0, utc_ns=utc_ns)


def life(of: Key, utc_ns: int = NOON) -> list[Record]:
    return [opened(of, utc_ns), closed(of, utc_ns), outcome(of, utc_ns)]


def checkpoint(
    last: int = 0, run: int = 1, station: str = "tile", unfinished: list[Opened] | None = None, utc_ns: int = NOON
) -> Checkpoint:
    sources = {station: (run, last)} if last else {}
    return Checkpoint(utc_ns=utc_ns, opened=unfinished or [], closed=[], outcomes=[], sources=sources, counts={})


def first_version(path: Path) -> Path:
    """Write a day's file as releases with journals of version 1 did, with one part."""
    tables = [table._replace(columns=tuple(c for c in table.columns if c.since == 1)) for table in schema.TABLES]
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        for table in tables:
            db.execute(schema._create_table(table))
        row = ("tile", 1, 1, "part-1", NOON, "2026-09-21T12:00:00.000Z", 1.25)
        db.execute("INSERT INTO parts (station, run, seq, part_id, utc_ns, utc, score) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("PRAGMA user_version = 1")
        db.commit()
    return path


FULL_DISK = ("unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=$0 tmpfs "$1" && shift && exec "$@"')
"""Prefix of a command that runs with a small disk of its own: size, directory, then the command. For any user."""


def spool_of(directory: Path, *segments: list[Record], size: int = 65_536) -> None:
    """Write finished and unfinished segments as dispatch does: each begins with a Checkpoint, the last one may grow."""
    for number, facts in enumerate(segments, 1):
        directory.mkdir(parents=True, exist_ok=True)
        data = b"".join(map(pack, [checkpoint(), *facts]))
        path_of(directory, number).write_bytes(data.ljust(size, b"\0"))
