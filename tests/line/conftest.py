"""A line that any test can run in a folder of its own."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.line.rig import Rig


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
