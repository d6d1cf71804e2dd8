"""The four witnesses are held against each other, by count and key by key."""

import math

import pytest

from inspectd.demo.tally import Read, Row, check, confusion, latencies_ms, worst_first

MS = 1_000_000


def row(seq: int, verdict: str = "PASS", outcome: str = "delivered", score: float = 0.5, part: str = "") -> Row:
    return Row(f"a/1/{seq}", part or f"part-{seq}", verdict, score, outcome, seq * MS)


def read(seq: int, verdict: str = "PASS", late: bool = False) -> Read:
    return Read(f"a/1/{seq}", verdict, late, seq * MS + 12 * MS)


def test_agreeing_witnesses_close_the_ledger():
    found = check(2, 2, [row(1), row(2, "FAIL")], [read(1), read(2, "FAIL")])
    assert found.closes
    assert (found.read, found.undelivered, found.in_doubt) == (2, 0, 0)


def test_an_undelivered_row_closes_the_ledger_without_a_read():
    assert check(2, 2, [row(1), row(2, "UNDECIDED", "fail_safe(late)")], [read(1)]).closes


def test_a_fail_safe_that_the_peer_saw_is_not_a_verdict_it_read():
    late = row(1, "UNDECIDED", "fail_safe(late)", math.nan)
    assert check(1, 1, [late], [read(1, "UNDECIDED", late=True)]).closes


def test_a_result_read_just_before_plcd_died_is_in_doubt_and_does_not_count_twice():
    found = check(1, 1, [row(1, outcome="fail_safe(plc_down)")], [read(1)])
    assert found.closes
    assert found.in_doubt == 1


@pytest.mark.parametrize(
    ("offered", "opened", "rows", "reads", "said"),
    [
        (2, 1, [row(1)], [read(1)], "pictures offered 2"),
        (1, 2, [row(1)], [read(1)], "keys opened 2"),
        (2, 2, [row(1), row(1)], [read(1)], "1 keys"),
        (1, 1, [row(1)], [], "results read 0"),
        (1, 1, [row(1)], [read(1), read(1)], "read 1 results twice"),
        (1, 1, [row(1)], [read(1), read(2)], "results read 2"),
        (1, 1, [row(1, outcome="fail_safe(late)")], [read(1)], "the journal says fail_safe(late)"),
        (1, 1, [row(1, outcome="")], [read(1)], "no verdict or no outcome"),
        (1, 1, [row(1, "FAIL")], [read(1, "PASS")], "the peer read PASS, the journal says FAIL"),
        (1, 1, [row(1, score=math.nan)], [read(1)], "PASS without a finite score"),
    ],
)
def test_each_disagreement_is_named(offered, opened, rows, reads, said):
    found = check(offered, opened, rows, reads)
    assert not found.closes
    assert any(said in fault for fault in found.faults), found.faults


def test_latency_is_from_the_trigger_to_the_read_of_verdicts():
    assert latencies_ms([row(1), row(2)], [read(1), read(2, late=True)]) == {"p50": 12.0, "p95": 12.0, "p99": 12.0}


def test_confusion_counts_every_row_once():
    table = confusion([row(1), row(2, "FAIL"), row(3, "UNDECIDED")], {"part-1": True, "part-2": True, "part-3": False})
    assert table["defective", "PASS"] == table["defective", "FAIL"] == table["good", "UNDECIDED"] == 1
    assert sum(table.values()) == 3


def test_undecided_come_first_then_wrong_verdicts_by_how_far_off_they_are():
    rows = [
        row(1, score=0.9),
        row(2, "FAIL", score=1.4),
        row(3, "UNDECIDED", score=math.nan),
        row(4, score=0.2),
        row(5, score=0.6),
    ]
    truth = {"part-1": False, "part-2": True, "part-3": False, "part-4": True, "part-5": True}
    assert [r.key for r in worst_first(rows, truth, 1.0)] == ["a/1/3", "a/1/4", "a/1/5", "a/1/1", "a/1/2"]
