"""The daemon with real processes and real signals."""

import contextlib
import os
import signal
import socket
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from inspectd.errors import DaemonError
from inspectd.supervisor import cores, supervise
from inspectd.supervisor.health import Metrics
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import Command, Reply
from inspectd.wire.sockets import Hub
from tests.supervisor import daemon as driver
from tests.supervisor.conftest import ALL, Start, alive
from tests.support import receive, send, until

pytestmark = pytest.mark.slow


# --- starting ---------------------------------------------------------------------------------------------------------


def test_every_process_of_the_table_runs_under_its_own_name(daemon: Start, run_dir: Path) -> None:
    """The run directory stands behind it, so that `ps` tells two lines on one host apart."""
    line = daemon().ready()
    processes = line.status().processes
    assert [p.name for p in processes] == ALL
    assert [psutil.Process(p.pid).cmdline()[0] for p in processes] == [f"{name} {run_dir}" for name in ALL]
    assert psutil.Process(line.pid).cmdline()[0] == f"supervisord {run_dir}"


def test_every_process_keeps_to_its_cores(daemon: Start) -> None:
    line = daemon(line={"threads": 1}).ready()
    there = cores.divide(os.sched_getaffinity(0), driver.config(threads=1).line.workers)
    of = {process.name: os.sched_getaffinity(process.pid) for process in line.status().processes}
    assert of.pop("workerd-1") == there.of_workers[0]
    assert {frozenset(own) for own in [*of.values(), os.sched_getaffinity(line.pid)]} == {there.of_others}


def test_children_do_not_import_the_parents_main(daemon: Start) -> None:
    """A child holds the supervisor's command line only if spawn ran it again; then it would have started a second daemon."""
    line = daemon().ready()
    assert line.stop() == 0
    assert len(line.log("started")) == 1
    assert len(line.events("begun")) == len(ALL)


def test_a_second_daemon_is_refused_with_the_pid_of_the_first(daemon: Start, tmp_path: Path, run_dir: Path) -> None:
    first = daemon().ready()
    with pytest.raises(DaemonError, match=f"pid {first.pid}"):
        supervise.run(driver.config(), tmp_path, run_dir, driver.table({}))
    assert first.status().ready


def test_a_lock_left_by_kill_9_does_not_block(daemon: Start, run_dir: Path) -> None:
    first = daemon().ready()
    first.process.kill()
    first.process.wait()
    assert (run_dir / "lock").exists()
    assert daemon().ready().stop() == 0


# --- deaths -----------------------------------------------------------------------------------------------------------


def test_a_killed_child_comes_back_each_time_after_a_longer_pause(daemon: Start) -> None:
    line, name = daemon().ready(), "journald"
    for number, pause_s in enumerate((0.2, 0.4, 0.8), start=1):
        pid, killed_ns = line.of(name).pid, time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        begun = until(lambda n=number: line.events("begun", name)[n:], 10, "it begins again")
        assert begun[0]["t_ns"] - killed_ns >= pause_s * 1e9
        until(lambda n=number: line.of(name).state == "up", 10)
    until(lambda: line.status().ready, 10)
    assert line.of(name).restarts == 3
    assert line.of(name).last_end == "killed by SIGKILL"


def test_a_workers_death_is_told_to_dispatch_at_once(daemon: Start) -> None:
    line = daemon(line={"workers": 2}).ready()
    os.kill(line.of("workerd-2").pid, signal.SIGKILL)
    told = until(lambda: line.events("worker_died", "dispatchd"), 10)
    assert told[0]["args"] == {"name": "workerd-2"}


def test_a_child_that_dies_at_once_backs_off_while_the_supervisor_answers(daemon: Start) -> None:
    line = daemon(ingestd={"main": "crash", "restart": {"first_s": 0.05, "most_s": 0.1}})
    until(lambda: len(line.events("begun", "ingestd-cell")) >= 5, 30)
    status = until(lambda: (s := line.status()) and any("ingestd-cell: died" in r for r in s.health.reasons) and s, 20)
    assert status.health.state is HealthState.FAULT
    assert status.ready is False
    assert {p.name for p in status.processes if p.state == "up"} == set(ALL) - {"ingestd-cell"}
    assert line.stop() == 0


