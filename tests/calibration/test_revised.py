"""The reports of a threshold that somebody set: what it changes of what the calibration found out."""

import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from calibration import revised
from calibration.revised import Known, Part
from inspectd.errors import BadBundle
from inspectd.station.state import StateDir
from inspectd.vision import bundle, reports, revision
from inspectd.vision.bundle import FoundThreshold, Manifest
from tests.vision import make

KNOWN = Known(
    [Part(f"good/{i}.png", 1 + i / 10, f"lot {i // 2}") for i in range(10)],
    [Part(f"bad/{i}.png", 1.55 + i / 2) for i in range(4)],
)


def test_a_threshold_rejects_groups_and_lets_bad_parts_pass() -> None:
    """Good scores 1.0 to 1.9 in five lots, bad ones 1.55 to 3.05."""
    found = revised.effect(KNOWN, 1.75, None)
    assert (found.rejects.rejected, found.rejects.groups) == (1, 5)  # 1.8 and 1.9 are one lot
    assert [part.picture for part in found.passing] == ["bad/0.png"]


def test_what_goes_to_the_rework_lane_does_not_pass() -> None:
    assert revised.effect(KNOWN, 1.75, 1.5).passing == []


@pytest.fixture
def made(state: StateDir) -> tuple[Path, Manifest]:
    """A bundle whose threshold was set higher: from the calibration's to a known bad part's score and more."""
    parent = make.real_bundle(state)
    at = parent.manifest.threshold
    scores = {
        "good": [{"picture": "good/<1>.png", "score": at * 0.9, "group": "lot 1"}],
        "bad": [{"picture": "bad/1.png", "score": at * 1.005}, {"picture": "bad/2.png", "score": at * 1.5}],
    }
    figures = msgspec.json.encode({"scores": scores, "threshold": {"fail_from": at}, "station": "weave"})
    manifest = reports.attach(parent.directory, parent.manifest, {"report.html": b"<html>", "report.json": figures})
    assert bundle.read_manifest(parent.directory) == manifest
    directory = parent.directory.with_name("2")
    return directory, revision.revise(parent.directory, directory, at * 1.01, "anna", "too <strict>", "2026-11-22T06:00:00Z")


def test_the_page_says_who_why_and_what_changes(made: tuple[Path, Manifest]) -> None:
    """A known bad part that passes now stands above everything else."""
    page = revised.pages(*made)["report.html"].decode()
    assert "Known bad parts that pass: 1, 1 more than before." in page
    assert "anna" in page
    assert "too &lt;strict&gt;" in page
    assert made[1].fingerprint in page
    assert re.search(r"bad/1\.png</td>\s*<td>[^<]*</td>\s*<td>FAIL</td>\s*<td>PASS</td>", page)
    assert "bad/2.png" not in page


def test_what_gets_worse_and_what_is_not_known_is_warned_of() -> None:
    """A lower threshold rejects more good lots; without bad parts nobody knows what passes."""
    good = Known(KNOWN.good, [])
    low, high = (revised.effect(good, at, None) for at in (1.55, 1.95))
    assert revised.warnings(good, high, low) == [
        "Good parts or lots that are rejected: 2 of 5, 2 more than before.",
        "No bad parts were given to the calibration: what passes now is not known.",
    ]
    assert revised.warnings(KNOWN, revised.effect(KNOWN, 1.95, None), revised.effect(KNOWN, 1.95, None)) == []


def test_programs_get_the_same_in_json(made: tuple[Path, Manifest]) -> None:
    found = msgspec.json.decode(revised.pages(*made)["report.json"])
    assert found["revision"]["who"] == "anna"
    assert found["fingerprint"] == made[1].fingerprint
    _calibrated, before, now = found["effects"]
    assert (before["passing"], [part["picture"] for part in now["passing"]]) == ([], ["bad/1.png"])
    assert now["threshold"] == pytest.approx(before["threshold"] * 1.01)


def test_a_recheck_band_stays_where_it_was_and_is_told(made: tuple[Path, Manifest]) -> None:
    directory, manifest = made
    band = FoundThreshold(value=manifest.threshold * 0.8, how="")
    page = revised.pages(directory, replace(manifest, thresholds={"recheck": band}))["report.html"].decode()
    assert f"begins at {band.value:.5g}, as it did" in page
    assert "more than before" not in page  # what passed no more than the band does


def test_without_figures_of_the_calibration_the_page_says_so(made: tuple[Path, Manifest]) -> None:
    page = revised.pages(made[0], replace(made[1], reports={}))["report.html"].decode()
    assert "The calibration left no figures" in page
    assert "too &lt;strict&gt;" in page


def test_figures_that_were_changed_are_not_believed(made: tuple[Path, Manifest]) -> None:
    (made[0] / "calibration.json").write_text("{}")
    with pytest.raises(BadBundle, match=r"calibration\.json"):
        revised.pages(*made)
