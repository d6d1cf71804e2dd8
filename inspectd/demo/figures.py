"""What the parts of a demo add up to, and in which order they are worth a look. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inspectd.demo.tally import Read, Row

VERDICTS = ("PASS", "FAIL", "UNDECIDED")
_TRUTHS: Mapping[bool | None, str] = {False: "good", True: "defective", None: "unknown"}
_MANY = 0.01  # share of late parts from which on they are no accident


def confusion(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Count truth -> verdict -> parts."""
    table = {truth: dict.fromkeys(VERDICTS, 0) for truth in _TRUTHS.values()}
    for row in rows:
        if row.verdict:  # a row without one is a fault that the tally names
            table[_TRUTHS[row.defective]][row.verdict] += 1
    return table


def latencies_ms(rows: Iterable[Row], reads: Iterable[Read]) -> dict[str, float]:
    """p50, p95 and p99 in ms from the trigger to the peer's read of a verdict."""
    triggers = {row.key: row.trigger_ns for row in rows}
    return _percentiles([(r.t_ns - triggers[r.key]) / 1e6 for r in reads if r.key in triggers and not r.fail_safe])


@dataclass(frozen=True)
class Lateness:
    """How many parts came too late, and how long answers took, those that came late included."""

    late: int
    unanswered: int  # of the late ones
    answered_ms: Mapping[str, float]


def lateness(rows: Sequence[Row]) -> Lateness | None:
    """Tell of late parts where there are many; None where there are few or none."""
    late = [row for row in rows if row.late]
    if len(late) <= _MANY * len(rows):
        return None
    answered = [row.answered_ms for row in rows if math.isfinite(row.answered_ms)]
    return Lateness(len(late), sum(not math.isfinite(row.answered_ms) for row in late), _percentiles(answered))


def _percentiles(ms: Sequence[float]) -> dict[str, float]:
    return {f"p{q}": float(np.percentile(ms, q)) if ms else math.nan for q in (50, 95, 99)}


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Order for the contact sheet: wrong verdicts by how far off they are, then undecided, then the rest, closest first."""

    def rank(row: Row) -> tuple[int, float]:
        distance = abs(row.score - row.threshold)
        if row.wrong:
            return 0, -distance
        return (2, distance) if row.verdict in ("PASS", "FAIL") else (1, 0.0)

    return sorted(rows, key=rank)
