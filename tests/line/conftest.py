"""One calibrated station for all tests of the line, and a line that any test can run in a folder of its own."""

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calibration.build import calibrate
from inspectd.demo import parts
from inspectd.station import load
from inspectd.station.state import Current, StateDir
from tests.line.rig import Rig

SMALL = "method: {backbone: lite0, layers: [4], input_px: 64, bank: 200}"


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with made parts and the state directory of a station calibrated on them: small, so that it takes seconds."""
    folder = tmp_path_factory.mktemp("calibrated")
    parts.write(folder / "parts", count=40, seed=5)
    (folder / "stations").mkdir()
    text = f"station: flange\ncamera: {{kind: folder, path: ../parts/test/good}}\ndeadline_ms: 1000\n{SMALL}\n"
    (folder / "stations" / "flange.yaml").write_text(text)
    state = StateDir(folder / "state")
    config = load.load(folder / "stations")
    made = calibrate(config, "flange", "default", folder / "parts/train/good", None, state)
    state.write_current("flange", "default", Current(made.number, made.fingerprint, made.threshold))
    return folder


@pytest.fixture
def port() -> int:
    """Return a TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def line(calibrated: Path, tmp_path: Path, run_dir: Path, port: int) -> Iterator[Callable[..., Rig]]:
    """Return a maker of lines; every daemon that a test started is gone at its end."""
    made: list[Rig] = []

    def make(**settings: object) -> Rig:
        shutil.copytree(calibrated / "state", tmp_path / "state")
        rig = Rig(tmp_path, calibrated / "parts", run_dir, port, **settings)  # type: ignore[arg-type]
        made.append(rig)
        return rig

    yield make
    for rig in made:
        rig.close()
