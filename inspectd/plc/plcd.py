"""plcd: one PLC connection, serving every station mapped to it. It alone knows what the line saw.

deliveries (Opened, Closed) and beats in -> handshake.py, one a station -> images on the bus -> what the PLC took -> outcomes
out. On `stop` it shows the safe state for a moment and ends; so it does when the supervisor dies (SIGUSR2).
"""

import os
import signal
from collections.abc import Callable
from types import FrameType

from inspectd import clock, log
from inspectd.plc.adapter import Adapter, Read
from inspectd.plc.handshake import Fire, Handshake, Terms
from inspectd.plc.link import Link
from inspectd.plc.modbus import ModbusTcp
from inspectd.plc.registers import Image
from inspectd.plc.source import Source
from inspectd.station.schema import Station
from inspectd.wire.child import Child, Seat
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import Closed, Command, Opened, Reply
from inspectd.wire.sockets import Hub

TURN_MS = 50.0  # longest sleep of the work loop
GRACE_NS = 500 * clock.MS  # after `stop`: for the PLC to take what stands, and again for dispatch to hear of it
ORPHAN_NS = 200 * clock.MS  # after the supervisor's death: for the PLC to see the safe state
_SAFE = Image()


def main(seat: Seat) -> None:
    """Serve one PLC connection until told to stop; PlcError if the bus cannot be had."""
    deaths: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        deaths.append(number)

    signal.signal(signal.SIGUSR2, note)  # the kernel sends it when the supervisor dies
    stations = {n: s for n, s in seat.config.stations.items() if s.plc is not None and s.plc.name == seat.subject}
    address = seat.config.line.plcs[seat.subject].address
    adapter = ModbusTcp(seat.subject, address, {name: s.plc.block for name, s in stations.items() if s.plc})
    adapter.open()
    try:
        with Hub(seat.run_dir) as hub:
            Plcd(seat, hub, adapter, stations).run(lambda: bool(deaths))
    finally:
        adapter.close()


