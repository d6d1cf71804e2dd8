"""Fixtures of all tests: every test has its own run directory and state directory, and reaps what it opened."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspectd.station.state import StateDir


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
