"""Messages that are kept and sent again, in order, until they are acknowledged. Pure: the clock is passed in."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from inspectd.wire.messages import Message

MS = 1_000_000
Id = TypeVar("Id", bound=Hashable)


class Outbox(Generic[Id]):
    """Unacknowledged messages by id, oldest first; at most `limit` of them (the oldest is lost, and counted)."""

    def __init__(self, again_ms: float = 100, limit: int = 10_000) -> None:
        self._again_ns = int(again_ms * MS)
        self._limit = limit
        self._kept: dict[Id, Message] = {}
        self._sent_ns: dict[Id, int] = {}
        self.lost = 0

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, id_: Id, message: Message) -> None:
        """Keep a message until it is acknowledged; it is due at once."""
        if id_ not in self._kept and len(self._kept) >= self._limit:
            self.ack(next(iter(self._kept)))
            self.lost += 1
        self._kept[id_] = message
        self._sent_ns.pop(id_, None)

    def ack(self, id_: Id) -> bool:
        """Forget a message; False if it was not kept."""
        self._sent_ns.pop(id_, None)
        return self._kept.pop(id_, None) is not None

    def due(self, now_ns: int) -> list[tuple[Id, Message]]:
        """List what must be sent now, oldest first. Once one is overdue, all kept go again, so that order is never broken."""
        overdue = any(now_ns - sent >= self._again_ns for sent in self._sent_ns.values())
        return [(id_, m) for id_, m in self._kept.items() if overdue or id_ not in self._sent_ns]

    def sent(self, id_: Id, now_ns: int) -> None:
        """Note that a message went out."""
        if id_ in self._kept:
            self._sent_ns[id_] = now_ns

    def send_all_again(self) -> None:
        """Forget what was sent: the peer is a new one."""
        self._sent_ns.clear()
