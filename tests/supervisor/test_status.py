"""What `inspectd status` shows."""

from inspectd.supervisor import status
from inspectd.supervisor.life import Life
from inspectd.wire.enums import HealthState
from tests.supervisor.lives import health, row, seconds

COUNTERS = {"in_flight": 1.0, "station.a.triggers": 5.0, "station.a.outcome.fail_safe(late)": 2.0, "station.a-b.pass": 3.0}
TIMES = {"station.a.latency.verdict.5": 1.0, "station.a.latency.verdict.sum": 4.0}
TRAFFIC = {"sent": 1, "received": 2, "refused": 3, "bad": 4}


def running(name: str, subject: str = "", **reported: object) -> Life:
    life = Life(row(name, subject))
    life.started(42, 0)
    life.heard(health(life, **reported), 0)
    return life


def test_counters_are_sorted_by_station_and_outcome() -> None:
    found = status.ledger(running("dispatchd", counters=COUNTERS | TIMES), ["a", "a-b", "c"])
    assert found["ledger"] == {"a": {"triggers": 5.0}, "a-b": {"pass": 3.0}, "c": {}}
    assert found["outcomes"] == {"a": {"fail_safe(late)": 2.0}, "a-b": {}, "c": {}}
    assert found["latency"] == {"a": {"verdict": {"5": 1.0, "sum": 4.0}}, "a-b": {}, "c": {}}
    assert found["dispatch"] == {"in_flight": 1.0}


def test_a_dispatch_that_restarts_gives_no_figures_instead_of_old_ones() -> None:
    life = running("dispatchd", counters=COUNTERS)
    life.died(1, 0)
    assert status.ledger(life, ["a"]) == {"ledger": {"a": {}}, "outcomes": {"a": {}}, "dispatch": {}, "latency": {"a": {}}}


def test_channels_list_the_traffic_of_every_process() -> None:
    lives = [running("workerd", "1", channels={"work": TRAFFIC}), running("dispatchd", channels={"work": TRAFFIC})]
    found = status.channels(lives, {"orders": TRAFFIC})
    assert found == {"orders": {"supervisord": TRAFFIC}, "work": {"workerd-1": TRAFFIC, "dispatchd": TRAFFIC}}


def test_processes_show_state_age_and_reasons() -> None:
    up, dead = running("plcd", "line1", state=HealthState.FAULT, reasons=("no peer",)), running("workerd", "1")
    dead.died(-11, 0)
    shown, gone = status.processes([up, dead], seconds(2.5))
    assert (shown.name, shown.pid, shown.state, shown.up_s, shown.reasons) == ("plcd-line1", 42, "up", 2.5, ["no peer"])
    assert (gone.pid, gone.state, gone.up_s, gone.health, gone.last_end) == (0, "back-off", 0.0, None, "killed by SIGSEGV")


def test_sources_tell_when_a_camera_is_at_its_end() -> None:
    lives = [running("ingestd", "a", done=True, counters={"offered": 9.0}), running("workerd", "1")]
    assert status.sources(lives) == {"a": status.SourceStatus(done=True, counters={"offered": 9.0})}


def test_the_run_and_seq_of_triggers_that_a_plc_gives_are_those_of_plcd() -> None:
    numbers = {"station.a.run": 3.0, "station.a.seq": 17.0, "station.b.seq": 1.0, "station.a.delivered": 9.0}
    lives = [running("plcd", "line1", counters=numbers), running("ingestd", "a", counters={"offered": 0.0})]
    assert status.sources(lives)["a"].counters == {"offered": 0.0, "run": 3.0, "seq": 17.0}
