"""A line in a folder of its own, run as a user runs it: `inspectd run` in a process, spoken to over its own channels."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspectd import clock
from inspectd.errors import DaemonError
from inspectd.supervisor import control
from inspectd.wire.messages import Command

START_S = 60.0
STOP_S = 90.0


@dataclass
class Daemon:
    """`inspectd run` on a configuration, a state directory and a run directory."""

    config: Path
    state: Path
    run_dir: Path
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the daemon and wait until its stations are ready; DaemonError with the end of its log if it is not."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us must not leave a line behind
        command = [sys.executable, "-m", "inspectd", "run", "--config", str(self.config)]
        command += ["--state", str(self.state), "--run-dir", str(self.run_dir)]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 (our own)
        end = clock.now_ns() + int(START_S * 1e9)
        while clock.now_ns() < end:
            if self._process.poll() is not None:
                raise DaemonError(f"inspectd run ended with {self._process.returncode}:\n{self._last_lines()}")
            if self._ready():
                return
            clock.sleep(0.05)
        self.kill()
        raise DaemonError(f"inspectd run was not ready in {START_S:.0f} s:\n{self._last_lines()}")

    def _ready(self) -> bool:
        try:
            status = self.status()
        except DaemonError:
            return False
        return bool(status["ready"]) and all(station["ready"] for station in status["stations"].values())

    def status(self) -> dict[str, Any]:
        """Return what `inspectd status --json` says."""
        reply = control.ask(self.run_dir, Command(what="status", who="rig", args={}), timeout_ms=2_000)
        status: dict[str, Any] = json.loads(reply.data)
        return status

    def stop(self) -> int:
        """Send SIGTERM and wait for the clean end; returns the exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise DaemonError(f"inspectd run did not stop in {STOP_S:.0f} s:\n{self._last_lines()}") from None

    def kill_supervisor(self) -> None:
        """Send SIGKILL to the supervisor alone; its children end by themselves."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """Kill the daemon and its children, whatever they do."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
