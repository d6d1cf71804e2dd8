"""A plcd in a process of its own, as the supervisor would start it.

python -m tests.plc.serve RUN_DIR STATE_DIR ADDRESS TRIGGER
"""

import signal
import sys
from pathlib import Path

from inspectd import log
from inspectd.plc.plcd import main
from inspectd.station.schema import Camera, Config, Line, Plc, PlcBlock, Station
from inspectd.wire.child import Seat
from tests.plc.facts import STATION

BLOCK = 2


def seat(run_dir: Path, state_dir: Path, address: str, trigger: str) -> Seat:
    """One station with two products, on one PLC."""
    station = Station(
        station=STATION, camera=Camera(kind="folder", path="."), deadline_ms=200.0, trigger=trigger,  # type: ignore[arg-type]
        part_id="plc", products=("default", "blue"), plc=PlcBlock(name="line1", block=BLOCK),
    )  # fmt: skip
    line = Line(plcs={"line1": Plc(protocol="modbus_tcp", address=address)})
    config = Config(directory=".", line=line, stations={STATION: station}, files={STATION: "solar.yaml"})
    return Seat("plcd-line1", "line1", config, state_dir, run_dir)


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    log.configure("plcd-line1")
    main(seat(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
