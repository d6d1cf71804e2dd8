"""Codes and keys, which PLC programs and journals hold on to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspectd.wire.messages import Key, LineOutcome, Reason, Verdict


def test_reason_codes_are_never_renumbered() -> None:
    """The codes stand in PLC programs: a new one is added behind, an old one keeps its number."""
    assert [reason.name for reason in sorted(Reason)] == [
        "NONE", "NO_FRAME", "OVERLOAD", "LOST", "RESTART", "LATE", "NO_BUNDLE", "WRONG_PICTURE", "BAD_SCORE", "GUARD",
        "POISON", "BAD_PICTURE", "WRONG_BUNDLE", "RECHECK", "WORKER_ERROR", "STOPPED",
    ]  # fmt: skip
    assert [int(reason) for reason in sorted(Reason)] == list(range(len(Reason)))


def test_there_are_three_verdicts_and_six_line_outcomes() -> None:
    """Every trigger gets exactly one of each."""
    assert {str(verdict) for verdict in Verdict} == {"PASS", "FAIL", "UNDECIDED"}
    assert len(LineOutcome) == 6


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True), st.integers(1, 2**16), st.integers(1, 2**32))
def test_a_key_is_written_and_read_back(station: str, run: int, seq: int) -> None:
    """station/run/seq names one trigger."""
    key = Key(station, run, seq)
    assert Key.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "washer", "washer/1", "washer/a/1", "washer/1/", "//"])
def test_what_is_no_key_is_refused(text: str) -> None:
    """ValueError, so that a command line can say what it expected."""
    with pytest.raises(ValueError):
        Key.parse(text)
