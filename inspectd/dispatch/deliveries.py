"""What each plcd must be told, sent again until it says that it has it; and the ledger told what the line saw."""

from inspectd.dispatch.ledger import Ledger
from inspectd.wire.messages import Closed, DeliveryAck, Key, Opened
from inspectd.wire.outbox import Outbox
from inspectd.wire.sockets import Port

MS = 1_000_000
OUTBOX = 100_000  # facts kept for a plcd that is away; the ledger tells a new one what is still unsettled
Fact = tuple[Key, str]


class Deliveries:
    """One outbox per PLC connection; nothing is kept for a plcd that is not there, a new one is told from the ledger."""

    def __init__(self, port: Port, ledger: Ledger) -> None:
        self._port = port
        self._ledger = ledger
        self._identity: dict[str, bytes] = {}
        self._outbox: dict[str, Outbox[Fact]] = {}
        self._plc_of: dict[Key, str] = {}
        self._failing_ns: dict[str, int] = {}  # since when nothing could be sent; missing: all is well

    def hello(self, identity: bytes, plc: str) -> None:
        """Meet a plcd: tell it every key whose outcome is unknown."""
        self._identity[plc] = identity
        self._failing_ns.pop(plc, None)
        self._outbox[plc] = Outbox(limit=OUTBOX)
        for opened, closed in self._ledger.unfinished(plc):
            self.put_opened(opened)
            if closed:
                self.put_closed(closed)

    def put_opened(self, opened: Opened) -> None:
        """Tell a trigger to its plcd, if it has one that is there."""
        if opened.plc in self._outbox:
            self._plc_of[opened.key] = opened.plc
            self._outbox[opened.plc].put((opened.key, "Opened"), opened)

    def put_closed(self, closed: Closed) -> None:
        """Tell a verdict to the plcd that knows its trigger."""
        plc = self._plc_of.get(closed.key, "")
        if plc in self._outbox:
            self._outbox[plc].put((closed.key, "Closed"), closed)

    def acknowledged(self, ack: DeliveryAck) -> None:
        """Stop sending what plcd has."""
        outbox = self._outbox.get(self._plc_of.get(ack.key, ""))
        if outbox:
            outbox.ack((ack.key, ack.fact))

    def settled(self, key: Key) -> None:
        """Forget a key whose outcome is known."""
        outbox = self._outbox.get(self._plc_of.pop(key, ""))
        if outbox:
            outbox.ack((key, "Opened"))
            outbox.ack((key, "Closed"))

    def flush(self, now_ns: int) -> None:
        """Send what is due. Where a send fails, the rest waits: a frozen plcd goes on when it thaws, a new one says hello."""
        for plc, identity in self._identity.items():
            outbox = self._outbox[plc]
            for id_, message in outbox.due(now_ns):
                if not self._port.send(message, to=identity):
                    self._failing_ns.setdefault(plc, now_ns)
                    break
                self._failing_ns.pop(plc, None)
                outbox.sent(id_, now_ns)

    def gone_ms(self, plc: str, now_ns: int) -> float:
        """For how long nothing could be sent to this connection's plcd; 0 while it is there."""
        if plc not in self._identity:
            self._failing_ns.setdefault(plc, now_ns)
        return (now_ns - self._failing_ns.get(plc, now_ns)) / MS
