"""What stands at the PLC, and the one outcome of each key."""

import math

import pytest

from inspectd.plc.registers import UINT16_MAX, Command, Status
from inspectd.plc.results import QUEUE, Result, per_mille
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from tests.plc.bench import Bench, shows
from tests.plc.facts import MS, START_NS, beat, closed, key, opened

BUFFER, ACK = Command.BUFFER_ENABLE, Command.RESULT_ACK
NOTHING = (0, "")


class TestBits:
    def test_pass_shows_pass_alone(self) -> None:
        bench = Bench()
        bench.ready()
        assert shows(bench.part(1)) == (1, "VP")
        assert bench.bus.reason == 0

    def test_fail_shows_fail_alone(self) -> None:
        bench = Bench()
        bench.ready()
        assert shows(bench.part(1, closed(key(1), Verdict.FAIL))) == (1, "VF")
        assert bench.bus.reason == 0

    @pytest.mark.parametrize("reason", [r for r in Reason if r not in (Reason.NONE, Reason.RECHECK)])
    def test_undecided_shows_fail_with_its_reason(self, reason: Reason) -> None:
        bench = Bench()
        bench.ready()
        assert shows(bench.part(1, closed(key(1), Verdict.UNDECIDED, reason))) == (1, "VF")
        assert bench.bus.reason == reason

    def test_recheck_has_its_own_bit_beside_fail(self) -> None:
        bench = Bench()
        bench.ready()
        assert shows(bench.part(1, closed(key(1), Verdict.UNDECIDED, Reason.RECHECK))) == (1, "VFR")
        assert bench.bus.reason == Reason.RECHECK

    def test_undecided_without_a_reason_still_shows_one(self) -> None:
        bench = Bench()
        bench.ready()
        assert shows(bench.part(1, closed(key(1), Verdict.UNDECIDED))) == (1, "VF")
        assert bench.bus.reason != 0

    def test_a_pass_with_a_reason_is_not_believed(self) -> None:
        bench = Bench()
        bench.ready()
        assert shows(bench.part(1, closed(key(1), Verdict.PASS, Reason.GUARD))) == (1, "VF")

    def test_the_result_registers_belong_to_the_key(self) -> None:
        bench = Bench(products=("default", "blue"))
        bench.ready()
        image = bench.part(1, closed(key(1), score=0.25, threshold=2.0, product="blue"))
        assert (image.run, image.seq, image.part_id, image.product) == (3, 1, "part-1", 2)
        assert (image.score, image.per_mille, image.fingerprint) == (0.25, 125, 0x0123456789ABCDEF)


class TestWithoutBufferEnable:
    def test_a_result_that_was_read_whole_is_delivered(self) -> None:
        bench = Bench()
        bench.ready()
        bench.part(1)
        bench.read()
        bench.turn()
        assert bench.outcomes == {key(1): LineOutcome.DELIVERED}

    def test_reading_the_status_word_alone_delivers_nothing(self) -> None:
        bench = Bench()
        bench.ready()
        bench.part(1)
        bench.read(whole=False)
        bench.turn()
        assert bench.outcomes == {}

    def test_a_result_overwritten_unread_is_an_overrun(self) -> None:
        bench = Bench()
        bench.ready()
        bench.part(1)
        assert shows(bench.part(2)) == (2, "VP")
        bench.turn()
        assert bench.outcomes == {key(1): LineOutcome.OVERRUN}
        assert bench.bus.status & Status.OVERRUN

    def test_a_read_in_the_moment_of_the_swap_still_counts(self) -> None:
        """plcd has looked, decides to overwrite, and the PLC reads before the new image is up."""
        bench = Bench()
        bench.ready()
        bench.part(1)
        bench.opened(opened(key(2)))
        bench.look()
        bench.closed(closed(key(2)))
        bench.read()  # still key 1
        assert shows(bench.show()) == (2, "VP")
        bench.turn()
        assert bench.outcomes == {key(1): LineOutcome.DELIVERED}
        assert not bench.bus.status & Status.OVERRUN

    def test_of_a_batch_closed_at_once_the_last_stands(self) -> None:
        bench = Bench()
        bench.ready()
        for seq in range(1, 13):
            bench.opened(opened(key(seq)))
        for seq in range(1, 13):
            bench.closed(closed(key(seq)))
        assert shows(bench.turn()) == (12, "VP")
        bench.read()
        bench.turn()
        assert bench.outcomes[key(12)] is LineOutcome.DELIVERED
        assert {bench.outcomes[key(seq)] for seq in range(1, 12)} == {LineOutcome.OVERRUN}
        assert bench.bus.passes == 1


