"""Does the ledger close? Figures of the demo, from counters that different processes kept. Pure.

triggers offered (ingestd) = keys opened (dispatchd) = rows in the journal (journald)
                           = verdicts the PLC peer read + rows that were not delivered
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """What the journal says of one part."""

    key: str
    part_id: str
    verdict: str  # empty: none
    score: float  # NaN: none
    outcome: str
    trigger_ns: int


@dataclass(frozen=True)
class Read:
    """What the PLC peer read of one part, and when (CLOCK_MONOTONIC)."""

    key: str
    verdict: str
    late: bool  # a fail-safe in place of a verdict
    t_ns: int


@dataclass(frozen=True)
class Check:
    """The counts of the four witnesses, and what does not agree."""

    offered: int
    opened: int
    rows: int
    read: int
    undelivered: int
    in_doubt: int  # read, but plcd died before it could say so
    faults: tuple[str, ...]

    @property
    def closes(self) -> bool:
        """Whether every trigger has one verdict, one outcome, and nobody contradicts anybody."""
        return not self.faults


def check(offered: int, opened: int, rows: Sequence[Row], reads: Sequence[Read]) -> Check:
    """Hold the witnesses against each other, by count and key by key."""
    faults = []
    taken = [read for read in reads if not read.late]
    keys = {read.key for read in taken}
    by_key = {row.key: row for row in rows}
    undelivered = {row.key for row in rows if row.outcome != "delivered"}
    doubt = keys & undelivered
    if len(keys) != len(taken):
        faults.append(f"the peer read {len(taken) - len(keys)} results twice")
    if not offered == opened == len(rows) == len(by_key):
        faults.append(f"pictures offered {offered}, keys opened {opened}, journal rows {len(rows)} ({len(by_key)} keys)")
    if len(keys) + len(undelivered) - len(doubt) != len(by_key) or keys - set(by_key):
        faults.append(
            f"results read {len(keys)} + undelivered {len(undelivered)} - in doubt {len(doubt)} != rows {len(by_key)}"
        )
    down = sorted(key for key in doubt if by_key[key].outcome != "fail_safe(plc_down)")
    faults += [f"{key}: read by the peer, but the journal says {by_key[key].outcome}" for key in down]
    faults += [f"{row.key}: no verdict or no outcome" for row in rows if not row.verdict or not row.outcome]
    faults += [
        f"{read.key}: the peer read {read.verdict}, the journal says {by_key[read.key].verdict}"
        for read in taken
        if read.key in by_key and by_key[read.key].verdict != read.verdict
    ]
    passed = [row for row in rows if row.verdict == "PASS"]
    faults += [f"{row.key}: PASS without a finite score" for row in passed if not math.isfinite(row.score)]
    return Check(offered, opened, len(rows), len(keys), len(undelivered), len(doubt), tuple(faults))


def latencies_ms(rows: Iterable[Row], reads: Iterable[Read]) -> dict[str, float]:
    """p50, p95 and p99 in ms from the trigger to the peer's read."""
    triggers = {row.key: row.trigger_ns for row in rows}
    ms = [(read.t_ns - triggers[read.key]) / 1e6 for read in reads if read.key in triggers and not read.late]
    if not ms:
        return dict.fromkeys(("p50", "p95", "p99"), math.nan)
    return {name: float(np.percentile(ms, q)) for name, q in (("p50", 50), ("p95", 95), ("p99", 99))}


def confusion(rows: Iterable[Row], truth: Mapping[str, bool]) -> dict[tuple[str, str], int]:
    """Count (truth, verdict): truth is `good` or `defective`."""
    table = {(t, v): 0 for t in ("good", "defective") for v in ("PASS", "FAIL", "UNDECIDED")}
    for row in rows:
        table["defective" if truth[row.part_id] else "good", row.verdict] += 1
    return table


def worst_first(rows: Iterable[Row], truth: Mapping[str, bool], threshold: float) -> list[Row]:
    """Order for the contact sheet: undecided, then misses and false rejects by how far off they are, then the rest."""

    def rank(row: Row) -> tuple[int, float]:
        if row.verdict == "UNDECIDED" or not math.isfinite(row.score):
            return 0, 0.0
        wrong = (row.verdict == "PASS") == truth[row.part_id]
        distance = abs(row.score - threshold)
        return (1, -distance) if wrong else (2, distance)

    return sorted(rows, key=rank)
