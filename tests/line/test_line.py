"""The line from pictures to a verdict on the PLC, and what faults do to it."""

import math
import os

import pytest

from inspectd.wire.enums import LineOutcome, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def undecided(parts):
    """Return why parts are UNDECIDED, for the message of an assertion."""
    return [(str(part.key), part.reason_name, part.closed_ms, part.text) for part in parts if part.verdict is Verdict.UNDECIDED]


def assert_no_unearned_pass(rig, parts):
    """PASS stands only where a finite score below the threshold came from the bundle that was assigned."""
    current = rig.state.read_current("flange")
    for part in parts:
        if part.verdict is Verdict.PASS:
            assert math.isfinite(part.score)
            assert part.score < part.threshold
            assert part.fingerprint == current.fingerprint
    passed = {str(part.key) for part in parts if part.verdict is Verdict.PASS}
    assert {result.read.key for result in rig.results if result.read.verdict == "PASS"} <= passed


def test_every_part_gets_one_verdict_in_time_and_the_plc_reads_each_exactly_once(line):
    rig = line(count=40)
    rig.start()
    status, parts = rig.finish()
    check = rig.check(status, parts)
    assert check.closes, check.faults
    assert undecided(parts) == []
    assert (check.offered, check.rows, check.verdicts_read) == (40, 40, 40)
    assert {part.outcome for part in parts} == {LineOutcome.DELIVERED}
    assert {part.verdict for part in parts} >= {Verdict.PASS, Verdict.FAIL}
    assert_no_unearned_pass(rig, parts)


@pytest.mark.parametrize("victim", ["workerd-1", "dispatchd", "plcd-plc", "journald", "ingestd-flange"])
def test_the_ledger_closes_when_a_process_is_killed_in_mid_stream(line, victim):
    rig = line(count=80, rate=25, loop="false")
    rig.start()
    rig.wait(lambda status: rig.opened(status) >= 20)
    rig.kill(victim)
    status, parts = rig.finish()
    if victim == "ingestd-flange":  # a new run goes on in the folder; the picture it held in its hand may be gone
        assert {part.key.run for part in parts} == {1, 2}
        assert len({part.part_id for part in parts}) == len(parts) >= 79
        assert all(part.verdict and part.outcome for part in parts)
    else:
        check = rig.check(status, parts)
        assert check.closes, check.faults
        assert check.rows == 80
    assert_no_unearned_pass(rig, parts)


def test_two_workers_share_the_line_and_the_death_of_one_loses_no_part(line):
    rig = line(count=80, rate=25, workers=2)
    rig.start()
    rig.wait(lambda status: rig.opened(status) >= 20)
    rig.kill("workerd-2")
    status, parts = rig.finish()
    check = rig.check(status, parts)
    assert check.closes, check.faults
    assert undecided(parts) == []


def test_the_ledger_closes_when_the_supervisor_is_killed_and_the_line_started_anew(line):
    rig = line(count=60, rate=25)
    rig.start(peer=False)
    rig.wait(lambda status: rig.opened(status) >= 20)
    rig.daemon.kill_supervisor()
    rig.daemon.start()
    _, parts = rig.finish()
    runs = {part.key.run for part in parts}
    assert runs == {1, 2}
    assert all(part.verdict and part.outcome for part in parts)
    for run in runs:
        seqs = sorted(part.key.seq for part in parts if part.key.run == run)
        assert seqs == list(range(1, len(seqs) + 1))
    assert_no_unearned_pass(rig, parts)


def test_without_a_client_every_outcome_is_a_fail_safe_and_the_verdicts_stand_in_the_journal(line):
    rig = line(count=10)
    rig.start(peer=False)
    _, parts = rig.finish()
    assert len(parts) == 10
    assert LineOutcome.DELIVERED not in {part.outcome for part in parts}
    assert all(part.verdict in (Verdict.PASS, Verdict.FAIL) for part in parts)


def test_a_camera_that_is_faster_than_the_workers_waits_with_rate_max_and_nothing_is_dropped(line):
    rig = line(count=150, rate="max", deadline_ms=60_000)
    rig.start()
    status, parts = rig.finish()
    check = rig.check(status, parts)
    assert check.closes, check.faults
    assert undecided(parts) == []
    assert sum(part.score is not None for part in parts) == 150
    assert max(part.batch for part in parts) > 1


def test_no_entry_of_the_folder_stops_the_line_whatever_it_is_and_however_it_is_called(line):
    """What cannot be decoded is UNDECIDED, and rejected; what is no file is no part."""
    rig = line(count=4)
    folder, odd = rig.folder / "line", b"0002-\xff\x1b[2J\n"
    (folder / os.fsdecode(odd + b".png")).symlink_to(next(folder.glob("0000-*")).resolve())
    os.mkfifo(folder / "0001-pipe.png")
    (folder / "0003-folder.png").mkdir()
    (folder / "0003-broken.png").write_text("no picture")
    rig.start()
    status, parts = rig.finish()
    assert rig.check(status, parts).closes
    assert len(parts) == 6
    shown = r"0002-\xff\x1b[2J\n"
    assert shown in {part.part_id for part in parts}
    assert shown in {result.part_id for result in rig.results}
    assert [(part.part_id, part.reason_name) for part in parts if part.verdict is Verdict.UNDECIDED] == [
        ("0003-broken", "bad_picture")
    ]
    assert [result.part_id for result in rig.results if result.read.verdict == "UNDECIDED"] == ["0003-broken"]
