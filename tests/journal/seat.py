"""journald in a thread or a process of its own, and the supervisor's end of its orders."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from inspectd.journal import journald
from inspectd.station.schema import Config, Line, Retention
from inspectd.station.state import StateDir
from inspectd.wire.child import Seat
from inspectd.wire.messages import Health, Order
from inspectd.wire.sockets import Hub
from tests import support


def seat(state: StateDir, run_dir: Path, keep: Retention | None = None) -> Seat:
    line = Line(retention=keep or Retention(min_free_mb=1))
    config = Config(directory=str(run_dir), line=line, stations={}, files={})
    return Seat(process="journald", subject="", config=config, state_dir=state.root, run_dir=run_dir)


@dataclass
class Supervisor:
    """Hears journald's health and gives it orders."""

    run_dir: Path
    hub: Hub = field(init=False)
    health: Health | None = None
    child: bytes = b""

    def __post_init__(self) -> None:
        self.hub = Hub(self.run_dir)
        self._port = self.hub.bind("orders")

    def hear(self) -> Health | None:
        """Return the newest report."""
        while (envelope := self._port.receive()) is not None:
            if isinstance(envelope.message, Health):
                self.health, self.child = envelope.message, envelope.sender
        return self.health

    def count(self, name: str) -> float:
        """Return a counter of the newest report, 0 before the first."""
        health = self.hear()
        return health.counters[name] if health else 0

    def stop(self) -> None:
        """Order the child that reported last to stop."""
        support.until(self.hear, what="a first report")
        support.send(self._port, Order(id=1, what="stop", args={}), to=self.child)


if __name__ == "__main__":
    journald.main(seat(StateDir(Path(sys.argv[1])), Path(sys.argv[2])))
