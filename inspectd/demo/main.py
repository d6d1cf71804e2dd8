"""`inspectd demo`: calibrate a station on real cells, run the line, read the verdicts as a PLC does, and check the ledger.

Every step is what a user would type; the demo adds the pictures, the PLC peer and the arithmetic at the end.
"""

import math
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from inspectd import clock
from inspectd.bench.rig import Daemon
from inspectd.bench.settled import settled
from inspectd.demo import cells, sheet, tally
from inspectd.demo.peer import PlcPeer, Result
from inspectd.demo.terminal import Terminal
from inspectd.errors import BadInput, DaemonError
from inspectd.journal.reader import Part, Reader
from inspectd.station import load
from inspectd.station.schema import Config
from inspectd.station.state import StateDir

STATION = "solar-cell"
QUIET_S = 30.0  # nothing read for so long while parts are outstanding: something is stuck
Calibrate = Callable[[Config, str, Path, StateDir], None]


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    directory: Path
    config: Path
    seed: int | None = None
    parts: int | None = None  # at most so many on the line; None: all
    chaos: bool = False  # kill -9 a worker, dispatch and plcd while parts pass
    kind: str = "mono"


class Demo:
    """One run in one folder."""

    def __init__(self, options: Options, terminal: Terminal) -> None:
        self._options, self._terminal = options, terminal
        self._dir = options.directory.resolve()
        self._state = StateDir(self._dir / "state")
        self._config_dir = self._dir / "stations"

    def run(self, calibrate: Calibrate) -> int:
        """Run everything; 0 if the ledger closes."""
        self._clear()
        truth = self._pictures()
        config = load.load(self._config_dir)
        calibrate(config, STATION, self._dir / "good", self._state)
        daemon = Daemon(self._config_dir, self._state.root, self._run_dir(), self._dir / "inspectd.log")
        try:
            status, results = self._stream(daemon, config, len(truth))
            code = daemon.stop()
        finally:
            daemon.kill()
        if code:
            raise DaemonError(f"inspectd run ended with exit code {code}, expected 0; see {daemon.log}")
        return self._report(status, results, truth)

    # --- before ------------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        """Remove what an earlier demo left; refuse a folder that is not one's own."""
        marker = self._dir / ".inspectd-demo"
        if self._dir.exists() and any(self._dir.iterdir()) and not marker.exists():
            raise BadInput(f"{self._dir}: expected an empty folder or one of an earlier demo, got a folder with other files")
        for name in ("good", "line", "state", "stations", "run"):
            shutil.rmtree(self._dir / name, ignore_errors=True)
        self._dir.mkdir(parents=True, exist_ok=True)
        marker.touch()

    def _pictures(self) -> dict[str, bool]:
        """Copy the configuration, and unpack the cells by the station's seed."""
        source = self._options.config / f"{STATION}.yaml"
        if not source.is_file():
            raise BadInput(f"{source}: expected the demo's station file; run the demo in the folder that holds stations/")
        self._config_dir.mkdir(parents=True)
        for file in self._options.config.glob("*.yaml"):
            if file.name in ("line.yaml", source.name):
                shutil.copy(file, self._config_dir)
        (self._dir / "line").mkdir()
        if self._options.seed is not None:
            self._set_seed(self._config_dir / source.name, self._options.seed)
        seed = load.load(self._config_dir, cameras=False).stations[STATION].seed  # its pictures are not there yet
        self._terminal.say(f"unpacking {self._options.kind}-crystalline solar cells of ELPV (CC BY-NC-SA 4.0), seed {seed}")
        return cells.unpack(self._dir, seed, self._options.kind, self._options.parts).truth

    @staticmethod
    def _set_seed(file: Path, seed: int) -> None:
        lines = file.read_text(encoding="utf-8").splitlines()
        kept = [f"seed: {seed}" if line.startswith("seed:") else line for line in lines]
        file.write_text("\n".join(kept) + "\n", encoding="utf-8")

    def _run_dir(self) -> Path:
        run = self._dir / "run"
        if len(str(run)) > 80:  # socket paths end at 107 bytes
            run = Path(f"/tmp/inspectd-demo-{os.getpid()}")  # noqa: S108 (mode 0700, made by the daemon)
        return run

    # --- while parts pass ----------------------------------------------------------------------------------------------

    def _stream(self, daemon: Daemon, config: Config, parts: int) -> tuple[dict[str, Any], list[Result]]:
        """Show parts as the PLC peer reads them, until the source is at its end and nothing is outstanding."""
        plc = config.stations[STATION].plc
        assert plc is not None  # the demo's station file has one
        killings = [(parts // 4, "workerd-1"), (parts // 2, "dispatchd"), (3 * parts // 4, f"plcd-{plc.name}")]
        pending = killings if self._options.chaos else []
        last_ns = clock.now_ns()
        with PlcPeer(STATION, config.line.plcs[plc.name].address, plc.block) as peer:  # there before the first result
            self._terminal.say("starting the line: inspectd run")
            daemon.start()
            while True:
                for result in peer.new():
                    last_ns = clock.now_ns()
                    self._terminal.part(result, len(peer.results), parts)
                if pending and len(peer.results) >= pending[0][0]:
                    self._kill(daemon, pending.pop(0)[1])
                status = self._quiet_status(daemon)
                if status and settled(status, STATION):
                    return status, peer.stop()
                if clock.now_ns() - last_ns > QUIET_S * 1e9:
                    raise DaemonError(f"no result for {QUIET_S:.0f} s while parts are outstanding; see {daemon.log}")
                clock.sleep(0.05)

    @staticmethod
    def _quiet_status(daemon: Daemon) -> dict[str, Any] | None:
        try:
            return daemon.status()
        except DaemonError:
            return None

    def _kill(self, daemon: Daemon, name: str) -> None:
        pid = next((p["pid"] for p in daemon.status()["processes"] if p["name"] == name), 0)
        if pid:
            os.kill(pid, signal.SIGKILL)
            self._terminal.say(f"kill -9 {name} (pid {pid})", warn=True)

    # --- after ------------------------------------------------------------------------------------------------------------

    def _report(self, status: dict[str, Any], results: list[Result], truth: dict[str, bool]) -> int:
        rows = rows_of(self._state, STATION)
        reads = [result.read for result in results]
        offered = int(status["sources"][STATION]["counters"]["offered"])
        opened = int(status["ledger"][STATION].get("triggers", 0))
        check = tally.check(offered, opened, rows, reads)
        current = self._state.read_current(STATION)
        threshold = current.threshold if current else math.nan
        picture = self._dir / "contact-sheet.png"
        sheet.draw(picture, self._state, tally.worst_first(rows, truth, threshold), truth, threshold)
        self._terminal.summary(rows, truth, threshold, tally.latencies_ms(rows, reads))
        self._terminal.verdict(check, picture, self._dir)
        (self._dir / "result.json").write_bytes(msgspec.json.format(msgspec.json.encode(check)))
        return 0 if check.closes else 1


def rows_of(state: StateDir, station: str) -> list[tally.Row]:
    """Read what the journal says of a station's parts."""
    return [row_of(part) for part in Reader(state).parts(station=station)]


def row_of(part: Part) -> tally.Row:
    """What the tally needs of a journal row."""
    return tally.Row(
        key=str(part.key), part_id=part.part_id or "", verdict=part.verdict or "",
        score=math.nan if part.score is None else part.score, outcome=part.outcome or "", trigger_ns=part.trigger_ns or 0,
    )  # fmt: skip
