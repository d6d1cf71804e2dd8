"""The contract of a bus: images out, what the peer read and wrote in. One small file per protocol keeps it.

The safe state is `registers.Image()`: no result, neither Pass nor Fail, not ready, not online. An adapter shows it from `open`
until the first `show`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from inspectd.plc.registers import Control, Image


@dataclass(frozen=True)
class Read:
    """The peer was given this image: its status word at least; `whole`: in one answer with key and result."""

    station: str
    image: Image
    whole: bool


@dataclass(frozen=True)
class Written:
    """The peer wrote its control registers while it was shown this image."""

    station: str
    control: Control
    image: Image


@dataclass(frozen=True)
class Taken:
    """What happened on the bus since the last `take`, in its order, and the stations that the peer asked about at all."""

    events: list[Read | Written]
    heard: frozenset[str]


class Adapter(Protocol):
    """One connection to a PLC, for all the stations mapped to it."""

    def open(self) -> None:
        """Serve the safe state; PlcError if the bus cannot be had."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when `take` has news."""

    def show(self, images: Mapping[str, Image]) -> None:
        """Replace what the peer reads, each station's image whole and between two requests.

        After it returned, no answer carries an older image, and every answer that did is in the next `take`.
        """

    def take(self) -> Taken:
        """Return and forget what happened since the last call."""

    def close(self) -> None:
        """End all connections; the peer sees them closed."""
