"""Facts and beats as dispatch sends them."""

from typing import Any

from inspectd.wire.enums import Reason, Verdict
from inspectd.wire.messages import Closed, Key, Opened, StationBeat

MS = 1_000_000
START_NS = 1_000_000 * MS
STATION = "solar"


def key(seq: int, run: int = 3) -> Key:
    """A key of the station that these tests serve."""
    return Key(STATION, run, seq)


def opened(of: Key, t_ns: int = START_NS, deadline_ms: float = 200.0, **fields: Any) -> Opened:
    """Fact 1 of a key."""
    return Opened(key=of, t_ns=t_ns, utc_ns=t_ns, host="here", deadline_ms=deadline_ms, part_id=f"part-{of.seq}", **fields)


def closed(of: Key, verdict: Verdict = Verdict.PASS, reason: Reason = Reason.NONE, **fields: Any) -> Closed:
    """Fact 2 of a key."""
    fields = {"score": 0.5, "threshold": 1.0, "fingerprint": "0123456789abcdef", "closed_ms": 5.0} | fields
    return Closed(key=of, utc_ns=0, verdict=verdict, reason=reason, part_id=f"part-{of.seq}", **fields)


def beat(ready: bool = True, product: str = "default", **fields: Any) -> StationBeat:
    """What dispatch says of the station."""
    return StationBeat(ready=ready, fingerprint="0123456789abcdef", product=product, **fields)
