"""A daemon in a process of its own, and the proof that it leaves no orphan."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from inspectd.supervisor import control
from inspectd.supervisor.status import ProcessStatus, Status
from inspectd.wire.messages import Command, Reply
from tests.support import until

ROOT = Path(__file__).parents[2]
ALL = ["journald", "dispatchd", "workerd-1", "plcd-line1", "ingestd-cell"]


class Daemon:
    """One run of tests/supervisor/daemon.py."""

    def __init__(self, state_dir: Path, run_dir: Path, changes: dict[str, Any], environ: dict[str, str]) -> None:
        self.state_dir, self.run_dir = state_dir, run_dir
        self._log = (state_dir / "log").open("w+")
        command = [sys.executable, "-m", "tests.supervisor.daemon", str(state_dir), str(run_dir), json.dumps(changes)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environ, stderr=self._log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.pid = self.process.pid

    def events(self, what: str = "", name: str = "") -> list[dict[str, Any]]:
        """What the children wrote down, in order."""
        path = self.state_dir / "events"
        found = _written(path) if path.exists() else []
        return [e for e in found if what in ("", e["what"]) and name in ("", e["name"])]

    def log(self, event: str = "") -> list[dict[str, Any]]:
        """Every line that the daemon and its children logged; a line that is no JSON fails the test."""
        return [line for line in _written(self.state_dir / "log") if event in ("", line["event"])]

    def ask(self, what: str, **args: str) -> Reply:
        return control.ask(self.run_dir, Command(what=what, who="test", args=args), 10_000)

    def status(self) -> Status:
        return msgspec.json.decode(self.ask("status").data, type=Status)

    def of(self, name: str) -> ProcessStatus:
        return next(p for p in self.status().processes if p.name == name)

    def ready(self) -> "Daemon":
        until(lambda: control.lock.holder(self.run_dir) == self.pid, 20, "the daemon holds the lock")
        until(lambda: self.status().ready, 20, "the line is ready")
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()


Start = Callable[..., Daemon]


@pytest.fixture
def daemon(tmp_path: Path, run_dir: Path) -> Iterator[Callable[..., Daemon]]:
    """Start daemons with changed rows; at the end nothing that they started may live."""
    daemons: list[Daemon] = []

    def start(environ: dict[str, str] | None = None, /, **changes: Any) -> Daemon:
        daemons.append(Daemon(tmp_path, run_dir, changes, environ or {}))
        return daemons[-1]

    yield start
    for one in daemons:
        one.close()
    pids = {event["pid"] for one in daemons for event in one.events()}
    until(lambda: not any(alive(pid) for pid in pids), 5, "no orphan")


def alive(pid: int) -> bool:
    """A process of this pid runs (a zombie does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _written(file: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file that is still written to: without what has no line end yet."""
    whole, _, _rest = file.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]