def test_what_escapes_a_main_is_one_log_line_with_its_exit_code(daemon: Start) -> None:
    line = daemon(ingestd={"main": "crash"}, workerd={"main": "give_up"})
    crash = until(lambda: line.log("process crashed"), 20)[0]
    assert crash["process"] == "ingestd-cell"
    assert crash["exception"][0]["exc_value"] == "born to fail"
    given_up = until(lambda: line.log("process gave up"), 20)[0]
    assert (given_up["process"], given_up["error"], given_up["text"]) == (
        "workerd-1",
        "CameraError",
        "camera 7 does not answer",
    )
    assert until(lambda: line.log("process ended"), 20)[0]["how"] == "exit code 1"


def test_a_hung_child_is_killed_and_restarted(daemon: Start) -> None:
    line = daemon(workerd={"main": "hang", "silent_s": 0.5})
    until(lambda: len(line.events("begun", "workerd-1")) >= 2, 30)
    killed = line.log("killing")[0]
    assert (killed["name"], killed["why"]) == ("workerd-1", "no Health")
    assert {k["name"] for k in line.log("killing")} == {"workerd-1"}


def test_children_go_when_the_supervisor_is_killed_and_plcd_writes_its_safe_state_first(daemon: Start) -> None:
    line = daemon().ready()
    pids = [p.pid for p in line.status().processes]
    line.process.kill()
    until(lambda: not any(alive(pid) for pid in pids), 5)
    assert [e["name"] for e in line.events("safe state")] == ["plcd-line1"]


def test_a_supervisor_that_was_paused_does_not_take_its_children_for_hung(daemon: Start) -> None:
    line = daemon(workerd={"silent_s": 1.5}, ingestd={"silent_s": 1.5}).ready()
    pids = {p.name: p.pid for p in line.status().processes}
    everybody = [psutil.Process(pid) for pid in (*pids.values(), line.pid)]
    for process in everybody:
        process.suspend()
    resume = time.monotonic() + 2.5
    until(lambda: time.monotonic() > resume)  # the pause itself is what is tested
    for process in everybody:
        process.resume()
    until(lambda: line.log("supervisor did not run"), 10)
    until(lambda: line.status().ready, 10)
    assert {p.name: p.pid for p in line.status().processes} == pids


# --- commands ---------------------------------------------------------------------------------------------------------


def test_status_tells_of_processes_channels_ledger_and_sources(daemon: Start) -> None:
    line = daemon().ready()
    # a report counts the messages before it, so the first one counts none
    status = until(lambda: (s := line.status()).channels["orders"]["workerd-1"]["sent"] and s, 10)
    assert (status.health.state, status.health.reasons) == (HealthState.OK, [])
    assert status.ledger == {"cell": {"triggers": 3, "pass": 2}}
    assert status.outcomes == {"cell": {"delivered": 2}}
    assert status.dispatch == {"in_flight": 1}
    assert status.sources["cell"].counters == {"turns": 1}
    assert status.channels["orders"]["supervisord"]["received"] > 0


def test_status_answers_while_a_child_restarts(daemon: Start) -> None:
    line = daemon(dispatchd={"restart": {"first_s": 2}}).ready()
    os.kill(line.of("dispatchd").pid, signal.SIGKILL)
    status = until(lambda: (s := line.status()).processes[1].state == "back-off" and s, 10)
    assert status.health.state is HealthState.FAULT
    assert status.ledger == {"cell": {}}
    until(lambda: line.status().ready, 20)


