"""A scripted dispatch and supervisor on real ports: it beats, tells facts, and collects what plcd says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from inspectd import clock
from inspectd.wire.enums import LineOutcome
from inspectd.wire.messages import (
    Beat,
    Command,
    DeliveryAck,
    Done,
    Health,
    Key,
    Message,
    Order,
    Outcome,
    PlcState,
    Reply,
    SourceState,
    StationBeat,
    Trigger,
)
from inspectd.wire.sockets import Envelope, Hub
from tests.plc import facts
from tests.support import until

Value = TypeVar("Value")
BEAT_NS = 100 * clock.MS


class FakeDispatch:
    """Nothing happens but in `pump`, which every `until` calls."""

    def __init__(self, run_dir: Path) -> None:
        self.hub = Hub(run_dir)
        self.deliveries, self.triggers = self.hub.bind("deliveries"), self.hub.bind("triggers")
        self.beats, self.orders, self.control = self.hub.bind("beats"), self.hub.bind("orders"), self.hub.bind("control")
        self.session, self.station = "first", facts.beat()
        self.beating = self.acknowledging = True
        self.plc = b""  # identity of the plcd that said hello last
        self.hellos: list[PlcState] = []
        self.states: list[SourceState] = []
        self.fired: list[Trigger] = []
        self.acks: list[DeliveryAck] = []
        self.outcomes: list[Outcome] = []
        self.commands: list[Command] = []
        self.dones: list[Done] = []
        self.health: Health | None = None
        self._child = b""
        self._beat_ns, self._n = 0, 0

    def tell(self, fact: Message) -> None:
        """Send a fact to plcd, once."""
        assert self.deliveries.send(fact, to=self.plc)

    def order(self, what: str) -> None:
        """Order plcd to do something."""
        assert self.orders.send(Order(id=1, what=what, args={}), to=self._child)

    def outcome(self, of: Key) -> LineOutcome | None:
        """Return the outcome of a key; None while it is unknown."""
        return next((outcome.outcome for outcome in self.outcomes if outcome.key == of), None)

    def until(self, condition: Callable[[], Value], what: str = "", timeout: float = 20.0) -> Value:
        """Pump until the condition gives something true, and return that."""

        def pumped() -> Value:
            self.pump()
            return condition()

        return until(pumped, timeout, what)

    def pump(self) -> None:
        """Beat when it is time, and take in what waits."""
        now_ns = clock.now_ns()
        if self.beating and now_ns - self._beat_ns >= BEAT_NS:
            self._beat_ns, self._n = now_ns, self._n + 1
            stations: dict[str, StationBeat] = {facts.STATION: self.station}
            self.beats.send(Beat(session=self.session, n=self._n, t_ns=now_ns, stations=stations))
        for port in (self.deliveries, self.triggers, self.orders, self.control):
            for envelope in port.drain():
                self._take(envelope)

    def _take(self, envelope: Envelope) -> None:
        message: Any = envelope.message
        match message:
            case PlcState():
                self.plc = envelope.sender
                self.hellos.append(message)
            case Outcome():
                self.outcomes.append(message)
                if self.acknowledging:
                    self.deliveries.send(DeliveryAck(key=message.key, fact="Outcome"), to=envelope.sender)
            case DeliveryAck():
                self.acks.append(message)
            case SourceState():
                self.states.append(message)
            case Trigger():
                self.fired.append(message)
                self.trigger_sender = envelope.sender
            case Health():
                self.health, self._child = message, envelope.sender
            case Done():
                self.dones.append(message)
            case Command():
                self.commands.append(message)
                self.commander = envelope.sender

    def reply(self, ok: bool) -> None:
        """Answer the last command."""
        assert self.control.send(Reply(ok=ok), to=self.commander)
