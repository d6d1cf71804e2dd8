"""What a calibration hands over: its page and its figures say the same as the manifest."""

import json
from pathlib import Path

import pytest

from calibration.build import calibrate
from calibration.job import Options
from inspectd.station.state import StateDir
from tests.calibration import parts


@pytest.mark.slow
def test_report_and_its_figures_say_what_the_manifest_says(tmp_path: Path, state: StateDir) -> None:
    """Figures have the fingerprint, every score and the learning curve, whose verdict is told at once; the page draws all."""
    good, bad = parts.good_folder(tmp_path / "good", 24), parts.bad_folder(tmp_path / "bad")
    result = calibrate(parts.config(tmp_path), "lid", "default", good, bad, state, Options(threads=1))
    found = json.loads((result.directory / "report.json").read_bytes())
    assert found["fingerprint"] == result.fingerprint
    assert found["warnings"] == result.warnings
    assert [len(found["scores"][kind]) for kind in ("good", "bad")] == [24, 4]
    assert found["learning_curve"]["verdict"] == result.summary[-1]
    assert found["learning_curve"]["pictures"] == [5, 10, 19]
    page = result.report.read_text(encoding="utf-8")
    assert page.count("<svg") == page.count("</svg>") == 3
    for words in ("threshold</text>", "share of good parts rejected</text>", "pictures learnt from</text>"):
        assert words in page
