"""The supervisor's end of the channel `orders`: orders to children by name, and audit notes kept until dispatch has them."""

from itertools import count

from inspectd.supervisor.life import Life
from inspectd.wire.messages import Done, Order
from inspectd.wire.outbox import Outbox
from inspectd.wire.sockets import Port

NOTE_AGAIN_MS = 2000  # dispatch answers within milliseconds, unless it is not there
NOTES_KEPT = 1000


class Orders:
    """Numbers orders and sends them to the process that runs now."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._ids = count(1)
        self._notes: Outbox[int] = Outbox(NOTE_AGAIN_MS, NOTES_KEPT)
        self._notes_pid = 0

    def send(self, life: Life, what: str, args: dict[str, str]) -> int:
        """Send an order; returns its number, 0 if the process is not there to take it."""
        order = Order(id=next(self._ids), what=what, args=args)
        return order.id if self._deliver(life, order) else 0

    def note(self, args: dict[str, str]) -> None:
        """Keep an audit line for the journal until dispatch has spooled it."""
        order = Order(id=next(self._ids), what="note", args=args)
        self._notes.put(order.id, order)

    def noted(self, done: Done) -> bool:
        """Take dispatch's answer to a note; False if it answers something else."""
        return self._notes.ack(done.id)

    def flush(self, dispatch: Life, now: int) -> None:
        """Send the notes that are due; a new dispatch gets all that the old one did not answer."""
        if dispatch.pid != self._notes_pid:
            self._notes_pid = dispatch.pid
            self._notes.send_all_again()
        for number, order in self._notes.due(now):
            if not isinstance(order, Order) or not self._deliver(dispatch, order):
                return
            self._notes.sent(number, now)

    @property
    def notes_open(self) -> bool:
        """Some notes are not in the journal yet."""
        return len(self._notes) > 0

    def _deliver(self, life: Life, order: Order) -> bool:
        return life.running and self._port.send(order, to=f"{life.name}:{life.pid}".encode())
