"""The handshake of one station: examples, and what holds over any sequence of events."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from inspectd.plc.handshake import Fire, Select
from inspectd.plc.registers import Command, Control, Image, Status
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from inspectd.wire.messages import Closed, Key, Opened
from tests.plc.bench import Bench
from tests.plc.facts import MS, START_NS, beat, closed, key, opened

ENABLE, TRIGGER, CLEAR, EXECUTE = Command.TRIGGER_ENABLE, Command.TRIGGER, Command.CLEAR_FAULT, Command.EXECUTE
READY, MISSED, TRIGGER_ACK = Status.READY, Status.MISSED_TRIGGER, Status.TRIGGER_ACK
COMPLETED, FAILED = Status.EXECUTE_COMPLETED, Status.EXECUTE_FAILED


def bits(image: Image, *which: Status) -> tuple[bool, ...]:
    return tuple(bool(image.status & bit) for bit in which)


class TestReady:
    def test_before_the_first_beat_nothing_is_ready(self) -> None:
        assert Bench().turn().status == 0

    def test_it_needs_a_fresh_beat_and_a_station_that_can_judge(self) -> None:
        bench = Bench()
        bench.beat(beat(ready=False))
        assert bits(bench.turn(), READY, Status.ONLINE) == (False, True)
        bench.beat(beat(ready=True))
        assert bits(bench.turn(), READY, Status.ONLINE) == (True, True)
        assert bits(bench.turn(299), READY, Status.ONLINE) == (True, True)
        assert bits(bench.turn(1), READY, Status.ONLINE) == (False, False)

    def test_a_beat_that_waited_in_a_queue_does_not_count_as_fresh(self) -> None:
        bench = Bench()
        bench.now_ns += 400 * MS
        bench.handshake.beat(bench.now_ns - 301 * MS, beat())
        assert bits(bench.turn(), READY) == (False,)

    def test_where_the_plc_triggers_it_also_needs_trigger_enable(self) -> None:
        bench = Bench(plc_triggers=True)
        assert bits(bench.ready(), READY) == (False,)
        bench.write(ENABLE)
        assert bits(bench.turn(), READY) == (True,)

    def test_closing_the_intake_ends_it(self) -> None:
        bench = Bench()
        bench.ready()
        bench.handshake.close_intake()
        assert bits(bench.turn(), READY, Status.ONLINE) == (False, True)

    def test_warnings_and_faults_of_the_station_are_shown(self) -> None:
        bench = Bench()
        bench.beat(beat(degraded="blurred"))
        assert bits(bench.turn(), Status.DEGRADED, Status.FAULT) == (True, False)
        bench.beat(beat(ready=False, fault="no bundle"))
        assert bits(bench.turn(), Status.DEGRADED, Status.FAULT) == (False, True)

    def test_busy_lasts_from_the_trigger_to_its_verdict(self) -> None:
        bench = Bench()
        bench.ready()
        bench.opened(opened(key(1), bench.now_ns))
        assert bits(bench.turn(), Status.BUSY) == (True,)
        bench.closed(closed(key(1)))
        assert bits(bench.turn(), Status.BUSY) == (False,)


class TestHeartbeat:
    def test_ours_counts_every_500_ms_and_toggles_its_bit(self) -> None:
        bench = Bench()
        seen = [(bench.turn(250).heartbeat, bool(bench.bus.status & Status.HEARTBEAT)) for _ in range(6)]
        assert seen == [(0, False), (1, True), (1, True), (2, False), (2, False), (3, True)]

    def test_ours_wraps_at_16_bits(self) -> None:
        assert Bench().turn(65_536 * 500).heartbeat == 0

    def test_theirs_is_echoed(self) -> None:
        bench = Bench()
        bench.write(heartbeat=4711)
        assert bench.turn().echo == 4711

    def test_due_is_never_later_than_the_next_count_or_the_end_of_a_fresh_beat(self) -> None:
        bench = Bench()
        bench.turn(100)
        assert bench.handshake.due_ns(bench.now_ns) == START_NS + 500 * MS
        bench.beat()
        assert bench.handshake.due_ns(bench.now_ns) == START_NS + 400 * MS


class TestTheirsSupervised:
    @pytest.fixture
    def bench(self) -> Bench:
        """A PLC whose heartbeat must change every 700 ms, and has just begun."""
        bench = Bench(plc_triggers=True, heartbeat_ns=700 * MS)
        bench.beat()
        bench.write(ENABLE, heartbeat=1)
        bench.turn()
        return bench

    def test_while_it_stands_the_station_is_in_fault_not_ready_and_misses_triggers(self, bench: Bench) -> None:
        assert bits(bench.live(699), READY, Status.FAULT, Status.ONLINE) == (True, False, True)
        assert bits(bench.live(1), READY, Status.FAULT, Status.ONLINE) == (False, True, True)
        bench.write(ENABLE | TRIGGER, heartbeat=1)
        assert bits(bench.turn(), MISSED, TRIGGER_ACK) == (True, False)
        assert bench.requests == []
        bench.write(ENABLE | CLEAR, heartbeat=2)
        assert bits(bench.turn(), READY, Status.FAULT, MISSED) == (True, False, False)

    def test_one_that_never_began_stands(self) -> None:
        bench = Bench(heartbeat_ns=700 * MS)
        assert bits(bench.ready(), READY, Status.FAULT) == (False, True)

    def test_without_supervision_nothing_comes_of_it(self) -> None:
        bench = Bench()
        bench.ready()
        assert bits(bench.live(5_000), READY, Status.FAULT) == (True, False)

    def test_the_image_is_due_when_it_will_have_stood_too_long(self, bench: Bench) -> None:
        bench.live(650)
        assert bench.handshake.due_ns(bench.now_ns) == START_NS + 700 * MS


class TestPlcTrigger:
    @pytest.fixture
    def bench(self) -> Bench:
        bench = Bench(plc_triggers=True)
        bench.ready(ENABLE)
        return bench

    def test_the_key_is_given_before_the_ack_which_is_held_until_trigger_drops(self, bench: Bench) -> None:
        bench.write(ENABLE | TRIGGER, part_id="P7")
        bench.look()
        assert bench.requests == [Fire("P7")]
        bench.handshake.fired(key(70_000), "P7", bench.now_ns)
        image = bench.show()
        assert bits(image, TRIGGER_ACK, READY, MISSED) == (True, False, False)
        assert (image.triggered_run, image.triggered_seq) == (3, 70_000)
        assert bits(bench.turn(50), TRIGGER_ACK) == (True,)
        bench.write(ENABLE)
        image = bench.turn()
        assert bits(image, TRIGGER_ACK, READY) == (False, True)
        assert image.triggered_seq == 70_000
        assert len(bench.requests) == 1

    @pytest.mark.parametrize("beating", [True, False])
    def test_its_deadline_runs_though_dispatch_never_says_that_it_is_open(self, bench: Bench, beating: bool) -> None:
        """`late` while dispatch beats, `stale` after 300 ms without: Fail with Late stands at the deadline either way."""
        bench.turn(0 if beating else 150)
        bench.write(ENABLE | TRIGGER)
        bench.look()
        bench.handshake.fired(key(1), "P1", bench.now_ns)
        assert bits(bench.show(), Status.BUSY) == (True,)
        image = bench.live(199) if beating else bench.turn(140)
        assert image.status & Status.RESULT_VALID == 0
        if not beating:
            bench.read()
            assert bench.turn(59).status & (Status.RESULT_VALID | Status.ONLINE) == 0
        image = bench.turn(1)
        assert bits(image, Status.FAIL, Status.LATE, Status.PASS) == (True, True, False)
        assert (image.run, image.seq, image.part_id) == (3, 1, "P1")
        assert bench.outcomes == {key(1): LineOutcome.LATE if beating else LineOutcome.STALE}
        bench.opened(opened(key(1), bench.now_ns - 200 * MS))
        bench.closed(closed(key(1), closed_ms=201.0))
        image = bench.turn()
        assert bits(image, Status.FAIL, Status.LATE, Status.PASS) == (True, True, False)
        assert (len(bench.outcomes), image.triggers) == (1, 1)

    def test_what_dispatch_says_of_it_later_is_joined_and_counted_once(self) -> None:
        bench = Bench(plc_triggers=True, products=("default", "blue"))
        bench.ready(ENABLE)
        bench.write(ENABLE | TRIGGER)
        bench.look()
        bench.handshake.fired(key(1), "P1", bench.now_ns)
        bench.opened(opened(key(1), bench.now_ns, 200.0, product="blue"))
        bench.closed(closed(key(1), product="blue"))
        image = bench.turn()
        assert bits(image, Status.RESULT_VALID, Status.PASS, Status.BUSY) == (True, True, False)
        assert (image.triggers, image.product) == (1, 2)

    def test_holding_trigger_makes_one_trigger(self, bench: Bench) -> None:
        for n in range(3):
            bench.write(ENABLE | TRIGGER, heartbeat=n)
            bench.turn()
        assert bench.requests == [Fire("")]

    def test_without_a_fresh_beat_it_is_missed_and_not_answered(self, bench: Bench) -> None:
        bench.turn(301)
        bench.write(ENABLE | TRIGGER)
        assert bits(bench.turn(), MISSED, TRIGGER_ACK) == (True, False)
        assert bench.requests == []
        bench.beat()  # Trigger still stands: no trigger without an edge
        assert bits(bench.turn(), MISSED, TRIGGER_ACK) == (True, False)
        assert bench.requests == []

    def test_trigger_and_enable_at_once_is_missed(self) -> None:
        bench = Bench(plc_triggers=True)
        bench.ready()
        bench.write(ENABLE | TRIGGER)
        assert bits(bench.turn(), MISSED) == (True,)
        assert bench.requests == []

    def test_one_that_cannot_be_kept_is_missed(self, bench: Bench) -> None:
        bench.write(ENABLE | TRIGGER)
        bench.look()
        bench.handshake.fired(None, "", bench.now_ns)
        assert bits(bench.show(), MISSED, TRIGGER_ACK) == (True, False)

    def test_on_a_line_that_the_camera_triggers_it_is_missed(self) -> None:
        bench = Bench()
        bench.ready(ENABLE)
        bench.write(ENABLE | TRIGGER)
        assert bits(bench.turn(), MISSED) == (True,)
        assert bench.requests == []

    @pytest.mark.parametrize("words", [[ENABLE | CLEAR], [Command(0)], [Command(0), ENABLE]])
    def test_clear_fault_or_a_change_of_trigger_enable_clears_it(self, bench: Bench, words: list[Command]) -> None:
        bench.turn(301)
        bench.write(ENABLE | TRIGGER)
        bench.turn()
        for word in words:
            bench.write(word)
        assert bits(bench.turn(), MISSED) == (False,)

    def test_clear_fault_clears_an_overrun(self) -> None:
        bench = Bench()
        bench.ready()
        bench.part(1)
        bench.part(2)
        assert bits(bench.turn(), Status.OVERRUN) == (True,)
        bench.write(CLEAR)
        assert bits(bench.turn(), Status.OVERRUN) == (False,)


class TestProductSelection:
    @pytest.fixture
    def bench(self) -> Bench:
        bench = Bench(products=("default", "blue"))
        bench.ready()
        return bench

    def test_it_is_completed_when_a_beat_names_the_product_and_held_until_execute_drops(self, bench: Bench) -> None:
        bench.write(EXECUTE, product=2)
        assert bits(bench.turn(), COMPLETED, FAILED) == (False, False)
        assert bench.requests == [Select("blue")]
        bench.beat(beat(product="blue"))
        assert bits(bench.turn(), COMPLETED, FAILED) == (True, False)
        bench.write(EXECUTE, product=2, heartbeat=1)
        assert bits(bench.turn(), COMPLETED, FAILED) == (True, False)
        bench.write(Command(0), product=2)
        assert bits(bench.turn(), COMPLETED, FAILED) == (False, False)
        assert bench.requests == [Select("blue")]

    def test_the_active_product_is_completed_at_once(self, bench: Bench) -> None:
        bench.write(EXECUTE, product=1)
        assert bits(bench.turn(), COMPLETED) == (True,)
        assert bench.requests == []

    @pytest.mark.parametrize("number", [0, 3, 65_535])
    def test_a_number_without_a_product_has_failed(self, bench: Bench, number: int) -> None:
        bench.write(EXECUTE, product=number)
        assert bits(bench.turn(), COMPLETED, FAILED) == (False, True)
        assert bench.requests == []

    def test_a_refusal_has_failed(self, bench: Bench) -> None:
        bench.write(EXECUTE, product=2)
        bench.turn()
        bench.handshake.refused()
        assert bits(bench.turn(), COMPLETED, FAILED) == (False, True)

    def test_without_an_answer_it_has_failed_after_10_s(self, bench: Bench) -> None:
        bench.write(EXECUTE, product=2)
        bench.turn()
        assert bits(bench.live(9_999, step_ms=250), FAILED) == (False,)
        assert bits(bench.live(1), FAILED) == (True,)

    def test_ready_is_off_from_execute_until_the_change_has_ended_and_a_trigger_is_missed(self) -> None:
        bench = Bench(products=("default", "blue"), plc_triggers=True)
        bench.ready(ENABLE)
        bench.write(ENABLE | EXECUTE, product=2)
        assert bits(bench.turn(), READY, MISSED) == (False, False)
        bench.write(ENABLE | EXECUTE | TRIGGER, product=2)
        assert bits(bench.turn(), READY, MISSED, TRIGGER_ACK) == (False, True, False)
        bench.write(ENABLE | EXECUTE, product=2)
        bench.beat(beat(product="blue"))
        assert bits(bench.turn(), READY, COMPLETED) == (True, True)
        bench.write(ENABLE | EXECUTE | TRIGGER, product=2)
        bench.turn()
        assert bench.requests == [Select("blue"), Fire("")]

    def test_trigger_and_execute_in_one_write_is_a_part_of_the_old_product(self) -> None:
        """The product is asked for only when dispatch has the trigger, and with it the product by which it is judged."""
        bench = Bench(products=("default", "blue"), plc_triggers=True)
        bench.ready(ENABLE)
        bench.dispatch_has_all = False
        bench.write(ENABLE | TRIGGER | EXECUTE, product=2)
        bench.turn()
        assert bench.requests == [Fire("")]
        bench.dispatch_has_all = True
        bench.turn()
        assert bench.requests == [Fire(""), Select("blue")]

    def test_execute_dropped_before_the_product_was_asked_for_asks_for_nothing(self, bench: Bench) -> None:
        bench.dispatch_has_all = False
        bench.write(EXECUTE, product=2)
        assert bits(bench.turn(), READY) == (False,)
        bench.write(Command(0), product=2)
        bench.dispatch_has_all = True
        assert bits(bench.turn(), READY) == (True,)
        assert bench.requests == []

    def test_execute_dropped_later_leaves_ready_off_until_the_change_has_ended(self, bench: Bench) -> None:
        bench.write(EXECUTE, product=2)
        bench.turn()
        bench.write(Command(0), product=1)
        assert bits(bench.turn(), READY) == (False,)
        bench.write(EXECUTE, product=1)  # nobody knows what the other one will come to: one change at a time
        assert bits(bench.turn(), READY, COMPLETED, FAILED) == (False, False, True)
        bench.beat(beat(product="blue"))
        assert bits(bench.turn(), READY, COMPLETED, FAILED) == (True, False, True)
        assert bench.requests == [Select("blue")]

    def test_an_answer_after_execute_has_dropped_changes_nothing(self, bench: Bench) -> None:
        bench.write(EXECUTE, product=2)
        bench.turn()
        bench.write(Command(0))
        bench.turn()
        bench.handshake.refused()
        assert bits(bench.turn(), COMPLETED, FAILED) == (False, False)


def test_complaints_say_which_it_is_a_plc_that_asks_nothing_or_one_whose_heartbeat_stands() -> None:
    bench = Bench(heartbeat_ns=700 * MS)
    bench.beat()
    bench.write(heartbeat=1)
    bench.turn()
    bench.live(700)
    assert bench.handshake.complaints(bench.now_ns) == ["the PLC's heartbeat has stood for 700 ms: not Ready, no results"]
    bench.write(heartbeat=2)
    bench.turn()
    assert bench.handshake.complaints(bench.now_ns) == []
    bench.live(1_000, reading=False)
    assert bench.handshake.complaints(bench.now_ns)[0] == "the PLC has asked nothing for 1000 ms"


def test_complaints_name_a_silent_plc_and_a_silent_dispatch() -> None:
    bench = Bench()
    assert len(bench.handshake.complaints(bench.now_ns)) == 2
    bench.ready()
    assert bench.handshake.complaints(bench.now_ns) == []


SEQS = st.integers(1, 6)
BUFFER, ACK = Command.BUFFER_ENABLE, Command.RESULT_ACK
WORDS = st.sampled_from([BUFFER, BUFFER, BUFFER | ACK]) | st.builds(Command, st.integers(0, 63))


def test_a_notice_that_was_read_whole_does_not_deliver_the_verdict_that_it_stands_for() -> None:
    """A PASS that nobody vouched for was never on the bus; at its deadline Fail and Late stood there, under the same key."""
    bench = Bench(heartbeat_ns=700 * MS)
    bench.write(BUFFER, heartbeat=1)
    bench.opened(opened(key(5), bench.now_ns, 30))
    bench.closed(closed(key(5), Verdict.PASS, Reason.NONE, closed_ms=0.0))
    bench.turn(1100)
    assert bench.read(whole=True).status & Status.LATE
    bench.turn()
    bench.turn()
    assert bench.outcomes[key(5)] is not LineOutcome.DELIVERED


class AnyOrder(RuleBasedStateMachine):
    """Dispatch, the PLC and time do whatever they like; the promises of the bus hold all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(plc_triggers=True, heartbeat_ns=700 * MS)
        self.told: dict[Key, Opened] = {}
        self.verdicts: dict[Key, Closed] = {}
        self.read: set[Key] = set()  # verdicts that the PLC read whole
        self.acked: set[Key] = set()  # verdicts that stood when the PLC wrote ResultAck
        self.late: set[Key] = set()  # keys for which the adapter showed its own Fail
        self.beat_ns = -(10**18)
        self.could_judge = False

    @rule(ms=st.sampled_from([0.25, 1, 20, 100, 299, 300, 1100]), turns=st.integers(0, 2))
    def time_passes(self, ms: float, turns: int) -> None:
        for _ in range(turns):
            self.bench.turn(ms)
            self.check()
        self.bench.now_ns += round(ms * MS)

    @rule(ready=st.booleans(), late_ms=st.sampled_from([0, 150]))
    def dispatch_beats(self, ready: bool, late_ms: int) -> None:
        t_ns = self.bench.now_ns - late_ms * MS
        self.bench.handshake.beat(t_ns, beat(ready))
        self.beat_ns, self.could_judge = max(self.beat_ns, t_ns), ready

    @rule(seq=SEQS, age_ms=st.sampled_from([0, 10, 400]), deadline_ms=st.sampled_from([30, 200, 2000]))
    def dispatch_opens(self, seq: int, age_ms: int, deadline_ms: int) -> None:
        fact = self.told.get(key(seq)) or opened(key(seq), self.bench.now_ns - age_ms * MS, deadline_ms)
        if key(seq) not in self.verdicts or key(seq) in self.told:
            self.told[key(seq)] = fact
        self.bench.opened(fact)

    @rule(
        seq=SEQS,
        verdict=st.sampled_from([Verdict.PASS, Verdict.PASS, *Verdict]),
        reason=st.sampled_from([Reason.NONE, Reason.NONE, Reason.RECHECK, Reason.NO_FRAME]),
    )
    def dispatch_closes(self, seq: int, verdict: Verdict, reason: Reason) -> None:
        of = key(seq)
        since_ms = (self.bench.now_ns - self.told[of].t_ns) / MS if of in self.told else 5.0
        fact = self.verdicts.setdefault(of, closed(of, verdict, reason, closed_ms=since_ms))
        self.bench.closed(fact)

    @rule(whole=st.booleans())
    def plc_reads(self, whole: bool) -> None:
        image = self.bench.read(whole)
        if whole and image.status & Status.RESULT_VALID and not image.status & Status.LATE:
            self.read.add(key(image.seq))

    @rule(word=WORDS, product=st.integers(0, 2), heartbeat=st.integers(0, 3))
    def plc_writes(self, word: Command, product: int, heartbeat: int) -> None:
        image = self.bench.bus
        if word & ACK and image.status & Status.RESULT_VALID:
            self.acked.add(key(image.seq))
        self.bench.write(word, product=product, heartbeat=heartbeat)

    @precondition(lambda self: self.bench.bus.status & Status.RESULT_VALID)
    @rule()
    def plc_acknowledges_as_it_should(self) -> None:
        self.plc_reads(whole=True)
        self.plc_writes(BUFFER | ACK, 0, 0)
        self.plc_writes(BUFFER, 0, 0)

    @rule()
    def plcd_turns(self) -> None:
        self.bench.turn()
        self.check()

    @rule()
    def plcd_turns_while_the_plc_reads(self) -> None:
        """Between plcd's look at the bus and its swap, the PLC reads what still stands."""
        self.bench.look()
        self.plc_reads(whole=True)
        self.bench.show()
        self.check()

    def check(self) -> None:
        image, now_ns = self.bench.bus, self.bench.now_ns
        valid, passed, failed = bits(image, Status.RESULT_VALID, Status.PASS, Status.FAIL)
        fresh = now_ns - self.beat_ns < 300 * MS
        assert not (passed and failed)
        assert valid == (passed or failed)
        assert fresh or not (passed or image.status & (READY | Status.ONLINE))
        assert self.could_judge or not image.status & READY
        if valid:
            self.check_result(image, failed)

    def check_result(self, image: Image, failed: bool) -> None:
        of = key(image.seq)
        fact, known = self.verdicts.get(of), self.told[of]
        shown_ns = known.t_ns + (image.latency_ms + 1) * MS
        if image.status & Status.LATE:
            assert failed
            assert image.reason == Reason.LATE
            self.late.add(of)
            return
        assert fact is not None
        assert shown_ns - MS <= known.t_ns + known.deadline_ms * MS
        assert failed == (fact.verdict is not Verdict.PASS or fact.reason != Reason.NONE)
        assert (image.reason != 0) == (fact.verdict is Verdict.UNDECIDED or fact.reason != Reason.NONE)
        assert bool(image.status & Status.RECHECK) == (fact.reason is Reason.RECHECK)

    def teardown(self) -> None:
        """At the end every key that was ever named has one outcome, and `delivered` means that the PLC had it."""
        self.bench.turn()
        self.bench.handshake.retire(self.bench.now_ns)
        self.bench.turn()
        self.bench.turn()
        assert self.bench.bus == Image()
        outcomes = self.bench.outcomes
        assert set(outcomes) == set(self.told) | set(self.verdicts)
        delivered = {of for of, outcome in outcomes.items() if outcome is LineOutcome.DELIVERED}
        assert self.read <= delivered <= self.read | self.acked
        assert not self.late & {of for of, outcome in outcomes.items() if outcome is LineOutcome.OVERRUN}


AnyOrder.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAnyOrder = AnyOrder.TestCase


def test_the_first_image_to_show_is_the_safe_state() -> None:
    assert Control() == Control(Command(0), 0, 0, "")
    assert Image().status == 0