class TestWithBufferEnable:
    def test_each_result_is_held_until_its_ack_and_the_next_comes_when_ack_drops(self) -> None:
        bench = Bench()
        bench.ready(BUFFER)
        bench.part(1)
        assert shows(bench.part(2)) == (1, "VP")
        assert bench.bus.queued == 1
        bench.read()
        bench.write(BUFFER | ACK)
        assert shows(bench.turn()) == NOTHING
        assert bench.outcomes == {key(1): LineOutcome.DELIVERED}
        assert shows(bench.turn()) == NOTHING
        bench.write(BUFFER)
        assert shows(bench.turn()) == (2, "VP")
        assert bench.bus.queued == 0

    def test_reading_alone_does_not_deliver(self) -> None:
        bench = Bench()
        bench.ready(BUFFER)
        bench.part(1)
        bench.read()
        bench.turn()
        assert bench.outcomes == {}

    def test_eight_wait_behind_the_one_shown_and_the_next_is_an_overrun(self) -> None:
        bench = Bench()
        bench.ready(BUFFER)
        for seq in range(1, QUEUE + 3):
            bench.part(seq)
        assert bench.bus.queued == QUEUE
        assert bench.bus.status & Status.OVERRUN
        assert bench.outcomes == {key(QUEUE + 2): LineOutcome.OVERRUN}

    def test_a_queued_result_that_misses_its_deadline_becomes_late_and_is_never_shown_as_a_verdict(self) -> None:
        bench = Bench()
        bench.ready(BUFFER)
        bench.part(1)
        bench.part(2)
        bench.live(200)
        bench.read()
        bench.write(BUFFER | ACK)
        bench.turn()
        bench.write(BUFFER)
        assert shows(bench.turn()) == (2, "VFL")
        assert bench.outcomes == {key(1): LineOutcome.DELIVERED, key(2): LineOutcome.LATE}

    def test_an_ack_meant_for_an_earlier_result_puts_this_one_back(self) -> None:
        """The PLC read key 1, was frozen, and acknowledges after key 1 was withdrawn and key 2 stands."""
        bench = Bench()
        bench.ready(BUFFER)
        bench.part(1)
        bench.read()
        for _ in range(12):  # the PLC is frozen, dispatch is not
            bench.beat()
            bench.turn(100)
        assert shows(bench.bus) == NOTHING
        bench.beat()
        assert shows(bench.part(2)) == (2, "VP")
        bench.write(BUFFER | ACK)
        assert shows(bench.turn()) == NOTHING
        bench.write(BUFFER)
        assert shows(bench.turn()) == (2, "VP")
        bench.read()
        bench.write(BUFFER | ACK)
        bench.turn()
        assert bench.outcomes == {key(1): LineOutcome.DELIVERED, key(2): LineOutcome.DELIVERED}

    def test_what_was_read_without_buffering_is_not_offered_again_with_it(self) -> None:
        bench = Bench()
        bench.ready()
        bench.part(1)
        bench.read()
        bench.turn()
        bench.write(BUFFER)
        assert shows(bench.turn()) == NOTHING
        assert bench.outcomes == {key(1): LineOutcome.DELIVERED}

    def test_a_late_notice_is_acknowledged_like_a_result_but_counts_as_late_alone(self) -> None:
        bench = Bench()
        bench.ready(BUFFER)
        bench.opened(opened(key(1), bench.now_ns))
        assert shows(bench.live(200)) == (1, "VFL")
        bench.write(BUFFER | ACK)
        assert shows(bench.turn()) == NOTHING
        assert bench.outcomes == {key(1): LineOutcome.LATE}


