"""journald: has the spool synced, moves its records into SQLite, keeps pictures, deletes what is too old.

The loop syncs, receives and reports; SQLite and PNG encoding have a thread each, so that neither holds up a sync. A
thread's failure comes back into the loop with its result.
"""

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from inspectd import clock
from inspectd.journal.draining import Draining
from inspectd.journal.pictures import PictureStore
from inspectd.journal.syncer import Syncer
from inspectd.station.schema import Retention
from inspectd.station.state import StateDir
from inspectd.wire.child import Child, Seat
from inspectd.wire.enums import HealthState
from inspectd.wire.sockets import Hub

_TURN_MS = 8  # and the sync itself: while records come, under the 10 ms that a power cut may cost
_PICTURES_IN_WORK = 8  # more wait in the channel, and beyond that dispatch counts them as not kept


def main(seat: Seat) -> None:
    """Run until the supervisor orders `stop`, then until the spool is drained and the pictures are kept."""
    with Hub(seat.run_dir) as hub:
        child = Child(hub, seat)
        journal = _Journal(hub, seat.state, seat.config.line.retention)
        is_stopping = False
        while not journal.is_finished:
            journal.wait()
            is_stopping = any(order.what == "stop" for order in child.orders()) or is_stopping
            journal.turn(is_last=is_stopping)
            if child.due() or journal.is_finished:
                reasons = journal.reasons
                state = HealthState.DEGRADED if reasons else HealthState.OK
                child.report(state, reasons, journal.counters, done=journal.is_finished)
        journal.close()


class _Journal:
    """What one turn does, and what there is to say of it."""

    def __init__(self, hub: Hub, state: StateDir, keep: Retention) -> None:
        self._hub = hub
        self._pictures = hub.bind("pictures")
        self._syncer = Syncer(state.spool)
        self._draining = Draining(state, keep)
        self._store = PictureStore(state.pictures, keep.min_free_mb)
        self._encoder = ThreadPoolExecutor(1, "pictures")
        self._in_work: set[Future[None]] = set()

    def wait(self) -> None:
        """Sleep until something comes, at most a turn."""
        if len(self._in_work) < _PICTURES_IN_WORK:
            self._hub.wait(_TURN_MS)
        else:  # what waits in the channel must not wake us: there is no room for it
            wait(self._in_work, _TURN_MS / 1_000, FIRST_COMPLETED)

    def turn(self, *, is_last: bool) -> None:
        """Sync, look after the threads, take pictures."""
        self._syncer.turn()
        self._draining.turn(clock.now_ns(), is_behind=self._behind > 0, is_last=is_last)
        for future in [future for future in self._in_work if future.done()]:
            self._in_work.remove(future)
            future.result()
        for envelope in self._pictures.drain(_PICTURES_IN_WORK - len(self._in_work)):
            self._in_work.add(self._encoder.submit(self._store.store, envelope))

    @property
    def is_finished(self) -> bool:
        """Nothing is left to do after the last record."""
        return self._draining.is_finished and not self._in_work

    @property
    def reasons(self) -> list[str]:
        """What is wrong, for people; empty: nothing."""
        return [reason for reason in (*self._draining.reasons, self._store.trouble, self._syncer.trouble) if reason]

    @property
    def counters(self) -> dict[str, float]:
        """Figures of the health report, since the start."""
        return {
            **self._draining.counts,
            "pictures": self._store.kept,
            "pictures_refused": self._store.refused,
            "behind_bytes": self._behind,
            "fdatasync": self._syncer.syncs,
        }

    @property
    def _behind(self) -> int:
        return self._syncer.behind(self._draining.drained)

    def close(self) -> None:
        """Wait for the threads and close all files."""
        self._encoder.shutdown(wait=True)
        self._draining.close()
        self._syncer.close()
