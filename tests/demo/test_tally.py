"""The four witnesses are held against each other, by count and key by key."""

import math

import pytest

from inspectd.demo.tally import Read, Row, check

MS = 1_000_000


def row(seq: int, verdict: str = "PASS", outcome: str = "delivered", score: float = 0.5) -> Row:
    return Row(f"a/1/{seq}", f"part-{seq}", verdict, score, outcome, seq * MS, threshold=1.0)


def read(seq: int, verdict: str = "PASS", fail_safe: bool = False) -> Read:
    return Read(f"a/1/{seq}", verdict, fail_safe, seq * MS + 12 * MS)


def test_agreeing_witnesses_close_the_ledger():
    """Equal counts and equal verdicts leave no fault."""
    found = check(2, 2, [row(1), row(2, "FAIL", score=1.0)], [read(1), read(2, "FAIL")])
    assert found.closes
    assert (found.verdicts_read, found.fail_safes_read, found.in_doubt) == (2, 0, 0)


def test_what_the_line_saw_adds_up_to_the_triggers():
    """Every row stands under exactly one outcome, and what was delivered is what the peer read as verdicts."""
    late, away, none = (
        row(2, "UNDECIDED", "fail_safe(late)", math.nan), row(3, outcome="fail_safe(plc_down)"), row(4, outcome="no_plc"),
    )  # fmt: skip
    found = check(4, 4, [row(1), late, away, none], [read(1), read(2, "UNDECIDED", fail_safe=True), read(3)])
    assert found.closes
    assert found.outcomes == {"delivered": 1, "fail_safe(late)": 1, "fail_safe(plc_down)": 1, "no_plc": 1}
    assert (found.verdicts_read, found.in_doubt, found.fail_safes_read) == (2, 1, 1)


def test_a_row_that_was_not_delivered_needs_no_read():
    """The peer cannot read what the line never showed."""
    assert check(2, 2, [row(1), row(2, "UNDECIDED", "fail_safe(late)")], [read(1)]).closes


@pytest.mark.parametrize(
    ("offered", "opened", "rows", "reads", "said"),
    [
        (2, 1, [row(1)], [read(1)], "pictures offered 2"),
        (1, 2, [row(1)], [read(1)], "keys opened 2"),
        (2, 2, [row(1), row(1)], [read(1)], "1 keys"),
        (1, 1, [row(1)], [], "a/1/1: the journal says delivered, but the peer never read it"),
        (1, 1, [row(1)], [read(1), read(1)], "a/1/1: read 2 times"),
        (1, 1, [row(1)], [read(1), read(2)], "a/1/2: read by the peer, but the journal does not know it"),
        (1, 1, [row(1, outcome="fail_safe(late)")], [read(1)], "the journal says fail_safe(late)"),
        (1, 1, [row(1)], [read(1, "UNDECIDED", fail_safe=True)], "read a fail-safe, but the journal says delivered"),
        (1, 1, [row(1, outcome="")], [read(1)], "no verdict or no outcome"),
        (1, 1, [row(1, "FAIL", score=2.0)], [read(1, "PASS")], "the peer read PASS, the journal says FAIL"),
        (1, 1, [row(1, score=math.nan)], [read(1)], "PASS, but the score nan"),
        (1, 1, [row(1, score=1.0)], [read(1)], "PASS, but the score 1.0 is not below the threshold 1.0"),
        (1, 1, [row(1, "FAIL", score=0.9)], [read(1, "FAIL")], "FAIL, but the score 0.9 does not reach the threshold 1.0"),
    ],
)
def test_each_disagreement_is_named(offered, opened, rows, reads, said):
    """A fault says which key, who said what, and who said otherwise."""
    found = check(offered, opened, rows, reads)
    assert not found.closes
    assert any(said in fault for fault in found.faults), found.faults
