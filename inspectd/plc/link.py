"""plcd's end of the channels to dispatch: beats and facts in, outcomes and triggers out until acknowledged.

Each new session of dispatch is greeted: which PLC speaks, and the last key of each trigger source.
"""

from collections.abc import Iterator, Mapping

from inspectd.plc.source import Source
from inspectd.wire.messages import Ack, Beat, Closed, DeliveryAck, Key, Opened, Outcome, PlcState
from inspectd.wire.outbox import Outbox
from inspectd.wire.sockets import Hub, Port

OUTCOMES_KEPT = 1_000_000  # no limit in practice: none comes while dispatch is away


class Link:
    """The channels deliveries, triggers and beats of one plcd."""

    def __init__(self, hub: Hub, plc: str, identity: str, sources: Mapping[str, Source]) -> None:
        self._plc, self._sources = plc, sources
        self._deliveries = hub.connect("deliveries", identity)
        self._triggers = hub.connect("triggers", identity)
        self._beats = hub.connect("beats")
        self._outcomes: Outbox[Key] = Outbox(limit=OUTCOMES_KEPT)
        self._session = ""
        self._plc_known = False
        self._strangers = set(sources)  # sources that this session of dispatch has not heard of

    @property
    def idle(self) -> bool:
        """Dispatch has every outcome."""
        return not self._outcomes

    def beats(self) -> Iterator[Beat]:
        """Yield the beats that came; one of a new session has everything told again."""
        for envelope in self._beats.drain():
            if isinstance(envelope.message, Beat):
                if envelope.message.session != self._session:
                    self._meet(envelope.message.session)
                yield envelope.message

    def facts(self) -> Iterator[Opened | Closed]:
        """Yield the facts that came, repeated ones too; each is acknowledged."""
        for envelope in self._deliveries.drain():
            match envelope.message:
                case Opened() | Closed() as fact:
                    # a lost acknowledgement is no harm: the fact comes again and is acknowledged again
                    self._deliveries.send(DeliveryAck(key=fact.key, fact=type(fact).__name__))
                    yield fact
                case DeliveryAck(fact="Outcome") as ack:
                    self._outcomes.ack(ack.key)

    def read_acks(self) -> None:
        """Forget the triggers that dispatch has."""
        for envelope in self._triggers.drain():
            if isinstance(envelope.message, Ack) and envelope.message.key.station in self._sources:
                self._sources[envelope.message.key.station].outbox.ack(envelope.message.key)

    def put(self, outcome: Outcome) -> None:
        """Keep an outcome until dispatch has it."""
        self._outcomes.put(outcome.key, outcome)

    def send(self, now_ns: int) -> None:
        """Send what is due: hello first, so that dispatch knows who speaks."""
        self._plc_known = self._plc_known or self._deliveries.send(PlcState(plc=self._plc))
        if self._plc_known:
            _send(self._outcomes, self._deliveries, now_ns)
        for name, source in self._sources.items():
            if name in self._strangers and self._triggers.send(source.state()):
                self._strangers.discard(name)
            if name not in self._strangers:
                _send(source.outbox, self._triggers, now_ns)

    def _meet(self, session: str) -> None:
        self._session, self._plc_known, self._strangers = session, False, set(self._sources)
        self._outcomes.send_all_again()
        for source in self._sources.values():
            source.outbox.send_all_again()


def _send(outbox: Outbox[Key], port: Port, now_ns: int) -> None:
    for key, message in outbox.due(now_ns):
        if not port.send(message):
            return
        outbox.sent(key, now_ns)
