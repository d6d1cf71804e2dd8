"""sd_notify on a real datagram socket."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspectd.supervisor.notify import Notifier
from tests.supervisor.lives import seconds

PID = 77


class Manager:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(PID)}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, run_dir: Path) -> Iterator[Manager]:
    one = Manager(str(run_dir / "notify") if request.param == "path" else f"@{run_dir}")
    yield one
    one.socket.close()


def test_ready_is_said_once_when_the_line_is_ready(manager: Manager) -> None:
    notifier = Notifier(manager.environ, PID, 0)
    notifier.step(1, ready=False, beating=True, status="")
    assert manager.heard() == []
    notifier.step(2, ready=True, beating=True, status="")
    notifier.step(3, ready=True, beating=True, status="")
    assert manager.heard() == ["READY=1"]


def test_one_process_that_never_reports_does_not_hold_the_line_back_for_ever(manager: Manager) -> None:
    notifier = Notifier(manager.environ, PID, 0)
    notifier.step(seconds(60), ready=False, beating=True, status="")
    assert "READY=1" not in manager.heard()
    notifier.step(seconds(60) + 1, ready=False, beating=False, status="")
    assert "READY=1" not in manager.heard()
    notifier.step(seconds(60) + 2, ready=False, beating=True, status="")
    assert "READY=1" in manager.heard()


def test_alive_is_said_at_half_the_watchdogs_time_and_only_while_dispatch_beats(manager: Manager) -> None:
    notifier = Notifier(manager.environ, PID, 0)
    for tenth in range(1, 31):
        notifier.step(seconds(tenth / 10), ready=False, beating=True, status="")
    assert manager.heard() == ["WATCHDOG=1"] * 3
    for tenth in range(31, 61):
        notifier.step(seconds(tenth / 10), ready=False, beating=False, status="")
    assert manager.heard() == []


def test_while_stopping_the_line_is_alive_without_a_beat(manager: Manager) -> None:
    notifier = Notifier(manager.environ, PID, 0)
    notifier.stopping(55.25)
    notifier.step(seconds(1), ready=False, beating=False, status="")
    assert manager.heard() == ["STOPPING=1\nEXTEND_TIMEOUT_USEC=55250000", "WATCHDOG=1"]


def test_the_status_is_said_when_it_changed_and_at_most_once_a_second(manager: Manager) -> None:
    notifier = Notifier(manager.environ, PID, 0)
    for tenth, text in ((10, "a"), (11, "b"), (15, "b"), (20, "b"), (40, "b")):
        notifier.step(seconds(tenth / 10), ready=False, beating=False, status=text)
    assert manager.heard() == ["STATUS=a", "STATUS=b"]


def test_children_do_not_inherit_the_managers_variables(manager: Manager) -> None:
    Notifier(manager.environ, PID, 0)
    assert manager.environ == {}


def test_a_watchdog_meant_for_another_process_is_not_fed(manager: Manager) -> None:
    notifier = Notifier(manager.environ, PID + 1, 0)
    notifier.step(seconds(10), ready=False, beating=True, status="")
    assert manager.heard() == []


def test_without_a_service_manager_nothing_happens() -> None:
    Notifier({}, PID, 0).step(seconds(10), ready=True, beating=True, status="x")


def test_a_manager_that_has_gone_does_not_stop_the_line(run_dir: Path) -> None:
    one = Manager(str(run_dir / "gone"))
    notifier = Notifier(one.environ, PID, 0)
    one.socket.close()
    notifier.step(seconds(10), ready=True, beating=True, status="x")
