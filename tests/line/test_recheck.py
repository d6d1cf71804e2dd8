"""A station with a recheck band: between two thresholds a part goes to the rework lane, all the way to the PLC."""

import pytest

from calibration.build import calibrate
from inspectd.station import load
from inspectd.station.state import Current
from inspectd.wire.enums import Reason, Verdict
from tests.line.test_line import assert_no_unearned_pass

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_between_two_thresholds_a_part_is_rechecked_and_nothing_else_changes(line, calibrated):
    """By the score: below the band PASS, in it UNDECIDED(recheck), from the threshold on FAIL; and the PLC reads the same."""
    rig = line(count=24, deadline_ms=30_000, more="threshold: {recheck: 0.5}")
    made = calibrate(load.load(rig.config), "flange", "default", calibrated / "parts/train/good", None, rig.state)
    rig.state.write_current("flange", "default", Current(made.number, made.fingerprint, made.threshold))
    rig.start()
    status, parts = rig.finish()
    assert rig.check(status, parts).closes
    assert_no_unearned_pass(rig, parts)
    for part in parts:
        assert part.recheck == pytest.approx(part.threshold / 2)
        expected = Verdict.FAIL if part.score >= part.threshold else Verdict.UNDECIDED
        assert part.verdict is (expected if part.score >= part.recheck else Verdict.PASS)
        assert (part.reason == Reason.RECHECK) == (part.verdict is Verdict.UNDECIDED)
    seen = {result.read.key: (result.read.verdict, result.reason) for result in rig.results}
    rechecked = [str(part.key) for part in parts if part.verdict is Verdict.UNDECIDED]
    assert rechecked
    assert all(seen[key] == ("UNDECIDED", "recheck") for key in rechecked)
    assert Verdict.FAIL in {part.verdict for part in parts}
