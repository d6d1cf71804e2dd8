"""The door into every child, without a supervisor around it."""

import json
import multiprocessing
import signal
import sys
from pathlib import Path

import pytest

from inspectd.station.state import StateDir
from inspectd.supervisor import launch
from inspectd.supervisor.launch import Launched
from inspectd.wire.child import Seat
from inspectd.wire.sockets import Hub
from tests.supervisor.daemon import config
from tests.supervisor.lives import row
from tests.support import receive, until

pytestmark = pytest.mark.slow


def seat(state: StateDir, run_dir: Path) -> Seat:
    return Seat("plcd-line1", "line1", config(), state.root, run_dir)


def events(state: StateDir) -> list[str]:
    return [json.loads(line)["what"] for line in (state.root / "events").read_text().splitlines()]


def test_a_supervisor_that_fails_sends_its_children_what_the_kernel_would_send(state: StateDir, run_dir: Path) -> None:
    with Hub(run_dir) as hub:
        port = hub.bind("orders")
        child = Launched(row("plcd", "line1", main="tests.supervisor.mains:plc"), seat(state, run_dir))
        receive(port, 20)
        child.orphan()
        child.release()
    assert events(state) == ["begun", "safe state"]


def test_a_child_that_does_not_go_is_killed(state: StateDir, run_dir: Path) -> None:
    with Hub(run_dir) as hub:
        port = hub.bind("orders")
        child = Launched(
            row("plcd", "line1", main="tests.supervisor.mains:deaf", orphaned=signal.SIGTERM), seat(state, run_dir)
        )
        receive(port, 20)
        child.orphan()  # children ignore SIGTERM
        assert child.exit_code() is None
        child.release()
    assert events(state) == ["begun"]


def test_the_descriptor_of_a_child_wakes_a_poller_when_it_ends(state: StateDir, run_dir: Path) -> None:
    with Hub(run_dir) as hub:
        child = Launched(row("plcd", "line1", main="tests.supervisor.mains:crash"), seat(state, run_dir))
        hub.watch_fd(child.sentinel)
        assert hub.wait(20_000) == {child.sentinel}
        assert until(child.exit_code) == 1
        hub.unwatch_fd(child.sentinel)
        child.release()


def test_a_child_whose_supervisor_has_died_meanwhile_does_not_begin(state: StateDir, run_dir: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=launch._enter, args=(row("plcd", "line1", main="tests.supervisor.mains:plc"), seat(state, run_dir), set(), 1)
    )
    process.start()
    process.join(20)
    assert process.exitcode == launch._ORPHAN
    assert not (state.root / "events").exists()
    process.close()


def test_starting_a_child_leaves_the_parent_as_it_was(state: StateDir, run_dir: Path) -> None:
    before, mask = sys.modules["__main__"], signal.pthread_sigmask(signal.SIG_BLOCK, [])
    child = Launched(row("plcd", "line1", main="tests.supervisor.mains:crash"), seat(state, run_dir))
    assert sys.modules["__main__"] is before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    child.release()
