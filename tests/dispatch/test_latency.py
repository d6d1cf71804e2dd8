"""Times since the trigger are counted by station and step, cumulatively as Prometheus has it."""

import math

import pytest

from inspectd.dispatch.latency import BOUNDS_MS, Latency
from inspectd.wire.enums import LineOutcome, Verdict
from inspectd.wire.messages import Closed, Key, Outcome


def closed(ms: float, station: str = "lid") -> Closed:
    return Closed(key=Key(station, 1, 1), utc_ns=0, verdict=Verdict.PASS, closed_ms=ms)


def outcome(ms: float) -> Outcome:
    return Outcome(key=Key("lid", 1, 1), outcome=LineOutcome.DELIVERED, t_ms=ms, utc_ns=0)


def test_a_time_counts_in_its_bound_and_in_all_above() -> None:
    """A bound is at most; what is slower than all counts as +Inf only."""
    latency = Latency()
    latency.note([closed(5.0), closed(5.1), closed(99_999.0)])
    found = latency.figures()
    assert [found[f"station.lid.latency.verdict.{bound}"] for bound in (5, 10, BOUNDS_MS[-1], "+Inf")] == [1, 2, 2, 3]
    assert found["station.lid.latency.verdict.sum"] == pytest.approx(100_009.1)


def test_verdicts_and_outcomes_of_every_station_are_apart() -> None:
    latency = Latency()
    latency.note([closed(1.0), closed(1.0, "cap"), outcome(7.0)])
    found = latency.figures()
    names = ("lid.latency.verdict.5", "cap.latency.verdict.5", "lid.latency.outcome.5", "lid.latency.outcome.10")
    assert [found[f"station.{name}"] for name in names] == [1, 1, 0, 1]


def test_an_outcome_that_nobody_told_has_no_time() -> None:
    latency = Latency()
    latency.note([outcome(math.nan)])
    assert latency.figures() == {}