class Plcd:
    """The work loop and what it holds."""

    def __init__(self, seat: Seat, hub: Hub, adapter: Adapter, stations: dict[str, Station]) -> None:
        identity, now_ns = f"{seat.process}:{os.getpid()}", clock.now_ns()
        heartbeat_ns = int(seat.config.line.plcs[seat.subject].heartbeat_ms * clock.MS)
        self._hub, self._adapter, self._process, self._stations = hub, adapter, seat.process, stations
        self._handshakes = {name: Handshake(_terms(station, now_ns, heartbeat_ns)) for name, station in stations.items()}
        triggering = [name for name, station in stations.items() if station.trigger == "plc"]
        self._sources = {name: Source(name, seat.state.next_run(name)) for name in triggering}
        self._child = Child(hub, seat)
        self._link = Link(hub, seat.subject, identity, self._sources)
        self._controls = {name: hub.connect("control", f"{identity}:{name}") for name in stations}
        self._safe_seen: set[str] = set()
        self._ill: list[str] = []
        self._closed = False  # no more triggers are taken
        self._log = log.get("plcd")
        hub.watch_fd(adapter.fileno())

    def run(self, orphaned: Callable[[], bool]) -> None:
        """Work until the order `stop`, or until the supervisor is dead."""
        self._log.info("serving", stations=sorted(self._stations))
        while not orphaned():
            self._turn()
            if self._told_to_stop():
                self._stop(orphaned)
                return
        self._retire(ORPHAN_NS, lambda: False)

    def _turn(self) -> None:
        """The bus, dispatch, the bus again, and what dispatch must hear of it.

        Each has a clock of its own, read after what it heard: an outcome never seems older than the verdict it is of.
        """
        self._sleep()
        self._take()
        self._hear()
        self._change_products()
        now_ns = clock.now_ns()
        self._adapter.show({name: handshake.tick(now_ns) for name, handshake in self._handshakes.items()})
        self._tell(now_ns)
        self._report(now_ns)

    def _sleep(self) -> None:
        now_ns = clock.now_ns()
        due_ns = min((handshake.due_ns(now_ns) for handshake in self._handshakes.values()), default=now_ns + clock.MS)
        self._hub.wait(min(TURN_MS, (due_ns - now_ns) / clock.MS))

    # --- the bus -------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """What the PLC read and wrote; after it, what the last turn took off can be settled."""
        taken = self._adapter.take()
        now_ns = clock.now_ns()
        for name in taken.heard:
            self._handshakes[name].heard(now_ns)
        for event in taken.events:
            handshake = self._handshakes[event.station]
            if isinstance(event, Read):
                handshake.read(event.image, event.whole, now_ns)
                if event.image == _SAFE:
                    self._safe_seen.add(event.station)
                continue
            for fire in handshake.written(event.control, event.image, now_ns):
                self._fire(event.station, fire, now_ns)
        for handshake in self._handshakes.values():
            handshake.settle_withdrawn(now_ns)

    def _fire(self, station: str, fire: Fire, now_ns: int) -> None:
        part_id = fire.part_id if self._stations[station].part_id == "plc" else ""
        key = self._sources[station].fire(now_ns, clock.utc_ns(), part_id)
        self._handshakes[station].fired(key, part_id, now_ns)

    def _change_products(self) -> None:
        """Ask for the products that PLCs selected, each behind the last trigger that came before it."""
        for name, handshake in self._handshakes.items():
            if name in self._sources and self._sources[name].outbox:
                continue
            select = handshake.changeover()
            if select is None:
                continue
            args = {"station": name, "product": select.product}
            if not self._controls[name].send(Command(what="product", who=self._process, args=args)):
                handshake.refused()

    # --- dispatch and supervisor -----------------------------------------------------------------------------------

    def _hear(self) -> None:
        for beat in self._link.beats():
            for name, handshake in self._handshakes.items():
                handshake.beat(min(beat.t_ns, clock.now_ns()), beat.stations.get(name))
        for fact in self._link.facts():
            if fact.key.station in self._handshakes:
                self._learn(fact, clock.now_ns())
            else:
                self._log.error("fact of a station that is not served here", key=str(fact.key))
        self._link.read_acks()
        for name, port in self._controls.items():
            for envelope in port.drain():
                if isinstance(envelope.message, Reply) and not envelope.message.ok:
                    self._handshakes[name].refused()

    def _learn(self, fact: Opened | Closed, now_ns: int) -> None:
        results = self._handshakes[fact.key.station].results
        if isinstance(fact, Opened):
            results.opened(fact, now_ns)
        else:
            results.closed(fact, now_ns)

    def _tell(self, now_ns: int) -> None:
        for handshake in self._handshakes.values():
            for outcome in handshake.results.outcomes:
                self._link.put(outcome)
            handshake.results.outcomes.clear()
        self._link.send(now_ns)

    def _report(self, now_ns: int) -> None:
        ill = [f"{name}: {text}" for name, handshake in self._handshakes.items() for text in handshake.complaints(now_ns)]
        if ill != self._ill:
            self._log.info("health", reasons=ill)
            self._ill = ill
        state = HealthState.DEGRADED if ill else HealthState.OK
        self._child.report(state, ill, self._counters(), done=self._closed and not self._unacknowledged)

    @property
    def _unacknowledged(self) -> int:
        return sum(len(source.outbox) for source in self._sources.values())

    def _counters(self) -> dict[str, float]:
        tallies = {name: handshake.results.tally for name, handshake in self._handshakes.items()}
        counters = {f"station.{name}.opened": float(tally.triggers) for name, tally in tallies.items()}
        for name, source in self._sources.items():
            counters |= {f"station.{name}.run": float(source.run), f"station.{name}.seq": float(source.last_seq)}
        for name, tally in tallies.items():
            counters |= {f"station.{name}.{what.name.lower()}": float(n) for what, n in tally.outcomes.items()}
        return counters

    # --- the end -------------------------------------------------------------------------------------------------

    def _told_to_stop(self) -> bool:
        for order in self._child.orders():
            match order.what:
                case "stop":
                    return True
                case "close_intake":
                    self._close_intake()
                    self._child.done(order)
                case _:
                    self._child.done(order, ok=False, text=f"plcd knows no order {order.what!r}")
        return False

    def _close_intake(self) -> None:
        """Take no more triggers: the line is being stopped, and the cameras go before plcd does."""
        self._closed = True
        for handshake in self._handshakes.values():
            handshake.close_intake()

    def _stop(self, orphaned: Callable[[], bool]) -> None:
        """Take no more triggers, give the PLC a moment for what stands, then go down."""
        self._close_intake()
        self._linger(GRACE_NS, lambda: orphaned() or not any(h.results.unsettled for h in self._handshakes.values()))
        self._retire(GRACE_NS, orphaned)

    def _retire(self, at_most_ns: int, orphaned: Callable[[], bool]) -> None:
        """Show the safe state until the PLC has seen it and dispatch has every outcome."""
        self._safe_seen.clear()
        for handshake in self._handshakes.values():
            handshake.retire(clock.now_ns())
        self._linger(at_most_ns, lambda: orphaned() or (self._safe_seen >= set(self._stations) and self._link.idle))
        self._log.info("ended in the safe state", seen_by_the_plc=sorted(self._safe_seen))

    def _linger(self, at_most_ns: int, done: Callable[[], bool]) -> None:
        end_ns = clock.now_ns() + at_most_ns
        while not done() and clock.now_ns() < end_ns:
            self._turn()


def _terms(station: Station, started_ns: int, heartbeat_ns: int) -> Terms:
    plc_triggers = station.trigger == "plc"
    return Terms(station.station, started_ns, station.deadline_ms, station.products, plc_triggers, heartbeat_ns)