def test_commands_are_carried_out_and_noted_in_the_journal(daemon: Start) -> None:
    line = daemon().ready()
    assert line.ask("trigger", station="cell").text == "shoot by ingestd-cell"
    assert line.ask("trigger", station="nowhere").ok is False
    assert line.ask("dance").ok is False
    notes = until(lambda: (n := line.events("note", "dispatchd")) and len(n) == 3 and n, 10)
    assert [(n["args"]["who"], n["args"]["what"], n["args"]["ok"]) for n in notes] == [
        ("test", "trigger", "true"), ("test", "trigger", "false"), ("test", "dance", "false"),
    ]  # fmt: skip


def test_a_note_waits_for_a_dispatch_that_is_down(daemon: Start) -> None:
    line = daemon(dispatchd={"restart": {"first_s": 1}}).ready()
    os.kill(line.of("dispatchd").pid, signal.SIGKILL)
    until(lambda: line.of("dispatchd").state == "back-off", 10)
    assert line.ask("dance").ok is False
    assert until(lambda: line.events("note", "dispatchd"), 20)[0]["args"]["what"] == "dance"


def test_the_command_stop_stops(daemon: Start) -> None:
    line = daemon().ready()
    assert line.ask("stop").ok
    assert line.process.wait(30) == 0


def test_a_command_whose_process_dies_gets_its_answer(daemon: Start) -> None:
    line = daemon(ingestd={"main": "mute_order"}).ready()
    with Hub(line.run_dir) as hub:
        port = hub.connect("control")
        send(port, Command(what="trigger", who="test", args={"station": "cell"}))
        until(lambda: line.events("ignored", "ingestd-cell"), 10)
        os.kill(line.of("ingestd-cell").pid, signal.SIGKILL)
        assert receive(port, 10).message == Reply(ok=False, text="ingestd-cell died before it answered")


# --- the service manager, metrics -------------------------------------------------------------------------------------


def test_the_service_manager_hears_ready_alive_and_stopping(daemon: Start, run_dir: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(run_dir / "notify"))
        line = daemon({"NOTIFY_SOCKET": str(run_dir / "notify"), "WATCHDOG_USEC": "200000"})
        _hear(manager, "READY=1")
        assert line.status().ready
        _hear(manager, "WATCHDOG=1")
        (tmp_path / "mute").touch()  # dispatch beats no more
        until(lambda: any("no beat" in r for r in line.status().health.reasons), 10)
        _hear_rest(manager)
        assert "WATCHDOG=1" not in _hear_rest(manager)
        (tmp_path / "mute").unlink()
        _hear(manager, "WATCHDOG=1")
        line.process.send_signal(signal.SIGTERM)
        assert "EXTEND_TIMEOUT_USEC=" in _hear(manager, "STOPPING=1")
        assert line.process.wait(30) == 0


def test_metrics_are_served_where_line_yaml_says(daemon: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    daemon(line={"metrics": f"127.0.0.1:{port}"}).ready()
    well = ('inspectd_process_up{process="workerd-1"} 1.0', "inspectd_health 0.0")  # a busy machine is DEGRADED for a moment
    text = until(lambda: (t := _get(port)) and all(said in t for said in well) and t, 20)
    assert 'inspectd_verdicts_total{station="cell",verdict="pass"} 2.0' in text
    assert 'inspectd_line_outcomes_total{outcome="delivered",station="cell"} 2.0' in text


def test_a_metrics_port_in_use_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(DaemonError, match=address):
            Metrics().serve(address)


def _hear(manager: socket.socket, wanted: str) -> str:
    """Read messages until one begins as wanted."""
    manager.settimeout(20)
    while not (text := manager.recv(4096).decode()).startswith(wanted):
        pass
    return text


def _hear_rest(manager: socket.socket) -> list[str]:
    """Read messages until there is none for five watchdog periods."""
    manager.settimeout(0.5)
    heard: list[str] = []
    with contextlib.suppress(TimeoutError):
        while True:
            heard.append(manager.recv(4096).decode())
    return heard


def _get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()
