"""p95 of batch times, by batch key and size. Pure."""

import math
from collections import defaultdict, deque

KEPT = 64


class Timing:
    """The last 64 times of every (batch key, size)."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))

    def add(self, batch_key: str, size: int, ms: float) -> None:
        """Note how long a batch took."""
        self._times[f"{batch_key}:{size}"].append(ms)

    def p95_ms(self) -> dict[str, float]:
        """Return p95 by `batch_key:size`, as dispatch plans with it."""
        return {name: sorted(times)[math.ceil(0.95 * len(times)) - 1] for name, times in self._times.items()}