class TestDeadlines:
    def test_without_a_verdict_the_adapter_itself_shows_fail_and_late_at_the_deadline(self) -> None:
        bench = Bench()
        bench.ready()
        bench.opened(opened(key(1), bench.now_ns))
        assert shows(bench.live(199)) == NOTHING
        assert shows(bench.live(1)) == (1, "VFL")
        assert (bench.bus.reason, bench.bus.part_id) == (Reason.LATE, "part-1")
        assert bench.outcomes == {key(1): LineOutcome.LATE}

    def test_a_verdict_at_its_deadline_is_never_written(self) -> None:
        bench = Bench()
        bench.ready()
        bench.opened(opened(key(1), bench.now_ns, deadline_ms=20))
        bench.now_ns += 20 * MS
        bench.closed(closed(key(1)))
        assert shows(bench.turn()) == (1, "VFL")
        assert bench.outcomes == {key(1): LineOutcome.LATE}

    def test_a_verdict_after_the_fail_safe_changes_nothing(self) -> None:
        bench = Bench()
        bench.ready()
        bench.opened(opened(key(1), bench.now_ns))
        bench.live(200)
        bench.closed(closed(key(1)))
        assert shows(bench.turn()) == (1, "VFL")
        assert bench.outcomes == {key(1): LineOutcome.LATE}

    def test_the_outcome_is_stale_where_dispatch_was_silent_at_the_deadline(self) -> None:
        bench = Bench()
        bench.ready()
        bench.opened(opened(key(1), bench.now_ns, deadline_ms=400))
        for _ in range(4):
            bench.read(whole=False)
            bench.turn(100)
        assert shows(bench.bus) == (1, "VFL")
        assert bench.outcomes == {key(1): LineOutcome.STALE}

    def test_repeated_facts_change_nothing(self) -> None:
        bench = Bench()
        bench.ready()
        for _ in range(2):
            bench.part(1)
            bench.read()
            bench.turn()
        assert bench.outcomes == {key(1): LineOutcome.DELIVERED}
        assert (bench.bus.triggers, bench.bus.passes) == (1, 1)


class TestStaleBeat:
    def test_a_standing_pass_goes_with_the_beat_and_a_standing_fail_stays(self) -> None:
        for verdict, left in ((Verdict.PASS, NOTHING), (Verdict.FAIL, (1, "VF"))):
            bench = Bench()
            bench.ready()
            bench.part(1, closed(key(1), verdict))
            bench.read(whole=False)
            assert shows(bench.turn(299)) == (1, "VP" if verdict is Verdict.PASS else "VF")
            assert shows(bench.turn(1)) == left
            assert not bench.bus.status & (Status.READY | Status.ONLINE)

    def test_a_pass_withdrawn_unread_is_stale_and_one_that_was_read_stays_delivered(self) -> None:
        for read, outcome in ((False, LineOutcome.STALE), (True, LineOutcome.DELIVERED)):
            bench = Bench()
            bench.ready()
            bench.part(1)
            if read:
                bench.read()
            bench.turn(300)
            bench.turn()
            assert bench.outcomes == {key(1): outcome}

    def test_a_pass_that_comes_without_a_beat_waits_for_one(self) -> None:
        bench = Bench()
        bench.ready()
        bench.turn(350)
        assert shows(bench.part(1)) == NOTHING
        bench.beat()
        assert shows(bench.turn()) == (1, "VP")

    def test_a_queued_pass_does_not_take_the_place_of_one_withdrawn_with_the_beat(self) -> None:
        bench = Bench()
        bench.ready(BUFFER)
        bench.part(1, deadline_ms=1000)
        bench.part(2, deadline_ms=1000)
        bench.part(3, closed(key(3), Verdict.FAIL), deadline_ms=1000)
        assert shows(bench.turn(300)) == (3, "VF")
        assert bench.bus.queued == 1

    def test_a_pass_that_waits_for_a_beat_past_its_deadline_is_stale(self) -> None:
        bench = Bench()
        bench.ready()
        bench.turn(350)
        bench.part(1, deadline_ms=50)
        bench.read(whole=False)
        assert shows(bench.turn(50)) == (1, "VFL")
        bench.turn()
        assert bench.outcomes == {key(1): LineOutcome.STALE}


class TestSilentPlc:
    def test_a_result_that_nobody_takes_is_withdrawn_and_plc_down(self) -> None:
        bench = Bench()
        bench.ready()
        bench.part(1, closed(key(1), Verdict.FAIL))
        bench.live(999, reading=False)
        assert shows(bench.bus) == (1, "VF")
        assert shows(bench.live(1, reading=False)) == NOTHING
        bench.turn()
        assert bench.outcomes == {key(1): LineOutcome.PLC_DOWN}

    def test_on_its_return_the_plc_finds_nothing_of_the_time_without_it(self) -> None:
        for word in (Command(0), BUFFER):
            bench = Bench()
            bench.ready(word)
            bench.live(1200, reading=False)
            for seq in range(1, 6):
                bench.beat()
                bench.part(seq, deadline_ms=30)
                bench.opened(opened(key(seq + 100), bench.now_ns, deadline_ms=30))
                bench.live(60, reading=False)
            assert shows(bench.bus) == NOTHING
            assert bench.bus.queued == 0
            bench.read()
            assert shows(bench.turn()) == NOTHING
            assert {bench.outcomes[key(seq)] for seq in range(1, 6)} == {LineOutcome.PLC_DOWN}
            assert {bench.outcomes[key(seq + 100)] for seq in range(1, 6)} == {LineOutcome.LATE}

    def test_a_heartbeat_that_stands_counts_as_silence_where_it_is_supervised(self) -> None:
        for supervised_ns, outcomes in ((0, {}), (500 * MS, {key(1): LineOutcome.PLC_DOWN})):
            bench = Bench(heartbeat_ns=supervised_ns)
            bench.ready()
            bench.write(heartbeat=1)
            bench.turn()
            bench.part(1)
            bench.live(1200)
            bench.turn()
            assert bench.outcomes == outcomes


