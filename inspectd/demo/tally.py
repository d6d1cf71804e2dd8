"""Does the ledger close? Four processes counted the same parts; here they are held against each other. Pure.

triggers = pictures offered (ingestd) = keys opened (dispatchd) = rows (journald)
         = delivered + fail_safe(…) + no_plc, and what was delivered is what the PLC peer read
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

DELIVERED, PLC_DOWN = "delivered", "fail_safe(plc_down)"


@dataclass(frozen=True)
class Row:
    """What the journal says of one part, and what is known of it."""

    key: str
    part_id: str
    verdict: str  # empty: none
    score: float  # NaN: none
    outcome: str  # empty: none
    trigger_ns: int
    reason: str = ""  # of an UNDECIDED
    threshold: float = math.nan
    answered_ms: float = math.nan  # from the trigger to the worker's answer, in time or not; NaN: none came
    defective: bool | None = None  # the truth; None: not known

    @property
    def wrong(self) -> bool:
        """Whether the verdict contradicts the truth."""
        return (self.verdict, self.defective) in (("PASS", True), ("FAIL", False))

    @property
    def late(self) -> bool:
        """Whether time was what this part lacked."""
        return self.reason == "late" or self.outcome in ("fail_safe(late)", "fail_safe(stale)")


@dataclass(frozen=True)
class Read:
    """What the PLC peer read of one part, and when (CLOCK_MONOTONIC)."""

    key: str
    verdict: str
    fail_safe: bool  # bit Late: plcd's own Fail in place of a verdict
    t_ns: int


@dataclass(frozen=True)
class Check:
    """The counts of the four witnesses, and what does not agree."""

    offered: int
    opened: int
    rows: int
    outcomes: Mapping[str, int]  # rows by what the line saw
    verdicts_read: int
    fail_safes_read: int
    in_doubt: int  # verdicts read whose delivery plcd could not report any more: it was killed
    faults: tuple[str, ...]

    @property
    def closes(self) -> bool:
        """Whether every trigger has one verdict, one outcome, and nobody contradicts anybody."""
        return not self.faults


def worded(verdict: str, reason: str) -> str:
    """A verdict with its reason, as the README writes it."""
    return f"{verdict}({reason})" if reason else verdict


def check(offered: int, opened: int, rows: Sequence[Row], reads: Sequence[Read]) -> Check:
    """Hold the witnesses against each other, by count and key by key."""
    by_key = {row.key: row for row in rows}
    verdicts = [read for read in reads if not read.fail_safe]
    doubt = {read.key for read in verdicts if read.key in by_key and by_key[read.key].outcome == PLC_DOWN}
    faults = [*_against_rows(reads, by_key), *_within(rows)]
    if not offered == opened == len(rows) == len(by_key):
        faults.insert(0, f"pictures offered {offered}, keys opened {opened}, journal rows {len(rows)} ({len(by_key)} keys)")
    return Check(
        offered=offered, opened=opened, rows=len(rows), outcomes=Counter(row.outcome or "no outcome" for row in rows),
        verdicts_read=len(verdicts), fail_safes_read=len(reads) - len(verdicts), in_doubt=len(doubt), faults=tuple(faults),
    )  # fmt: skip


def _against_rows(reads: Sequence[Read], by_key: Mapping[str, Row]) -> Iterator[str]:
    """Where the PLC peer and the journal disagree."""
    for key, times in Counter(read.key for read in reads).items():
        if times > 1:
            yield f"{key}: read {times} times by the peer"
    for read in reads:
        row = by_key.get(read.key)
        if row is None:
            yield f"{read.key}: read by the peer, but the journal does not know it"
        elif read.fail_safe and row.outcome == DELIVERED:
            yield f"{read.key}: the peer read a fail-safe, but the journal says delivered"
        elif not read.fail_safe and row.outcome not in (DELIVERED, PLC_DOWN):
            yield f"{read.key}: the peer read {read.verdict}, but the journal says {row.outcome or 'no outcome'}"
        elif not read.fail_safe and row.verdict != read.verdict:
            yield f"{read.key}: the peer read {read.verdict}, the journal says {row.verdict}"
    read_keys = {read.key for read in reads if not read.fail_safe}
    for row in by_key.values():
        if row.outcome == DELIVERED and row.key not in read_keys:
            yield f"{row.key}: the journal says delivered, but the peer never read it"


def _within(rows: Sequence[Row]) -> Iterator[str]:
    """Where a row of the journal contradicts itself; a score or threshold of NaN compares as false."""
    for row in rows:
        if not row.verdict or not row.outcome:
            yield f"{row.key}: no verdict or no outcome"
        if row.verdict == "PASS" and not row.score < row.threshold:
            yield f"{row.key}: PASS, but the score {row.score} is not below the threshold {row.threshold}"
        if row.verdict == "FAIL" and not row.score >= row.threshold:
            yield f"{row.key}: FAIL, but the score {row.score} does not reach the threshold {row.threshold}"
