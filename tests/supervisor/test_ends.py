"""How the daemon ends: by signals, with children that obey and children that do not."""

import os
import signal

import pytest

from tests.supervisor.conftest import ALL, Start
from tests.support import until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_all_in_stop_order_with_0(daemon: Start, number: signal.Signals) -> None:
    line = daemon().ready()
    assert line.stop(number) == 0
    stopped = [event["name"] for event in line.events("stop")]
    assert stopped[:2] == ["ingestd-cell", "dispatchd"]
    assert set(stopped[2:4]) == {"workerd-1", "plcd-line1"}
    assert stopped[4:] == ["journald"]
    assert [e["name"] for e in line.log("process ended")][-1] == "journald"


def test_ctrl_c_in_a_terminal_reaches_the_supervisor_alone(daemon: Start) -> None:
    line = daemon().ready()
    os.killpg(line.pid, signal.SIGINT)
    assert line.process.wait(30) == 0
    assert len(line.events("stop")) == len(ALL)
    assert all(e["how"] == "exit code 0" for e in line.log("process ended"))


def test_ctrl_c_while_children_start_still_ends_well(daemon: Start) -> None:
    patient = {"stop_s": 30}  # a busy machine takes longer to start a child than a child may take to stop
    line = daemon(**dict.fromkeys(("journald", "dispatchd", "workerd", "plcd", "ingestd"), patient))
    until(lambda: line.log("started"), 20)
    os.killpg(line.pid, signal.SIGINT)
    assert line.process.wait(30) == 0


def test_a_deaf_child_is_killed_at_its_limit_and_the_end_is_not_clean(daemon: Start) -> None:
    line = daemon(ingestd={"main": "deaf", "stop_s": 0.3}).ready()
    assert line.stop() == 1
    assert [k["name"] for k in line.log("killing")] == ["ingestd-cell"]
    assert {e["name"] for e in line.events("stop")} == set(ALL) - {"ingestd-cell"}


def test_a_child_that_ends_badly_when_stopped_makes_the_end_unclean(daemon: Start) -> None:
    line = daemon(journald={"main": "fail_at_end"}).ready()
    assert line.stop() == 1


def test_a_second_signal_hurries_without_skipping_the_ledger(daemon: Start) -> None:
    line = daemon(ingestd={"main": "deaf", "stop_s": 600, "hurry_s": 0.2}).ready()
    line.process.send_signal(signal.SIGTERM)
    until(lambda: line.events("ignored", "ingestd-cell"), 10)
    until(lambda: line.events("close_intake", "plcd-line1"), 10)  # a PLC numbers no more triggers while others stop
    assert line.events("stop") == []
    until(lambda: line.process.send_signal(signal.SIGTERM) or line.events("stop", "dispatchd"), 30)
    assert line.process.wait(30) == 1
    hurried = {e["name"]: e["args"] for e in line.events("stop")}
    assert hurried["dispatchd"] == hurried["journald"] == {"hurry": "yes"}


def test_a_ledger_that_was_down_when_its_turn_came_is_no_clean_end(daemon: Start) -> None:
    line = daemon(dispatchd={"main": "crash", "restart": {"first_s": 60}})
    until(lambda: line.log("process ended"), 20)
    until(lambda: len(line.events("begun")) == len(ALL), 20)
    assert line.stop() == 1
