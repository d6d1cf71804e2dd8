"""The ledger closes, whatever happens in whatever order; and PASS is earned."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspectd.dispatch.ledger import Assigned, Ledger, Policy
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from inspectd.wire.messages import Answer, Closed, Key, Late, Opened, Outcome, Outline, Trigger

MS = 1_000_000
POLICIES = {"a": Policy(100, 10, "line1"), "b": Policy(50, 10, "")}
BUNDLE = Assigned("default", "f" * 16, 1.0)


def ledger() -> Ledger:
    return Ledger(POLICIES, "host")


def trigger(seq: int, station: str = "a", run: int = 1, t_ns: int = 0, **more) -> Trigger:
    return Trigger(key=Key(station, run, seq), t_ns=t_ns, utc_ns=7, **more)


def answer(seq: int, score: float = 0.5, station: str = "a", fingerprint: str = "f" * 16, **more) -> Answer:
    return Answer(key=Key(station, 1, seq), fingerprint=fingerprint, score=score, **more)


def one(facts: list, kind: type):
    found = [fact for fact in facts if isinstance(fact, kind)]
    assert len(found) == 1, facts
    return found[0]


def closed_with(**close) -> Closed:
    book = ledger()
    book.open(trigger(1), BUNDLE, 0)
    return one(book.close(Key("a", 1, 1), **{"now_ns": 10 * MS, **close}), Closed)


class TestPassIsEarned:
    def test_a_finite_score_below_the_threshold_in_time_by_the_assigned_bundle_passes(self):
        assert closed_with(answer=answer(1)).verdict is Verdict.PASS

    @pytest.mark.parametrize("score", [1.0, 1.5, 1e30])
    def test_a_score_at_or_above_the_threshold_fails(self, score):
        assert closed_with(answer=answer(1, score)).verdict is Verdict.FAIL

    @settings(max_examples=300, deadline=None)
    @given(
        score=st.floats(0, 2), threshold=st.sampled_from([0.5, 1.0]),
        recheck=st.none() | st.floats(0, 2) | st.just(math.nan) | st.just(math.inf),
    )  # fmt: skip
    def test_a_recheck_band_takes_parts_from_those_that_pass_and_from_no_others(self, score, threshold, recheck):
        """Whatever the band: FAIL is as without one; PASS needs a score below both; what lies between is UNDECIDED(recheck)."""
        book = ledger()
        book.open(trigger(1), Assigned("default", "f" * 16, threshold), 0)
        closed = one(book.close(Key("a", 1, 1), 10 * MS, answer=answer(1, score, recheck=recheck)), Closed)
        below_band = recheck is None or score < recheck
        expected = Verdict.FAIL if score >= threshold else Verdict.PASS if below_band else Verdict.UNDECIDED
        assert (closed.verdict, closed.reason is Reason.RECHECK) == (expected, expected is Verdict.UNDECIDED)
        assert book.counts["a"]["reason.recheck"] == (expected is Verdict.UNDECIDED)

    def test_a_verdict_tells_where_the_band_began_and_what_was_outlined(self):
        """Watchers and the journal learn both from the message of the verdict."""
        found = Outline(threshold=0.7, area_px=12, regions=1, boxes=((1, 2, 4, 3),))
        closed = closed_with(answer=answer(1, 0.9, recheck=0.8, outline=found))
        assert (closed.verdict, closed.recheck, closed.outline) == (Verdict.UNDECIDED, 0.8, found)

    @pytest.mark.parametrize(
        ("close", "reason"),
        [
            ({"answer": answer(1, math.nan)}, Reason.BAD_SCORE),
            ({"answer": answer(1, -math.inf)}, Reason.BAD_SCORE),
            ({"answer": answer(1, math.inf)}, Reason.BAD_SCORE),
            ({"answer": answer(1, fingerprint="0" * 16)}, Reason.WRONG_BUNDLE),
            ({"answer": answer(1, reason=Reason.WRONG_PICTURE)}, Reason.WRONG_PICTURE),
            ({"answer": answer(1), "reason": Reason.GUARD}, Reason.GUARD),
            ({"answer": answer(1), "now_ns": 90 * MS + 1}, Reason.LATE),
            ({}, Reason.LATE),
            ({"reason": Reason.OVERLOAD}, Reason.OVERLOAD),
        ],
    )
    def test_anything_that_misses_one_condition_is_undecided_with_its_reason(self, close, reason):
        closed = closed_with(**close)
        assert (closed.verdict, closed.reason) == (Verdict.UNDECIDED, reason)

    def test_a_station_without_a_bundle_never_passes_even_if_the_answer_names_none_either(self):
        book = ledger()
        book.open(trigger(1), Assigned("default"), 0)
        closed = one(book.close(Key("a", 1, 1), 0, answer=answer(1, fingerprint="")), Closed)
        assert closed.reason is Reason.WRONG_BUNDLE

    @given(score=st.floats(), threshold=st.floats(), fingerprint=st.sampled_from(["f" * 16, ""]), ms=st.integers(0, 120))
    def test_pass_means_finite_below_threshold_right_bundle_and_in_time(self, score, threshold, fingerprint, ms):
        book = ledger()
        book.open(trigger(1), Assigned("default", "f" * 16, threshold), 0)
        facts = book.close(Key("a", 1, 1), ms * MS, answer=answer(1, score, fingerprint=fingerprint))
        earned = math.isfinite(score) and math.isfinite(threshold) and score < threshold and fingerprint != "" and ms <= 90
        assert (one(facts, Closed).verdict is Verdict.PASS) == earned


class TestOpening:
    def test_a_gap_in_seq_is_opened_and_closed_at_once_as_lost(self):
        book = ledger()
        facts = book.open(trigger(3), BUNDLE, 0)
        assert [type(f) for f in facts] == [Opened, Closed, Opened, Closed, Opened]
        assert [f.reason for f in facts if isinstance(f, Closed)] == [Reason.LOST, Reason.LOST]
        assert book.in_flight == 1

    def test_a_trigger_that_comes_again_is_counted_and_changes_nothing(self):
        book = ledger()
        book.open(trigger(1), BUNDLE, 0)
        assert book.open(trigger(1), BUNDLE, 0) == []
        assert book.counts["a"]["duplicate_triggers"] == 1
        assert book.counts["a"]["triggers"] == 1

    def test_a_trigger_born_without_a_picture_is_closed_with_its_reason(self):
        facts = ledger().open(trigger(1, picture=False, reason=Reason.BAD_PICTURE), BUNDLE, 0)
        assert one(facts, Closed).reason is Reason.BAD_PICTURE

    def test_a_new_run_starts_from_one_and_a_trigger_of_an_old_run_is_a_duplicate(self):
        book = ledger()
        book.open(trigger(5, run=1), BUNDLE, 0)
        assert [f.key.seq for f in book.open(trigger(1, run=2), BUNDLE, 0)] == [1]
        assert book.open(trigger(6, run=1), BUNDLE, 0) == []

    def test_keys_that_a_source_says_it_sent_and_nobody_heard_of_close_as_lost(self):
        book = ledger()
        book.open(trigger(1), BUNDLE, 0)
        facts = book.gap("a", 1, 3, BUNDLE, 0, 7)
        assert [f.key.seq for f in facts if isinstance(f, Closed)] == [2, 3]


class TestDeadlines:
    def test_a_key_whose_picture_never_came_expires_as_no_frame_and_others_as_late(self):
        book = ledger()
        book.open(trigger(1), BUNDLE, 0)
        book.open(trigger(2), BUNDLE, 0)
        book.mark(Key("a", 1, 2), "frame_ms", 5 * MS)
        assert book.expire(90 * MS) == []
        reasons = {f.key.seq: f.reason for f in book.expire(90 * MS + 1) if isinstance(f, Closed)}
        assert reasons == {1: Reason.NO_FRAME, 2: Reason.LATE}

    def test_a_score_after_the_verdict_is_recorded_as_late_and_changes_nothing(self):
        book = ledger()
        book.open(trigger(1), BUNDLE, 0)
        book.mark(Key("a", 1, 1), "frame_ms", 1)
        book.expire(91 * MS)
        late = one(book.close(Key("a", 1, 1), 95 * MS, answer=answer(1, 0.1)), Late)
        assert late.score == 0.1
        assert late.late_ms == 4.0
        assert book.counts["a"]["pass"] == 0

    def test_the_next_deadline_skips_keys_that_are_closed(self):
        book = ledger()
        book.open(trigger(1), BUNDLE, 0)
        book.open(trigger(2, t_ns=MS), BUNDLE, MS)
        book.close(Key("a", 1, 1), 2 * MS, answer=answer(1))
        assert book.next_deadline_ns() == 91 * MS


class TestOutcomes:
    def test_a_station_without_a_plc_settles_as_no_plc_when_it_closes(self):
        book = ledger()
        book.open(trigger(1, "b"), BUNDLE, 0)
        assert one(book.close(Key("b", 1, 1), 1, answer=answer(1, station="b")), Outcome).outcome is LineOutcome.NO_PLC
        assert book.unsettled == 0

    def test_the_first_outcome_counts_and_a_second_is_only_counted(self):
        book = ledger()
        book.open(trigger(1), BUNDLE, 0)
        book.close(Key("a", 1, 1), 1, answer=answer(1))
        assert one(book.settle(Key("a", 1, 1), LineOutcome.DELIVERED, 3.0), Outcome).t_ms == 3.0
        assert book.settle(Key("a", 1, 1), LineOutcome.LATE, 4.0) == []
        assert book.counts["a"]["second_outcomes"] == 1

    def test_an_outcome_may_come_before_the_verdict_and_the_key_still_gets_its_verdict(self):
        book = ledger()
        book.open(trigger(1), BUNDLE, 0)
        book.settle(Key("a", 1, 1), LineOutcome.LATE, 100.0)
        assert book.in_flight == 1
        one(book.expire(200 * MS), Closed)
        assert (book.in_flight, book.unsettled) == (0, 0)

    def test_a_plcd_that_starts_anew_is_told_every_key_without_an_outcome(self):
        book = ledger()
        book.open(trigger(1), BUNDLE, 0)
        book.open(trigger(2), BUNDLE, 0)
        book.close(Key("a", 1, 1), 1, answer=answer(1))
        told = [(opened.key.seq, closed is not None) for opened, closed in book.unfinished("line1")]
        assert told == [(1, True), (2, False)]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["open", "skip", "again", "answer", "stale", "nan", "expire", "settle", "new_run", "restart"]),
        st.integers(1, 12),
        st.integers(0, 60),
    ),
    max_size=80,
)


class Line:
    """A source, workers, a PLC and a dispatch that may be killed, reduced to calls of the ledger; keeps all facts."""

    def __init__(self, station: str) -> None:
        self.station, self.book = station, ledger()
        self.facts: list = []
        self.spool: list = []
        self.now, self.seq, self.run = 0, 0, 1

    def event(self, what: str, pick: int) -> None:
        key = Key(self.station, self.run, min(pick, max(self.seq, 1)))
        new = getattr(self, f"on_{what}")(key, pick) or []
        self.facts += new
        self.spool += new

    def on_open(self, key, pick, step=1):
        self.seq += step
        return self.book.open(trigger(self.seq, self.station, self.run, self.now), BUNDLE, self.now)

    def on_skip(self, key, pick):
        return self.on_open(key, pick, step=2)

    def on_again(self, key, pick):
        return self.book.open(trigger(key.seq, self.station, self.run, self.now), BUNDLE, self.now) if self.seq else []

    def on_answer(self, key, pick, score=0.5, fingerprint="f" * 16):
        return self.book.close(key, self.now, answer=Answer(key=key, fingerprint=fingerprint, score=score))

    def on_stale(self, key, pick):
        return self.on_answer(key, pick, fingerprint="0" * 16)

    def on_nan(self, key, pick):
        return self.on_answer(key, pick, score=math.nan)

    def on_expire(self, key, pick):
        return self.book.expire(self.now)

    def on_settle(self, key, pick):
        return self.book.settle(key, LineOutcome.DELIVERED, 1.0)

    def on_new_run(self, key, pick):
        self.run, self.seq = self.run + 1, 0

    def on_restart(self, key, pick):
        if pick % 2:
            self.spool = [self.book.checkpoint(self.now)]
        self.book = ledger()
        self.book.replay(self.spool)
        return self.book.close_open(self.now)


@settings(max_examples=150, deadline=None)
@given(events=EVENTS, station=st.sampled_from(["a", "b"]))
def test_the_ledger_closes_after_any_sequence_of_events_and_restarts(events, station):
    """Counters kept beside the ledger, from the facts alone, agree with it; every key gets one verdict and one outcome."""
    line = Line(station)
    for what, pick, ms in events:
        line.now += ms * MS
        line.event(what, pick)
    book = line.book
    facts = line.facts + book.expire(line.now + 10_000 * MS) + book.give_up()
    opens = Counter(f.key for f in facts if isinstance(f, Opened))
    closes = Counter(f.key for f in facts if isinstance(f, Closed))
    outcomes = Counter(f.key for f in facts if isinstance(f, Outcome))
    assert max([*opens.values(), 1]) == 1
    assert opens == closes == outcomes
    for run in {key.run for key in opens}:
        seqs = sorted(key.seq for key in opens if key.run == run)
        assert seqs == list(range(1, len(seqs) + 1))
    counts = book.counts[station]
    assert counts["triggers"] == sum(opens.values()) == counts["pass"] + counts["fail"] + counts["undecided"]
    assert (book.in_flight, book.unsettled) == (0, 0)
    passed = [f for f in facts if isinstance(f, Closed) and f.verdict is Verdict.PASS]
    assert all(math.isfinite(f.score) and f.score < f.threshold and f.fingerprint == "f" * 16 for f in passed)


def test_a_key_opened_before_the_machine_booted_is_settled_as_plc_down():
    old, new = Ledger(POLICIES, "before"), Ledger(POLICIES, "after")
    spool = old.open(trigger(1, t_ns=10**15), BUNDLE, 10**15)
    new.replay(spool)
    facts = new.close_open(5)
    assert one(facts, Closed).reason is Reason.RESTART
    assert one(facts, Outcome).outcome is LineOutcome.PLC_DOWN