class TestRestart:
    def test_a_verdict_whose_trigger_was_told_to_an_earlier_plcd_is_plc_down(self) -> None:
        bench = Bench()
        bench.ready()
        bench.closed(closed(key(1)))
        assert shows(bench.turn()) == NOTHING
        assert bench.outcomes == {key(1): LineOutcome.PLC_DOWN}

    def test_a_verdict_that_an_earlier_plcd_may_have_shown_is_not_shown_again(self) -> None:
        bench = Bench()
        bench.ready()
        bench.opened(opened(key(1), START_NS - 50 * MS))
        bench.closed(closed(key(1), closed_ms=40.0))
        assert shows(bench.turn()) == NOTHING
        assert bench.outcomes == {key(1): LineOutcome.PLC_DOWN}

    def test_a_verdict_found_after_the_start_is_shown_in_time_though_its_trigger_is_older(self) -> None:
        bench = Bench()
        bench.ready()
        bench.opened(opened(key(1), START_NS - 50 * MS))
        bench.closed(closed(key(1), closed_ms=60.0))
        assert shows(bench.turn()) == (1, "VP")

    def test_an_old_trigger_that_misses_its_deadline_is_plc_down_without_a_notice(self) -> None:
        bench = Bench()
        bench.ready()
        bench.opened(opened(key(1), START_NS - 100 * MS))
        assert shows(bench.live(100)) == NOTHING
        assert bench.outcomes == {key(1): LineOutcome.PLC_DOWN}


class TestRetire:
    def test_the_safe_state_shows_and_all_that_was_not_taken_is_plc_down(self) -> None:
        bench = Bench()
        bench.ready(BUFFER)
        bench.part(1)
        bench.part(2)
        bench.opened(opened(key(3), bench.now_ns))
        bench.turn()
        bench.handshake.retire(bench.now_ns)
        image = bench.turn()
        assert image.status == 0
        bench.turn()
        assert bench.outcomes == dict.fromkeys(map(key, (1, 2, 3)), LineOutcome.PLC_DOWN)

    def test_facts_that_come_after_it_are_settled_too(self) -> None:
        bench = Bench()
        bench.ready()
        bench.handshake.retire(bench.now_ns)
        assert bench.part(1).status == 0
        bench.closed(closed(key(2)))
        bench.turn()
        assert bench.outcomes == dict.fromkeys(map(key, (1, 2)), LineOutcome.PLC_DOWN)


def test_due_is_the_next_deadline_of_what_is_open_or_waits() -> None:
    bench = Bench()
    bench.ready(BUFFER)
    assert bench.handshake.results.due_ns() is None
    bench.part(1, deadline_ms=500)
    assert bench.handshake.results.due_ns() is None
    bench.part(2, deadline_ms=300)
    bench.opened(opened(key(3), bench.now_ns, deadline_ms=400))
    assert bench.handshake.results.due_ns() == bench.now_ns + 300 * MS


@pytest.mark.parametrize(
    ("score", "threshold", "expected"),
    [
        (0.9999999, 1.0, 999),  # a PASS never reads as 1,000
        (1.0, 1.0, 1000),
        (-3.0, 1.0, 0),
        (1e9, 1.0, UINT16_MAX),
        (math.nan, 1.0, UINT16_MAX),
        (math.inf, 1.0, UINT16_MAX),
        (-math.inf, 1.0, UINT16_MAX),
        (0.5, math.nan, UINT16_MAX),
        (0.5, 0.0, UINT16_MAX),
    ],
)
def test_per_mille_is_rounded_down_and_clamped_and_no_score_never_looks_small(
    score: float, threshold: float, expected: int
) -> None:
    assert per_mille(Result(key(1), 0, 0, score=score, threshold=threshold)) == expected


def test_a_station_that_dispatch_does_not_name_is_not_ready() -> None:
    bench = Bench()
    bench.ready()
    assert bench.bus.status & Status.READY
    bench.handshake.beat(bench.now_ns, None)
    assert not bench.turn().status & Status.READY
    bench.beat(beat(ready=True))
    assert bench.turn().status & Status.READY
