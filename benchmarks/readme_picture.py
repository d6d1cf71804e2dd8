"""Makes the README's picture: flanges of `inspectd demo-parts` through a real line, as the contact sheet shows them.

python benchmarks/readme_picture.py benchmarks/flanges.png
"""

import random
import shutil
import sys
import tempfile
from pathlib import Path

from inspectd import clock, image
from inspectd.bench.rig import Daemon
from inspectd.bench.settled import settled
from inspectd.cli.learning import learn
from inspectd.demo import parts, sheet
from inspectd.demo.main import rows_of
from inspectd.demo.peer import PlcPeer
from inspectd.station import load
from inspectd.station.state import StateDir

STATION, PORT, SHOWN = "flange", 15_021, 12
FILE = """\
station: flange
camera: {kind: folder, path: ../line, rate: 5}
deadline_ms: 2000
plc: {name: plc}
keep: {pictures: all}
threshold: {max_false_reject: 0.05}
"""
LINE = f"plcs:\n  plc: {{protocol: modbus_tcp, address: '127.0.0.1:{PORT}'}}\n"


def main(target: Path) -> None:
    """Run everything in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="ins-", dir="/tmp"))
    try:
        truth = prepare(folder)
        state = StateDir(folder / "state")
        learn(load.load(folder / "stations"), STATION, folder / "parts/train/good", state)
        run(folder, state)
        rows = sorted(rows_of(state, STATION, truth), key=lambda row: row.part_id)
        sheet.draw(target, state, rows, title="flanges, as they came down the line")
    finally:
        shutil.rmtree(folder)


def prepare(folder: Path) -> dict[str, bool]:
    """Draw parts, and mix good ones with two of each defect into the line's folder."""
    parts.write(folder / "parts", count=160, seed=11)
    kinds = {kind.name: image.pictures_in(kind) for kind in sorted((folder / "parts/test").iterdir())}
    chosen = [("good", file) for file in kinds["good"][:4]]
    chosen += [(kind, file) for kind, files in kinds.items() if kind != "good" for file in files[:2]]
    random.Random(3).shuffle(chosen)
    truth = {}
    for name in ("stations", "line"):
        (folder / name).mkdir()
    for number, (kind, file) in enumerate(chosen[:SHOWN], start=1):
        truth[f"{number:02d}-{kind}"] = kind != "good"
        shutil.copy(file, folder / "line" / f"{number:02d}-{kind}.png")
    (folder / "stations/flange.yaml").write_text(FILE)
    (folder / "stations/line.yaml").write_text(LINE)
    return truth


def run(folder: Path, state: StateDir) -> None:
    """Run the line until every part is settled."""
    daemon = Daemon(folder / "stations", state.root, folder / "run", folder / "log")
    with PlcPeer(STATION, f"127.0.0.1:{PORT}", 0) as peer:
        try:
            daemon.start()
            while not settled(daemon.status(), STATION):
                clock.sleep(0.2)
            peer.stop()
            daemon.stop()
        finally:
            daemon.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
