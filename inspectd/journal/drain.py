"""Moves records from the spool into the day files, and deletes segments that are wholly drained.

One turn is one group commit. The place drained up to is committed in the transaction of its last rows; a batch that
touches several days commits the older days first, without it. Whatever a kill interrupts is done again, and a row that
is written again does not change (rows.py): exactly once, after a kill at any point.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from inspectd import log
from inspectd.errors import JournalError
from inspectd.journal import rows, schema, segments
from inspectd.journal.segments import Position, Tail

BATCH = 100  # rows in a commit: 20,000 rows/s where a commit waits 4 ms for the disk
_OPEN_DAYS = 2  # around midnight both days are written
_UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# facts drained; those that changed a row, and of them the first of their kind for a key; those that were there already;
# records of another version; segments that ended in a torn record
COUNTED = ("records", "rows", "opens", "closes", "outcomes", "repeats", "undecoded", "torn")
_log = log.get(__name__)


class Drain:
    """The spool's reader on the way to SQLite. Used by one thread at a time."""

    def __init__(self, spool: Path, journal: Path) -> None:
        self._spool = spool
        self._journal = journal
        self._open: dict[str, tuple[sqlite3.Connection, os.stat_result]] = {}
        self._commits, self.drained = _resume(journal)
        self._tail = Tail(spool, self.drained)
        self.counts = dict.fromkeys(COUNTED, 0)
        self.set_aside: list[Path] = []  # day files that SQLite could not read any more
        self.vanished: list[Path] = []  # day files that somebody removed or replaced while they were written to
        self.not_deleted = ""

    def turn(self) -> int:
        """Move at most one batch; returns how many records it had. JournalError while SQLite cannot: nothing is lost."""
        bodies = self._tail.read(BATCH)
        if bodies:
            found, undecoded = segments.decode(bodies)
            try:
                self._write(found)
            except (sqlite3.Error, OSError, JournalError) as error:
                raise self._give_up(error) from error
            self.counts["undecoded"] += undecoded
        self.drained = self._tail.position
        self._note_torn()
        self._delete_drained()
        return len(bodies)

    def close_days(self) -> None:
        """Close all day files; the next turn opens what it needs."""
        for db, _ in self._open.values():
            db.close()
        self._open.clear()

    def close(self) -> None:
        """Close everything."""
        self.close_days()
        self._tail.close()

    def _write(self, found: list[object]) -> None:
        days = rows.by_day(found)
        for left, (day, facts) in zip(reversed(range(len(days))), days.items(), strict=True):
            try:
                self._commit(day, facts, is_last=left == 0)
            except sqlite3.DatabaseError as error:
                self.close_days()
                self._set_aside(schema.path_of(self._journal, day), error)
                raise

    def _commit(self, day: str, facts: list[rows.Entry], *, is_last: bool) -> None:
        db = self._day(day)
        with db:
            db.execute("BEGIN IMMEDIATE")
            new = rows.write(db, facts)
            if is_last:
                rows.write_position(db, self._commits + 1, self._tail.position)
        self._commits += is_last
        self._count(len(facts), new)

    def _day(self, day: str) -> sqlite3.Connection:
        path = schema.path_of(self._journal, day)
        if day in self._open and not _is_at(path, self._open[day][1]):
            # SQLite would go on writing into a file without a name, and nobody would ever read it
            self._open.pop(day)[0].close()
            self.vanished.append(path)
            _log.error("journal file removed or replaced while in use, rows drained before are lost", file=str(path))
        if day not in self._open:
            while len(self._open) >= _OPEN_DAYS:
                self._open.pop(next(iter(self._open)))[0].close()
            db = schema.open_for_writing(path)
            self._open[day] = db, path.stat()
        return self._open[day][0]

    def _count(self, facts: int, new: dict[str, int]) -> None:
        self.counts["records"] += facts
        self.counts["rows"] += sum(new.values())
        self.counts["opens"] += new.get("Opened", 0)
        self.counts["closes"] += new.get("Closed", 0)
        self.counts["outcomes"] += new.get("Outcome", 0)
        self.counts["repeats"] += facts - sum(new.values())

    def _give_up(self, error: Exception) -> JournalError:
        """Forget the turn: the spool still has its records, and the next turn begins where the last commit ended."""
        self.close()
        self._commits, self.drained = _resume(self._journal)
        self._tail = Tail(self._spool, self.drained)
        return error if isinstance(error, JournalError) else JournalError(f"{self._journal}: cannot be written: {error}")

    def _set_aside(self, path: Path, error: sqlite3.DatabaseError) -> None:
        """Move an unreadable day away, so that one broken file does not stop the journal; rows still in the spool come back."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNREADABLE or not path.exists():
            return
        number = 1 + len(list(path.parent.glob(f"{path.name}.damaged-*[0-9]")))
        for file in schema.companions(path):
            if file.exists():
                file.rename(file.with_name(file.name.replace(path.name, f"{path.name}.damaged-{number}")))
        self.set_aside.append(path)
        _log.error("journal file damaged, moved aside", file=str(path), error=str(error))

    def _note_torn(self) -> None:
        for place in self._tail.torn:
            self.counts["torn"] += 1
            path = segments.path_of(self._spool, place.segment)
            _log.warning("spool segment ends in a torn record", segment=str(path), offset=place.offset)
        self._tail.torn.clear()

    def _delete_drained(self) -> None:
        self.not_deleted = ""
        for number in segments.numbers(self._spool):
            if number < self.drained.segment:
                try:
                    segments.path_of(self._spool, number).unlink(missing_ok=True)
                except OSError as error:
                    self.not_deleted = f"drained segment {number} of the spool cannot be deleted: {error.strerror}"


def _is_at(path: Path, opened: os.stat_result) -> bool:
    """Tell whether the file that was opened still has its name."""
    try:
        return os.path.samestat(path.stat(), opened)
    except OSError:
        return False


def _resume(journal: Path) -> tuple[int, Position]:
    """Return the last commit of all days: its count, and the place in the spool behind it."""
    last = (0, Position(0, 0))
    for _, path in schema.days(journal):
        try:
            with closing(schema.open_for_writing(path)) as db:
                last = max(last, rows.read_position(db))
        except (sqlite3.Error, JournalError) as error:  # its own day says so when it is written to
            _log.warning("journal file cannot be read", file=str(path), error=str(error))
    return last
