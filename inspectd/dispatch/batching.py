"""Which frames go into the next batch. Pure: times come in, a choice goes out.

Frames of one batch key (sha256 of the backbone graph) share a forward pass. A batch takes the earliest deadlines first and
grows only while its expected time (p95 for that size) still meets the earliest deadline in it. There is no artificial wait.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from inspectd.wire.messages import Key

MS = 1_000_000
UNKNOWN_MS = 50.0  # assumed per frame until a worker has measured: slow enough not to promise too much


class Waiting(NamedTuple):
    """A frame that waits for a worker; it sorts by the time its verdict must stand."""

    decide_by_ns: int
    key: Key
    batch_key: str


def choose(waiting: Iterable[Waiting], places: int, p95_ms: Callable[[str, int], float], now_ns: int) -> list[Waiting]:
    """Pick the next batch, earliest deadline first, among the frames that can still make it.

    The most urgent of them decides the batch key and always goes; others of its key join while now + p95(size) is within its
    time. Frames that cannot make it go only when no other waits: under overload, work on lost parts would lose the next ones
    too, but a worker that is idle anyway may do better than its p95 says.
    """

    def hopeless(frame: Waiting) -> bool:
        return now_ns + p95_ms(frame.batch_key, 1) * MS > frame.decide_by_ns

    order = sorted(waiting, key=lambda frame: (hopeless(frame), frame))
    if not order or places < 1:
        return []
    first = order[0]
    same = [frame for frame in order if frame.batch_key == first.batch_key and hopeless(frame) == hopeless(first)]
    batch = same[:places]
    while len(batch) > 1 and now_ns + p95_ms(first.batch_key, len(batch)) * MS > first.decide_by_ns:
        batch.pop()
    return batch


def estimate(measured: dict[str, float], batch_key: str, size: int) -> float:
    """p95 in ms for a batch of `size`: measured, or scaled from the nearest measured size of that key."""
    sizes = {int(name.rsplit(":", 1)[1]): ms for name, ms in measured.items() if name.rsplit(":", 1)[0] == batch_key}
    if not sizes:
        return UNKNOWN_MS * size
    nearest = min(sizes, key=lambda known: (abs(known - size), known))
    return sizes[nearest] * max(1.0, size / nearest)
