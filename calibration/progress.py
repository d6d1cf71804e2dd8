"""How long steps tell how far they are; who shows it (a terminal, a test, nobody) is not their business."""

from collections.abc import Callable
from typing import Protocol

Advance = Callable[[int], None]  # so many more are done


class Progress(Protocol):
    """What a long step reports to."""

    def stage(self, name: str, total: int) -> Advance:
        """Begin a stage of `total` equal parts; the stage before it is over."""
        ...


class Silent:
    """Tells nobody."""

    def stage(self, name: str, total: int) -> Advance:  # noqa: ARG002 (the protocol's signature)
        """Return a counter that counts nothing."""
        return lambda _done: None
