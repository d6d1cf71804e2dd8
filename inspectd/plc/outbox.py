"""Messages that are kept and sent again until they are acknowledged."""

from typing import Generic, Protocol, TypeVar

from inspectd.wire.messages import Key, Message

AGAIN_NS = 100 * 1_000_000
_UNSENT_NS = -(10**18)

M = TypeVar("M", bound=Message)


class Way(Protocol):
    """Where messages go, `wire.sockets.Port` for one: `send` says False where nobody takes them at present."""

    def send(self, message: Message) -> bool:
        """Send without blocking."""


class Outbox(Generic[M]):
    """Messages by key, oldest first."""

    def __init__(self) -> None:
        self._kept: dict[Key, tuple[M, int]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, key: Key, message: M) -> None:
        """Keep a message; it is due at once."""
        self._kept[key] = (message, _UNSENT_NS)

    def send(self, way: Way, now_ns: int) -> None:
        """Send what was never sent, or was sent 100 ms ago without an answer; stop where nobody takes it."""
        for key, (message, sent_ns) in self._kept.items():
            if now_ns - sent_ns < AGAIN_NS:
                continue
            if not way.send(message):
                return
            self._kept[key] = (message, now_ns)

    def acknowledged(self, key: Key) -> None:
        """The message of this key has arrived; a second acknowledgement changes nothing."""
        self._kept.pop(key, None)

    def send_again(self) -> None:
        """The peer is a new one: everything is due at once."""
        self._kept = {key: (message, _UNSENT_NS) for key, (message, _) in self._kept.items()}
