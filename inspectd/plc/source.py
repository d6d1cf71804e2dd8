"""The triggers that a PLC gives, pure: numbered here, kept until dispatch has them."""

from inspectd.wire.messages import Key, SourceState, Trigger
from inspectd.wire.outbox import Outbox

KEPT = 10_000  # headers kept while dispatch is away


class Source:
    """The trigger source of one station whose `trigger` is `plc`."""

    def __init__(self, station: str, run: int) -> None:
        self.outbox: Outbox[Key] = Outbox(limit=KEPT)
        self._station, self.run, self.last_seq = station, run, 0

    def fire(self, now_ns: int, utc_ns: int, part_id: str) -> Key | None:
        """Number one trigger; None if no more can be kept."""
        if len(self.outbox) >= KEPT:
            return None
        self.last_seq += 1
        key = Key(self._station, self.run, self.last_seq)
        self.outbox.put(key, Trigger(key=key, t_ns=now_ns, utc_ns=utc_ns, part_id=part_id, shoot=True))
        return key

    def state(self) -> SourceState:
        """Say what a new dispatch must know of this source."""
        return SourceState(station=self._station, run=self.run, last_seq=self.last_seq, camera=False)
