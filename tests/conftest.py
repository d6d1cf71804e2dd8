"""Fixtures of all tests: every test has its own run directory and state directory, and reaps what it opened."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: two test runners, and a pool of threads for each process

from inspectd.station.state import Current, StateDir


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A run directory with a short path: socket paths end at 107 bytes, and pytest's own directories are long."""
    path = Path(tempfile.mkdtemp(prefix="ins-", dir="/tmp"))  # mode 0700
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """Return an empty state directory."""
    root = tmp_path / "state"
    root.mkdir()
    return StateDir(root)


SMALL = "method: {backbone: lite0, layers: [4], input_px: 64, bank: 200}"


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with made parts and the state directory of a station calibrated on them: small, so that it takes seconds."""
    # imported here: the tests that export backbones run where neither matplotlib nor YAML is
    from calibration.build import calibrate  # noqa: PLC0415
    from inspectd.demo import parts  # noqa: PLC0415
    from inspectd.station import load  # noqa: PLC0415

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
