"""A daemon of its own process for tests: the real supervisor and the real TABLE 2, with mains and limits that a test names.

daemon.py STATE_DIR RUN_DIR CHANGES, where CHANGES is JSON: process name -> fields of Process to replace.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspectd.errors import InspectdError
from inspectd.station.schema import Camera, Config, Line, Plc, PlcBlock, Station, Workers
from inspectd.supervisor import supervise
from inspectd.supervisor.processes import TABLE_2, Process, Restart

MAINS = {"dispatchd": "dispatch", "plcd": "plc"}


def config(workers: int = 1, threads: int = 2, metrics: str | None = None) -> Config:
    """One station, one PLC connection."""
    line = Line(
        workers=Workers(count=workers, threads=threads), plcs={"line1": Plc("modbus_tcp", "127.0.0.1:5020")}, metrics=metrics
    )
    station = Station(station="cell", camera=Camera("folder", "parts"), deadline_ms=250.0, plc=PlcBlock("line1", 0))
    return Config(directory="", line=line, stations={"cell": station}, files={"cell": "cell.yaml"})


def table(changes: dict[str, dict[str, Any]]) -> list[Process]:
    """TABLE 2 with the tests' mains."""
    rows = []
    for process in TABLE_2:
        wanted = {"main": MAINS.get(process.name, "steady")} | changes.get(process.name, {})
        wanted["main"] = f"tests.supervisor.mains:{wanted['main']}"
        wanted["restart"] = Restart(**wanted.get("restart", {}))
        rows.append(replace(process, **wanted))
    return rows


if __name__ == "__main__":
    state_dir, run_dir, changes = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    line = changes.pop("line", {})
    try:
        code = supervise.run(config(**line), state_dir, run_dir, table(changes))
    except InspectdError as error:
        sys.stderr.write(f"error: {error}\n")
        code = error.exit_code
    sys.exit(code)
