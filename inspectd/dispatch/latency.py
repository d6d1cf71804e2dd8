"""How long verdicts and line outcomes take, as figures from which Prometheus works out any quantile. Pure."""

import math
from bisect import bisect_left
from collections.abc import Iterable

from inspectd.dispatch.ledger import Fact
from inspectd.wire.messages import Closed, Outcome

BOUNDS_MS = (5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 5_000)


class Latency:
    """Counts by station, step (verdict or outcome) and time since the trigger, from the start of this dispatch."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._sums_ms: dict[tuple[str, str], float] = {}

    def note(self, facts: Iterable[Fact]) -> None:
        """Count the facts that end something; an outcome that was never told has no time."""
        for fact in facts:
            match fact:
                case Closed(key=key, closed_ms=ms):
                    self._add((key.station, "verdict"), ms)
                case Outcome(key=key, t_ms=ms):
                    self._add((key.station, "outcome"), ms)

    def _add(self, of: tuple[str, str], ms: float) -> None:
        if not math.isfinite(ms):
            return
        counts = self._counts.setdefault(of, [0] * (len(BOUNDS_MS) + 1))
        counts[bisect_left(BOUNDS_MS, ms)] += 1
        self._sums_ms[of] = self._sums_ms.get(of, 0.0) + ms

    def figures(self) -> dict[str, float]:
        """Return `station.<name>.latency.<step>.<bound>`: how many took so long at most; under `sum` all their ms together."""
        found: dict[str, float] = {}
        for (station, step), counts in self._counts.items():
            prefix, total = f"station.{station}.latency.{step}", 0
            for bound, count in zip((*BOUNDS_MS, "+Inf"), counts, strict=True):
                total += count
                found[f"{prefix}.{bound}"] = total
            found[f"{prefix}.sum"] = self._sums_ms[station, step]
        return found
