"""What a station goes on working in spite of, from its parts: for the PLC's bit Degraded and `inspectd status`. Pure."""

from collections.abc import Iterable

from inspectd.dispatch.ledger import Fact
from inspectd.wire.enums import Reason
from inspectd.wire.messages import Closed


class Troubles:
    """Why each station's last part had no verdict; the next PASS or FAIL ends it."""

    def __init__(self) -> None:
        self._last: dict[str, Reason] = {}

    def note(self, facts: Iterable[Fact]) -> None:
        """Take in what became of parts."""
        for fact in facts:
            if isinstance(fact, Closed):
                self._last[fact.key.station] = fact.reason

    def of(self, station: str) -> str:
        """Say in words what became of its last part; empty if that was PASS or FAIL, or if there was none."""
        reason = self._last.get(station, Reason.NONE)
        return f"the last part was undecided: {reason.name.lower()}" if reason else ""
