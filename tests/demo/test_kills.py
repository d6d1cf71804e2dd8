"""`--chaos` kills what it planned, while parts pass, or the demo fails."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from inspectd.demo.kills import Kills
from inspectd.errors import InspectdError


@pytest.fixture
def victim() -> Iterator[subprocess.Popen]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def status(offered: int, pid: int = 0, done: bool = False) -> dict:
    return {
        "sources": {"cell": {"done": done, "counters": {"offered": offered} if offered else {}}},
        "processes": [{"name": "dispatchd", "pid": pid}],
    }


def test_a_kill_comes_by_the_triggers_whatever_was_read_of_them(victim):
    """Half of the parts have come and no result was ever read: the process dies all the same, by SIGKILL, once."""
    kills = Kills(["dispatchd"], "cell", parts=10)
    assert kills.strike(status(0, victim.pid)) == ""
    assert kills.strike(status(4, victim.pid)) == ""
    assert kills.strike(status(5, victim.pid)) == f"kill -9 dispatchd (pid {victim.pid}) after 5 triggers"
    assert victim.wait(10) == -9
    assert kills.strike(status(9, victim.pid)) == ""
    kills.need_all()


def test_a_process_that_is_just_away_is_killed_when_it_is_back(victim):
    """Its turn is not lost while the supervisor starts it anew, nor when it ended since the status was made."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(10)
    kills = Kills(["dispatchd"], "cell", parts=10)
    assert kills.strike(status(6)) == ""
    assert kills.strike(status(7, gone.pid)) == ""
    assert kills.strike(status(8, victim.pid)).startswith("kill -9")
    kills.need_all()


def test_a_run_that_ended_before_its_kills_fails_and_names_them(victim):
    """Once the source is done no part passes: nothing is killed any more, and the run has not shown what it was to show."""
    kills = Kills(["workerd-1", "dispatchd"], "cell", parts=9)
    assert kills.strike(status(9, victim.pid, done=True)) == ""
    with pytest.raises(InspectdError, match=r"expected 2 kills.*2 did not happen: workerd-1 .*dispatchd \(after 6") as error:
        kills.need_all()
    assert error.value.exit_code == 1
    assert victim.poll() is None


def test_without_kills_nothing_is_needed():
    """The plain demo plans none."""
    kills = Kills((), "cell", parts=9)
    assert kills.strike(status(9)) == ""
    kills.need_all()
