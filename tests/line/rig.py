"""A line in a test's own folder: made parts, a calibrated state, a daemon, a PLC peer, and kills."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspectd import image
from inspectd.bench.rig import Daemon
from inspectd.bench.settled import settled
from inspectd.demo import tally
from inspectd.demo.main import row_of
from inspectd.demo.peer import PlcPeer, Result
from inspectd.errors import DaemonError
from inspectd.journal.reader import Part, Reader
from inspectd.station.state import StateDir
from tests.support import until

STATION = "flange"
FILE = """\
station: flange
camera: {{kind: folder, path: ../line, rate: {rate}, loop: {loop}}}
deadline_ms: {deadline_ms}
trigger: {trigger}
plc: {{name: plc, block: 0}}
keep: {{pictures: all}}
method: {{backbone: lite0, layers: [4], input_px: 64, bank: 200}}
{more}
"""
LINE = """\
workers: {{count: {workers}, threads: 1, cores: shared}}  # other tests run lines beside it
plcs:
  plc: {{protocol: modbus_tcp, address: "127.0.0.1:{port}"}}
"""
SCAN_MS = 10.0  # of the PLC peer, as of a usual PLC; a thousand requests a second would take half a core from the tests beside
ASK_S = 0.05  # between two questions to the supervisor: each costs the line's cores a millisecond


class Rig:
    """One line; `settings` fill the station file and line.yaml."""

    def __init__(self, folder: Path, parts: Path, run_dir: Path, port: int, count: int = 40, **settings: Any) -> None:
        self.folder, self.port = folder, port
        self.state = StateDir(folder / "state")
        self.config = folder / "stations"
        self.config.mkdir()
        (folder / "line").mkdir()
        files = [f for kind in sorted((parts / "test").iterdir()) for f in image.pictures_in(kind)]
        for number in range(count):
            file = files[number % len(files)]
            (folder / "line" / f"{number:04d}-{file.parent.name}.png").symlink_to(file)
        values = {"rate": 20, "loop": "false", "deadline_ms": 8000, "workers": 1, "trigger": "camera", "more": "", **settings}
        (self.config / "flange.yaml").write_text(FILE.format(**values))
        (self.config / "line.yaml").write_text(LINE.format(port=port, **values))
        self.daemon = Daemon(self.config, self.state.root, run_dir, folder / "log")
        self.peer: PlcPeer | None = None
        self.results: list[Result] = []

    def start(self, peer: bool = True) -> None:
        """Start the daemon, and the PLC peer before it: the first result must find it there."""
        if peer:
            self.peer = PlcPeer(STATION, f"127.0.0.1:{self.port}", 0, SCAN_MS)
        self.daemon.start()

    def status(self) -> dict[str, Any] | None:
        """Return what the supervisor says; None while it does not answer."""
        try:
            return self.daemon.status()
        except DaemonError:
            return None

    def wait(self, condition: Callable[[dict[str, Any]], bool], timeout: float = 40) -> dict[str, Any]:
        """Wait until the status fulfils a condition."""

        def met() -> dict[str, Any] | None:
            status = self.status()
            return status if status and condition(status) else None

        found = until(met, timeout, "a condition on the status", ASK_S)
        assert found is not None
        return found

    def opened(self, status: dict[str, Any]) -> int:
        """Count the keys that dispatch opened."""
        return int(status["ledger"][STATION].get("triggers", 0))

    def kill(self, name: str) -> None:
        """Kill a process of the line with SIGKILL and wait until another one has taken its place."""
        before = self._pid(name)
        assert before
        os.kill(before, signal.SIGKILL)
        until(lambda: self._pid(name) not in (0, before), 20, f"{name} started anew", ASK_S)

    def _pid(self, name: str) -> int:
        status = self.status() or {"processes": []}
        return next((int(p["pid"]) for p in status["processes"] if p["name"] == name), 0)

    def finish(self) -> tuple[dict[str, Any], list[Part]]:
        """Wait until every part of the folder is settled, stop the line cleanly, and return the last status and all rows."""
        status = self.wait(lambda status: settled(status, STATION))
        if self.peer:
            self.results = self.peer.stop()
        assert self.daemon.stop() == 0
        return status, list(Reader(self.state).parts(station=STATION))

    def check(self, status: dict[str, Any], parts: list[Part]) -> tally.Check:
        """Hold what ingestd, dispatchd, journald and the PLC peer counted against each other."""
        rows = [row_of(part) for part in parts]
        offered = int(status["sources"][STATION]["counters"]["offered"])
        return tally.check(offered, self.opened(status), rows, [result.read for result in self.results])

    def close(self) -> None:
        """Leave nothing behind."""
        if self.peer:
            self.peer.__exit__(None, None, None)
        self.daemon.kill()
