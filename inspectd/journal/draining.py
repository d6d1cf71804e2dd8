"""Draining as a job in a thread of its own: paced, with back-off while SQLite refuses, and with retention once an hour."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from inspectd import clock, log
from inspectd.errors import JournalError
from inspectd.journal import retention
from inspectd.journal.drain import BATCH, COUNTED, Drain
from inspectd.journal.segments import Position
from inspectd.station.schema import Retention
from inspectd.station.state import StateDir

_COMMIT_EVERY_NS = 200 * clock.MS  # rows are for people, and each commit waits for the disk; the spool is safe before
_FIRST_WAIT_NS = 100 * clock.MS  # after SQLite refused; doubled each time
_LONGEST_WAIT_NS = 5_000 * clock.MS
_RETENTION_EVERY_NS = 3_600_000 * clock.MS
_log = log.get(__name__)


@dataclass
class _Job:
    """One turn under way; `is_last`: nothing is written to the spool any more."""

    future: Future[int]
    is_last: bool


class Draining:
    """Drains turn after turn; `turn` never waits for SQLite."""

    def __init__(self, state: StateDir, keep: Retention) -> None:
        self._state = state
        self._keep = keep
        self._pool = ThreadPoolExecutor(1, "drain")
        self._job: _Job | None = None
        self._drain: Drain | None = None
        self._next_ns = 0
        self._wait_ns = 0
        self._retention_ns = 0
        self._refused = ""
        self._not_deleted = ""
        self.is_finished = False  # drained to the end after the last record was written, or SQLite refused even then

    def turn(self, now_ns: int, *, is_behind: bool, is_last: bool) -> None:
        """Take the result of the turn under way, and start the next one when it is time and there is something to do.

        `is_behind`: the spool has what is not drained; `is_last`: dispatch has ended.
        """
        if self._job and self._job.future.done():
            self._collect(self._job, now_ns)
            self._job = None
        has_work = is_last or (now_ns >= self._next_ns and (is_behind or now_ns >= self._retention_ns))
        if self._job is None and has_work and not self.is_finished:
            self._job = _Job(self._pool.submit(self._work, now_ns), is_last)

    def close(self) -> None:
        """Wait for the turn under way and close all files."""
        self._pool.shutdown(wait=True)
        if self._drain:
            self._drain.close()

    @property
    def drained(self) -> Position:
        """Place in the spool up to which rows are in SQLite, on disk."""
        return self._drain.drained if self._drain else Position(0, 0)

    @property
    def counts(self) -> dict[str, int]:
        """Facts moved since the start, by kind."""
        return self._drain.counts if self._drain else dict.fromkeys(COUNTED, 0)

    @property
    def reasons(self) -> list[str]:
        """What is wrong, for people; empty: nothing."""
        found = [self._refused, self._not_deleted]
        if self._drain:
            found += [
                self._drain.not_deleted,
                *(f"{path.name} was damaged and is moved aside" for path in self._drain.set_aside),
                *(f"{path.name} was removed while in use: its earlier rows are lost" for path in self._drain.vanished),
            ]
        return [reason for reason in found if reason]

    def _work(self, now_ns: int) -> int:
        self._drain = self._drain or Drain(self._state.spool, self._state.journal)
        if now_ns >= self._retention_ns:
            self._retention_ns = now_ns + _RETENTION_EVERY_NS
            self._drain.close_days()
            self._delete_old()
        return self._drain.turn()

    def _delete_old(self) -> None:
        today = clock.utc_day(clock.utc_ns())
        try:
            rows = retention.delete_rows(self._state.journal, today, self._keep.days)
            pictures = retention.delete_pictures(self._state.pictures, today, self._keep.picture_days)
        except OSError as error:
            self._not_deleted = f"days beyond retention cannot be deleted: {error}"
            return
        self._not_deleted = ""
        if rows or pictures:
            _log.info("days beyond retention deleted", journal=rows, pictures=pictures)

    def _collect(self, job: _Job, now_ns: int) -> None:
        try:
            moved = job.future.result()
        except JournalError as error:
            if not self._refused:
                _log.error("journal not drained, the spool keeps everything", error=str(error))
            self._refused = str(error)
            self._wait_ns = min(_LONGEST_WAIT_NS, max(_FIRST_WAIT_NS, 2 * self._wait_ns))
            self._next_ns = now_ns + self._wait_ns
            self.is_finished = job.is_last
            return
        self._refused = ""
        self._wait_ns = 0
        self._next_ns = now_ns if moved == BATCH else now_ns + _COMMIT_EVERY_NS
        self.is_finished = job.is_last and moved == 0
