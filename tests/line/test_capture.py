"""Pictures are captured from a running line, and the line does not notice."""

import json
import shlex

import numpy as np
import pytest

from inspectd import image
from inspectd.vision.bundle import read_manifest
from tests.cli.typed import inspectd
from tests.line.rig import Rig
from tests.line.test_versions import typed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ROI = (8, 8, 80, 72)
FILE = "roi: {{x: {}, y: {}, width: {}, height: {}}}".format(*ROI)


def pixels_of(rig: Rig, name: str) -> np.ndarray:
    x, y, width, height = ROI
    return image.read(rig.folder / "line" / name).pixels[y : y + height, x : x + width]


def test_a_running_line_is_captured_from_and_every_part_is_judged_as_before(line, calibrated):
    """The same parts, one verdict each; what is kept is the roi pixel by pixel; what is printed calibrates by it."""
    rig = line(count=120, rate=20, deadline_ms=30_000, more=FILE)
    result = typed(rig, "calibrate", "flange", "--good", calibrated / "parts/train/good")
    assert result.exit_code == 0, result.stderr
    rig.start()
    result = typed(rig, "capture", "flange", "--count", 30, "--json", rig.folder / "figures.json")
    assert result.exit_code == 0, result.stderr
    status, parts = rig.finish()
    assert rig.check(status, parts).closes
    assert len(parts) == 120
    assert all(part.verdict and part.outcome for part in parts)
    assert {part.run for part in parts} == {1}
    tapped = status["sources"]["flange"]["counters"]["tapped"]
    figures = json.loads((rig.folder / "figures.json").read_text())
    assert 30 <= tapped < 120  # copies were made while somebody took them, and no longer

    folder = rig.state.captured("flange", "default")
    kept = image.pictures_in(folder)
    assert len(kept) == figures["kept"] == 30
    judged = {part.part_id for part in parts}
    for file in kept:
        assert file.stem in judged
        stored = image.decode(file.read_bytes(), file.name)
        x, y, width, height = ROI
        assert stored.roi == ROI
        assert np.array_equal(stored.pixels[y : y + height, x : x + width], pixels_of(rig, file.name))

    result = inspectd(*shlex.split(figures["command"])[1:], "--no-activate", "--run-dir", rig.daemon.run_dir)
    assert result.exit_code == 0, result.stderr
    before, made = (read_manifest(rig.state.bundle("flange", "default", number)).picture for number in (2, 3))
    assert made == before
