"""What every process main is given (its seat) and how it talks to the supervisor (orders in, health out).

A process main is `main(seat: Seat) -> None`. Its work loop calls `child.report(...)` on every turn: the beat comes from the
loop that does the work, so a hung loop is seen as hung. Children ignore SIGINT and SIGTERM; they end by the order `stop`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspectd import clock
from inspectd.station.schema import Config
from inspectd.station.state import StateDir
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import Done, Health, Order
from inspectd.wire.sockets import Hub

REPORT_EVERY_NS = 200 * clock.MS


@dataclass(frozen=True)
class Seat:
    """A process's place: its name in TABLE 2's rows, what it serves, the files it obeys, where it may write."""

    process: str  # workerd-1, ingestd-solar-cell, plcd-line1, dispatchd, journald
    subject: str  # the station, the PLC connection or the worker's number; empty for one-of-a-kind processes
    config: Config
    state_dir: Path
    run_dir: Path
    session: str = ""  # of the supervisor: new with every `inspectd run`, the same when a process is started again

    @property
    def state(self) -> StateDir:
        """Paths under the state directory."""
        return StateDir(self.state_dir)


class Child:
    """The child's end of the channel `orders`."""

    def __init__(self, hub: Hub, seat: Seat) -> None:
        self._hub = hub
        self._process = seat.process
        self._port = hub.connect("orders", identity=f"{seat.process}:{os.getpid()}")
        self._reported_ns = 0
        self._last: tuple[HealthState, tuple[str, ...], bool] | None = None

    def orders(self) -> Iterator[Order]:
        """Yield the orders that are waiting; each is answered with `done`, except `stop`, which ends the process."""
        for envelope in self._port.drain():
            if isinstance(envelope.message, Order):
                yield envelope.message

    def done(self, order: Order, ok: bool = True, text: str = "") -> None:
        """Answer an order."""
        self._port.send(Done(id=order.id, ok=ok, text=text))

    def due(self) -> bool:
        """Tell whether the next report is due, for loops whose counters are costly to gather."""
        return clock.now_ns() - self._reported_ns >= REPORT_EVERY_NS

    def report(
        self,
        state: HealthState = HealthState.OK,
        reasons: Sequence[str] = (),
        counters: Mapping[str, float] | None = None,
        done: bool = False,
    ) -> None:
        """Send this process's health: at once when it changed, else every 200 ms. Call it on every turn of the work loop."""
        now, what = clock.now_ns(), (state, tuple(reasons), done)
        if what == self._last and now - self._reported_ns < REPORT_EVERY_NS:
            return
        health = Health(
            process=self._process, pid=os.getpid(), state=state, reasons=list(reasons),
            counters=dict(counters or {}), channels=self._hub.counts(), done=done,
        )  # fmt: skip
        if self._port.send(health):
            self._reported_ns, self._last = now, what
