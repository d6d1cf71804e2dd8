"""A station is paused, and its edited file taken, while the line runs: PASS is by what is active, or there is none."""

from itertools import pairwise

import pytest

from inspectd.journal.reader import Reader
from inspectd.vision.bundle import read_manifest
from inspectd.wire.enums import Verdict
from tests.line.rig import Rig
from tests.line.test_versions import typed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def edit(rig: Rig, before: str, after: str) -> None:
    file = rig.config / "flange.yaml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def in_order(rig: Rig):
    return sorted(Reader(rig.state).parts(), key=lambda part: part.key)


def test_a_paused_station_rejects_every_part_as_maintenance_until_it_goes_on(line):
    """Said by status and in the audit; PASS only before and after."""
    rig = line(count=400, rate=20, deadline_ms=30_000)
    rig.start()
    rig.wait(lambda status: status["ledger"]["flange"].get("pass", 0) > 0)
    assert typed(rig, "mode", "flange", "pause").exit_code == 0
    status = rig.wait(lambda status: status["ledger"]["flange"].get("reason.maintenance", 0) >= 5)
    assert "inspection is paused" in status["stations"]["flange"]["degraded"]
    passed = rig.wait(lambda status: status["dispatch"]["in_flight"] == 0)["ledger"]["flange"]["pass"]
    rig.wait(lambda status: status["ledger"]["flange"].get("reason.maintenance", 0) >= 10)
    assert rig.status()["ledger"]["flange"]["pass"] == passed
    assert rig.state.is_paused("flange")
    assert typed(rig, "mode", "flange", "inspect").exit_code == 0
    rig.wait(lambda status: status["ledger"]["flange"]["pass"] > passed)
    rig.results = rig.peer.stop()
    assert rig.daemon.stop() == 0
    assert [one.args["mode"] for one in Reader(rig.state).commands() if one.what == "mode"] == ["pause", "inspect"]
    keys = {str(part.key) for part in in_order(rig) if part.reason_name == "maintenance"}
    assert {result.read.verdict for result in rig.results if result.read.key in keys} == {"UNDECIDED"}


def test_a_camera_is_changed_by_an_edited_file_while_the_line_runs(line):
    """Its process starts anew in the other folder, under a new run; nobody else does; what was open is maintenance."""
    rig = line(count=400, rate=20, deadline_ms=30_000)
    other = rig.folder / "other"
    other.mkdir()
    for file in sorted((rig.folder / "line").iterdir())[:10]:
        (other / f"{file.stem}-new.png").symlink_to(file.resolve())
    rig.start(peer=False)
    rig.wait(lambda status: rig.opened(status) >= 10)
    edit(rig, "../line", "../other")
    result = typed(rig, "reload", "flange")
    assert result.exit_code == 0, result.stderr
    assert "its file is read anew" in result.stdout
    status, parts = rig.finish()
    assert [p["name"] for p in status["processes"] if p["restarts"]] == []
    assert {part.part_id for part in parts if part.run == 2} == {file.stem for file in other.iterdir()}
    assert {part.reason_name for part in parts if part.verdict is Verdict.UNDECIDED} <= {"maintenance"}
    assert all(part.verdict and part.outcome for part in parts)


def test_another_roi_is_taken_with_the_bundle_that_was_made_for_it(line, calibrated):
    """Calibration alone does not activate it; after reload each part is judged by the bundle of the roi that it was cut by."""
    rig = line(count=1500, rate=10, deadline_ms=30_000)
    old = rig.state.read_current("flange")
    height, width = read_manifest(rig.state.bundle("flange", "default", 1)).picture.camera_px
    rig.start(peer=False)
    edit(rig, "station: flange", f"station: flange\nroi: {{x: 8, y: 8, width: {width - 16}, height: {height - 16}}}")
    result = typed(rig, "calibrate", "flange", "--good", calibrated / "parts/train/good")
    assert (result.exit_code, "`inspectd reload flange`" in result.stderr) == (2, True), result.stderr
    assert rig.state.read_current("flange") == old
    result = typed(rig, "reload", "flange")
    assert result.exit_code == 0, result.stderr
    new = rig.state.read_current("flange")
    assert (new.bundle, new.before) == (2, (1,))
    rig.wait(lambda status: status["sources"]["flange"]["counters"].get("run") == 2 and status["ledger"]["flange"]["seq"] >= 10)
    rig.wait(lambda status: status["dispatch"]["in_flight"] <= 2)
    assert rig.daemon.stop() == 0
    parts = in_order(rig)
    judged = [part for part in parts if part.verdict is not Verdict.UNDECIDED]
    assert all((part.fingerprint == new.fingerprint) == (part.run == 2) for part in judged)
    assert {part.fingerprint for part in judged} == {old.fingerprint, new.fingerprint}
    assert {part.reason_name for part in parts if part.verdict is Verdict.UNDECIDED} <= {
        "maintenance",
        "wrong_picture",
        "stopped",
    }
    assert sum(one.run != other.run for one, other in pairwise(parts)) == 1
