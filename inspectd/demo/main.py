"""`inspectd demo`: calibrate a station on real cells, run the line, read the verdicts as a PLC does, and check the ledger.

Every step is what a user would type; the demo adds the pictures, the PLC peer and the arithmetic at the end.
"""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from inspectd import clock
from inspectd.bench.rig import Daemon
from inspectd.bench.settled import settled
from inspectd.demo import cells, figures, folder, sheet, tally
from inspectd.demo.kills import Kills
from inspectd.demo.peer import PlcPeer, Result
from inspectd.demo.terminal import Terminal
from inspectd.errors import BadInput, DaemonError
from inspectd.journal.reader import Part, Reader
from inspectd.station import load
from inspectd.station.schema import Config, Station
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


@dataclass(frozen=True)
class Prepared:
    """What stands when the line may start."""

    station: Station
    block: int  # of registers at the PLC
    address: str  # where the PLC finds them
    victims: tuple[str, ...]  # of --chaos
    threshold: float
    truth: Mapping[str, bool]  # part id -> defective?


class Demo:
    """One run in one folder."""

    def __init__(self, options: Options, terminal: Terminal) -> None:
        self._options, self._terminal = options, terminal
        self._dir = options.directory.resolve()
        self._state = StateDir(self._dir / "state")
        self._config_dir = self._dir / "stations"

    def run(self, calibrate: Calibrate) -> int:
        """Run everything; 0 if the ledger closes."""
        folder.clear(self._dir)
        line = self._prepare(self._pictures(), calibrate)
        kills = Kills(line.victims if self._options.chaos else (), STATION, len(line.truth))
        daemon = Daemon(self._config_dir, self._state.root, self._run_dir(), self._dir / "inspectd.log")
        try:
            status, results = self._stream(daemon, line, kills)
            code = daemon.stop()
        finally:
            daemon.kill()
        if code:
            raise DaemonError(f"inspectd run ended with exit code {code}, expected 0; see {daemon.log}")
        closes = self._report(status, results, line)
        kills.need_all()
        return 0 if closes else 1

    # --- before ------------------------------------------------------------------------------------------------------

    def _pictures(self) -> Mapping[str, bool]:
        """Unpack cells by the station's seed; returns which parts of the line are defective."""
        seed = folder.configure(self._dir, self._options.config, STATION, self._options.seed)
        self._terminal.say(f"unpacking {cells.KIND}-crystalline solar cells of ELPV (CC BY-NC-SA 4.0), seed {seed}")
        return cells.unpack(self._dir, seed, self._options.parts).truth

    def _prepare(self, truth: Mapping[str, bool], calibrate: Calibrate) -> Prepared:
        """Calibrate the station, and find out how to reach it."""
        config = load.load(self._config_dir)
        station = config.stations[STATION]
        if station.plc is None:
            raise BadInput(f"{STATION}.yaml: expected `plc:`, got none; the demo reads the verdicts as a PLC does: add it")
        calibrate(config, STATION, self._dir / "good", self._state)
        current = self._state.read_current(STATION)
        assert current is not None  # what calibrates activates
        return Prepared(
            station=station, block=station.plc.block, address=config.line.plcs[station.plc.name].address,
            victims=("workerd-1", "dispatchd", f"plcd-{station.plc.name}"), threshold=current.threshold, truth=truth,
        )  # fmt: skip

    def _run_dir(self) -> Path:
        run = self._dir / "run"
        if len(str(run)) > 80:  # socket paths end at 107 bytes
            run = Path(f"/tmp/inspectd-demo-{os.getpid()}")  # noqa: S108 (mode 0700, made by the daemon)
        return run

    # --- while parts pass ----------------------------------------------------------------------------------------------

    def _stream(self, daemon: Daemon, line: Prepared, kills: Kills) -> tuple[dict[str, Any], list[Result]]:
        """Show parts as the PLC peer reads them, until the source is at its end and nothing is outstanding."""
        with PlcPeer(STATION, line.address, line.block) as peer:  # there before the first result
            self._terminal.say("starting the line: inspectd run")
            daemon.start()
            shown, last_ns, status = 0, clock.now_ns(), None
            while not (status and settled(status, STATION)):
                clock.sleep(0.05)
                status = self._status(daemon)
                if status and (struck := kills.strike(status)):
                    self._terminal.say(struck, warn=True)
                if peer.new():
                    last_ns = clock.now_ns()
                    shown = self._show(peer.results, shown, line)
                if clock.now_ns() - last_ns > QUIET_S * 1e9:
                    raise DaemonError(f"no result for {QUIET_S:.0f} s while parts are outstanding; see {daemon.log}")
            results = peer.stop()
            self._show(results, shown, line)
            return status, results

    def _show(self, results: list[Result], shown: int, line: Prepared) -> int:
        """Print the results that were not printed before; returns how many have been now."""
        for number, result in enumerate(results[shown:], start=shown + 1):
            self._terminal.part(result, number, len(line.truth), line.threshold)
        return len(results)

    @staticmethod
    def _status(daemon: Daemon) -> dict[str, Any] | None:
        """Ask for the status; None while nobody answers, as after a kill."""
        try:
            return daemon.status()
        except DaemonError:
            return None

    # --- after ------------------------------------------------------------------------------------------------------------

    def _report(self, status: dict[str, Any], results: list[Result], line: Prepared) -> bool:
        """Draw the sheet, print the figures, and tell whether the ledger closes."""
        rows = rows_of(self._state, STATION, line.truth)
        reads = [result.read for result in results]
        offered = int(status["sources"][STATION]["counters"]["offered"])
        opened = int(status["ledger"][STATION].get("triggers", 0))
        check = tally.check(offered, opened, rows, reads)
        picture = self._dir / "contact-sheet.png"
        sheet.draw(picture, self._state, figures.worst_first(rows))
        self._terminal.verdicts(rows)
        self._terminal.accuracy(rows, line.threshold)
        self._terminal.latencies(figures.latencies_ms(rows, reads), check.verdicts_read)
        self._say_if_late(rows, line.station)
        self._terminal.ledger(check)
        self._terminal.where(picture, self._dir)
        (self._dir / "result.json").write_bytes(msgspec.json.format(msgspec.json.encode(check)))
        return check.closes

    def _say_if_late(self, rows: list[tally.Row], station: Station) -> None:
        found = figures.lateness(rows)
        if found and self._options.chaos:
            self._terminal.late_after_kills(found, len(rows))
        elif found:
            self._terminal.slow(found, len(rows), station, self._options.config / f"{STATION}.yaml")


def rows_of(state: StateDir, station: str, truth: Mapping[str, bool]) -> list[tally.Row]:
    """Read what the journal says of a station's parts, and note which of them are defective."""
    return [row_of(part, truth.get(part.part_id or "")) for part in Reader(state).parts(station=station)]


def row_of(part: Part, defective: bool | None = None) -> tally.Row:
    """What the demo needs of a journal row."""
    return tally.Row(
        key=str(part.key),
        part_id=part.part_id or "",
        verdict=part.verdict or "",
        score=_figure(part.score),
        outcome=part.outcome or "",
        trigger_ns=part.trigger_ns or 0,
        reason=part.reason_name or "",
        threshold=_figure(part.threshold),
        answered_ms=_figure(part.scored_ms) if part.late_ms is None else _figure(part.closed_ms) + part.late_ms,
        defective=defective,
    )


def _figure(value: float | None) -> float:
    return math.nan if value is None else value
