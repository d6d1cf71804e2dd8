"""A line in a folder of its own."""

from pathlib import Path

import numpy as np
import pytest

from inspectd import image


@pytest.fixture
def line(tmp_path: Path, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with one station and its pictures; the environment says where everything is."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "part-1.png").write_bytes(image.encode_png(np.zeros((32, 32), np.uint8)))
    (tmp_path / "stations").mkdir()
    (tmp_path / "stations" / "flange.yaml").write_text(
        "station: flange\ncamera: {kind: folder, path: ../pictures}\ndeadline_ms: 250\n"
    )
    monkeypatch.setenv("INSPECTD_CONFIG", str(tmp_path / "stations"))
    monkeypatch.setenv("INSPECTD_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("INSPECTD_RUN_DIR", str(run_dir))
    return tmp_path
