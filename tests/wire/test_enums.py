"""Words and codes, which PLC programs and journals hold on to."""

from inspectd.wire.enums import LineOutcome, Reason, Verdict


def test_reason_codes_are_never_renumbered() -> None:
    """The codes stand in PLC programs: a new one is added behind, an old one keeps its number."""
    assert [reason.name for reason in sorted(Reason)] == [
        "NONE", "NO_FRAME", "OVERLOAD", "LOST", "RESTART", "LATE", "NO_BUNDLE", "WRONG_PICTURE", "BAD_SCORE", "GUARD",
        "POISON", "BAD_PICTURE", "WRONG_BUNDLE", "RECHECK", "WORKER_ERROR", "STOPPED", "MAINTENANCE",
    ]  # fmt: skip
    assert [int(reason) for reason in sorted(Reason)] == list(range(len(Reason)))


def test_there_are_three_verdicts_and_six_line_outcomes() -> None:
    """Every trigger gets exactly one of each."""
    assert {str(verdict) for verdict in Verdict} == {"PASS", "FAIL", "UNDECIDED"}
    assert len(LineOutcome) == 6
