"""What the parts of a demo add up to."""

import math

import pytest

from inspectd.demo.figures import Lateness, confusion, latencies_ms, lateness, worst_first
from inspectd.demo.tally import Read, Row

MS = 1_000_000


def row(seq: int, verdict: str = "PASS", score: float = 0.5, defective: bool | None = False, **more) -> Row:
    return Row(f"a/1/{seq}", f"part-{seq}", verdict, score, "delivered", seq * MS, threshold=1.0, defective=defective, **more)


def test_latency_is_from_the_trigger_to_the_read_of_verdicts():
    """A fail-safe is no verdict, and its time says nothing of the line's speed."""
    reads = [Read("a/1/1", "PASS", False, 13 * MS), Read("a/1/2", "UNDECIDED", True, 900 * MS)]
    assert latencies_ms([row(1), row(2)], reads) == {"p50": 12.0, "p95": 12.0, "p99": 12.0}


def test_confusion_counts_every_row_once_whatever_is_known_of_the_part():
    """A part without an id has no known truth, and is counted all the same."""
    rows = [row(1, defective=True), row(2, "FAIL", defective=True), row(3, "UNDECIDED"), row(4, "UNDECIDED", defective=None)]
    table = confusion(rows)
    assert table["defective"] == {"PASS": 1, "FAIL": 1, "UNDECIDED": 0}
    assert table["good"]["UNDECIDED"] == table["unknown"]["UNDECIDED"] == 1
    assert sum(sum(counts.values()) for counts in table.values()) == 4


def test_wrong_verdicts_come_before_undecided_ones_and_the_furthest_off_comes_first():
    """Missed defects and false rejects are what a reader looks for; then what has no verdict; then the close calls."""
    rows = [
        row(1, score=0.9),
        row(2, "FAIL", score=1.3),
        row(3, "UNDECIDED", score=math.nan),
        row(4, score=0.2, defective=True),
        row(5, score=0.6, defective=True),
        row(6, "FAIL", score=1.4, defective=True),
    ]
    assert [r.key[-1] for r in worst_first(rows)] == ["4", "5", "2", "3", "1", "6"]


def test_lateness_counts_the_parts_whose_answer_came_late_or_never():
    """Late scores are part of the figures: those in time alone would always look fast enough."""
    in_time = [row(seq, answered_ms=100.0) for seq in range(1, 9)]
    late = [row(9, "UNDECIDED", reason="late", answered_ms=400.0), row(10, "UNDECIDED", reason="late")]
    found = lateness([*in_time, *late])
    assert isinstance(found, Lateness)
    assert (found.late, found.unanswered) == (2, 1)
    assert found.answered_ms["p50"] == 100.0
    assert found.answered_ms["p99"] > 300.0


@pytest.mark.parametrize("reason", ["no_frame", "restart", ""])
def test_parts_that_lacked_something_other_than_time_are_not_late(reason):
    """A missing picture says nothing of the machine's speed."""
    assert lateness([row(1, "UNDECIDED", reason=reason)]) is None


@pytest.mark.parametrize("outcome", ["fail_safe(late)", "fail_safe(stale)"])
def test_a_verdict_that_missed_the_line_was_late(outcome):
    """PASS in the journal helps nobody when the reject gate had to act without it."""
    missed = Row("a/1/1", "part", "PASS", 0.5, outcome, MS, threshold=1.0, answered_ms=249.0)
    found = lateness([missed])
    assert found is not None
    assert (found.late, found.unanswered) == (1, 0)
