"""Health of the line: the worst wins, and every reason names its process."""

import urllib.request

import msgspec
import pytest

from inspectd.dispatch.latency import Latency
from inspectd.supervisor import health, status
from inspectd.supervisor.health import Metrics, Pulse
from inspectd.supervisor.life import Life, Told
from inspectd.supervisor.status import Overall, Status
from inspectd.wire.enums import HealthState, LineOutcome, Verdict
from inspectd.wire.messages import Beat, Closed, Key, Outcome
from tests.supervisor import lives as make
from tests.supervisor.lives import seconds

BEAT = Beat(session="s", n=1, t_ns=0, stations={})


def judge(lives: list[Life], now: int = 0, stopping: str = "") -> tuple[HealthState, list[str]]:
    """Health at a moment at which dispatch's beat is fresh."""
    found = health.overall(lives, Pulse(Beat(session="s", n=1, t_ns=now, stations={})), now, stopping)
    return found.state, found.reasons


def named(lives: list[Life], name: str) -> Life:
    return next(life for life in lives if life.name == name)


def test_a_line_whose_processes_report_ok_is_ok_and_ready() -> None:
    lives = make.up()
    assert judge(lives) == (HealthState.OK, [])
    assert health.ready(lives, Pulse(BEAT), 0)


def test_before_all_have_reported_the_line_is_not_ready_and_not_ok() -> None:
    lives = make.waiting()
    state, reasons = judge(lives)
    assert state is HealthState.FAULT
    assert "journald: starting" in reasons
    assert not health.ready(lives, Pulse(BEAT), 0)


@pytest.mark.parametrize("state", [HealthState.DEGRADED, HealthState.FAULT])
def test_what_a_process_says_of_itself_counts_for_the_line(state: HealthState) -> None:
    lives = make.up()
    ingestd = named(lives, "ingestd-cell")
    ingestd.heard(make.health(ingestd, state, ("camera frozen",)), 0)
    assert judge(lives) == (state, ["ingestd-cell: camera frozen"])


def test_the_worst_wins_and_no_reason_is_lost() -> None:
    lives = make.up()
    for name, state in (("ingestd-cell", HealthState.FAULT), ("plcd-line1", HealthState.DEGRADED)):
        life = named(lives, name)
        life.heard(make.health(life, state, (f"{state} it is",)), 0)
    assert judge(lives) == (HealthState.FAULT, ["plcd-line1: DEGRADED it is", "ingestd-cell: FAULT it is"])


def test_a_process_that_is_not_ok_without_a_reason_is_named_all_the_same() -> None:
    lives = make.up()
    plcd = named(lives, "plcd-line1")
    plcd.heard(make.health(plcd, HealthState.FAULT), 0)
    assert judge(lives) == (HealthState.FAULT, ["plcd-line1: gives no reason"])


def test_no_ready_worker_is_a_fault() -> None:
    lives = make.up()
    named(lives, "workerd-1").died(-9, 0)
    assert judge(lives) == (HealthState.FAULT, ["workerd-1: in back-off after killed by SIGKILL", "no worker is ready"])


def test_a_missing_worker_beside_a_ready_one_only_degrades() -> None:
    lives = [*make.up(), Life(make.row("workerd", "2"))]
    lives[-1].started(200, 0)
    lives[-1].died(-9, 0)
    assert judge(lives) == (HealthState.DEGRADED, ["workerd-2: in back-off after killed by SIGKILL"])


@pytest.mark.parametrize("name", ["journald", "dispatchd", "plcd-line1", "ingestd-cell"])
def test_any_other_process_in_back_off_is_a_fault(name: str) -> None:
    lives = make.up()
    named(lives, name).died(1, 0)
    assert judge(lives) == (HealthState.FAULT, [f"{name}: in back-off after exit code 1"])


def test_five_deaths_in_a_minute_are_a_fault_even_while_it_runs() -> None:
    lives = [*make.up(), Life(make.row("workerd", "2"))]
    for _ in range(5):
        lives[-1].started(200, 0)
        lives[-1].died(1, 0)
    lives[-1].started(201, 0)
    lives[-1].heard(make.health(lives[-1]), 0)
    assert judge(lives) == (HealthState.FAULT, ["workerd-2: died 5 times in 60 s, exit code 1"])
    assert judge(lives, seconds(61)) == (HealthState.OK, [])


def test_a_stale_beat_is_a_fault_and_not_ready() -> None:
    lives, late = make.up(), seconds(1)
    assert health.overall(lives, Pulse(BEAT), late - 1).reasons == []
    assert health.overall(lives, Pulse(BEAT), late).reasons == ["dispatchd: no beat for 1 s"]
    assert not health.ready(lives, Pulse(BEAT), late)
    assert not Pulse().fresh(0)


def test_while_the_line_stops_missing_processes_are_no_fault() -> None:
    lives = make.up()
    for name in ("ingestd-cell", "dispatchd", "workerd-1"):
        life = named(lives, name)
        life.told = Told.STOP
        life.died(0, 0)
    assert judge(lives, stopping="waits for x") == (HealthState.DEGRADED, ["stopping: waits for x"])


def test_there_are_no_metrics_before_the_first_status() -> None:
    assert list(Metrics().collect()) == []


def test_prometheus_is_told_how_long_verdicts_and_outcomes_took() -> None:
    """Over HTTP, from what dispatch reports in its health: a histogram by station for each of the two."""
    dispatch = named(make.up(), "dispatchd")
    latency = Latency()
    key = Key("cell", 1, 1)
    latency.note([Closed(key=key, utc_ns=0, verdict=Verdict.PASS, closed_ms=42.0)])
    latency.note([Outcome(key=key, outcome=LineOutcome.DELIVERED, t_ms=61.5, utc_ns=0)])
    reported = msgspec.structs.replace(make.health(dispatch), counters=latency.figures())
    dispatch.heard(reported, 0)
    metrics = Metrics()
    metrics.status = Status(
        pid=1, up_s=0.0, ready=True, stopping=False, health=Overall(HealthState.OK, []), processes=[], channels={},
        sources={}, stations={}, **status.ledger(dispatch, ["cell", "idle"]),
    )  # fmt: skip
    server = metrics.serve("127.0.0.1:0")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as page:
            told = page.read().decode().splitlines()
    finally:
        server.shutdown()
        server.server_close()
    assert 'inspectd_verdict_ms_bucket{le="35",station="cell"} 0.0' in told
    assert 'inspectd_verdict_ms_bucket{le="50",station="cell"} 1.0' in told
    assert 'inspectd_outcome_ms_bucket{le="+Inf",station="cell"} 1.0' in told
    assert 'inspectd_outcome_ms_sum{station="cell"} 61.5' in told
    assert 'inspectd_verdict_ms_count{station="cell"} 1.0' in told
