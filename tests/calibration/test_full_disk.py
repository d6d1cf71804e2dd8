"""A disk that is full, or a folder that may not be written, ends a calibration with a named error and leaves nothing."""

import builtins
import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibration import build
from calibration.job import Options
from inspectd.errors import InspectdError, StateError
from inspectd.station.state import StateDir
from tests.calibration import parts

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_charts")]  # each runs whole calibrations


def run(folder: Path, state: StateDir) -> build.CalibrationResult:
    return build.calibrate(parts.config(folder), "lid", "default", folder / "good", None, state, Options(threads=1))


class Disk:
    """Lets so many files be opened for writing, then none."""

    def __init__(self, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room, self.refused = room, ""
        self._open: Callable[..., Any] = io.open
        for module in (io, builtins):
            monkeypatch.setattr(module, "open", self.open)

    def open(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        """Open a file, or fail as a full disk does."""
        if "w" in mode or "x" in mode:
            self.room -= 1
            if self.room < 0:
                self.refused = str(file)
                raise OSError(errno.ENOSPC, "No space left on device", str(file))
        return self._open(file, mode, *args, **kwargs)


def test_whichever_file_finds_the_disk_full_nothing_is_left(
    tmp_path: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file fewer fits each time until all do: graph, arrays, golden pictures, manifest, report, figures, graph again."""
    parts.good_folder(tmp_path / "good", 12)
    refused = []
    for room in range(30):
        with monkeypatch.context() as patch:
            disk = Disk(room, patch)
            told = complaint(tmp_path, state)
        if not told:
            break
        refused.append(Path(disk.refused).name)
        assert "No space left on device" in told
        assert "free space" in told
        assert [path for path in state.root.rglob("*") if path.is_file()] == []
    assert [path.name for path in (state.root / "stations/lid/default/bundles").iterdir()] == ["1"]
    said = " ".join(refused)
    for name in ("onnx", "bank.npy", "golden.npz", "manifest.json", "report.html", "report.json"):
        assert name in said
    assert said.count("onnx") == 2


def complaint(folder: Path, state: StateDir) -> str:
    """Calibrate; return the error, if there is one."""
    try:
        run(folder, state)
    except InspectdError as error:
        return str(error)
    return ""


def test_a_state_directory_without_the_right_to_write_is_refused_before_any_work(
    tmp_path: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its path and what to do. (Who runs tests may be root, who may write anywhere: the refusal is made.)"""
    parts.good_folder(tmp_path / "good", 12)
    state.root.mkdir(parents=True, exist_ok=True)

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(StateError, match=r"expected a state directory that can be written, got Permission denied; .*--state"):
        run(tmp_path, state)
