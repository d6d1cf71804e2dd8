"""From made parts to a running line and back, each step as a person types it, in processes of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess, Popen

import pytest

from tests.support import until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PARTS = 24
STATION = """\
station: flange
camera: {kind: folder, path: ../line, rate: 20}
deadline_ms: 20000
part_id: file_name
method: {input_px: 64, bank: 64}
keep: {pictures: all}
"""


class Line:
    """A folder with a calibrated station, and the command line in it."""

    def __init__(self, folder: Path, run_dir: Path) -> None:
        self.folder, self.said = folder, ""
        self.environment = os.environ | {
            "INSPECTD_CONFIG": str(folder / "stations"),
            "INSPECTD_STATE": str(folder / "state"),
            "INSPECTD_RUN_DIR": str(run_dir),
            "PYTHONPATH": str(ROOT),
        }

    def command(self, *words: object) -> list[str]:
        return [sys.executable, "-m", "inspectd", *map(str, words)]

    def call(self, *words: object) -> CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def ok(self, *words: object) -> str:
        """Run a command that must end well, without a traceback anywhere."""
        done = self.call(*words)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def current(self) -> dict:
        return json.loads((self.folder / "state" / "stations" / "flange" / "default" / "current").read_text())

    def status(self) -> dict:
        done = self.call("status", "--json", "-")
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def stop(self, daemon: Popen[bytes]) -> int:
        daemon.send_signal(signal.SIGINT)
        return daemon.wait(60)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Parts and a station whose first bundle is active."""
    folder, run_dir = tmp_path_factory.mktemp("line"), Path(tempfile.mkdtemp(prefix="ins-", dir="/tmp"))
    made = Line(folder, run_dir)
    made.ok("demo-parts", "parts", "--count", PARTS)
    (folder / "line").symlink_to(folder / "parts" / "test" / "good")
    made.ok("init", "flange")
    (folder / "stations" / "flange.yaml").write_text(STATION)
    made.said = made.ok("calibrate", "flange", "--good", "parts/train/good", "--bad", "parts/test/chip", "--json", "one.json")
    yield made
    shutil.rmtree(run_dir, ignore_errors=True)


@pytest.fixture
def daemon(line: Line) -> Iterator[Popen[bytes]]:
    """`inspectd run`."""
    with (line.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            line.command("run"), env=line.environment, cwd=line.folder, stderr=log, start_new_session=True
        )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_calibration_writes_a_bundle_makes_it_active_and_tells_its_figures(line: Line) -> None:
    """With bad parts the threshold is placed by them."""
    figures = json.loads((line.folder / "one.json").read_text())
    assert (figures["number"], figures["rule"]) == (1, "f1")
    assert figures["fingerprint"] in line.said
    assert Path(figures["report"]).is_file()
    assert line.current()["fingerprint"] == figures["fingerprint"]
    assert "no bundle" not in line.call("check").stderr


def test_a_bundle_waits_until_it_is_activated(line: Line) -> None:
    """--no-activate leaves the first bundle in its place; activate changes it, and back."""
    calibrate = ("calibrate", "flange", "--good", "parts/train/good", "--drop", "0001.png", "--no-activate")
    assert "inspectd activate flange 2" in line.ok(*calibrate)
    report = json.loads((line.folder / "state/stations/flange/default/bundles/2/report.json").read_text())
    assert list(report["left_out"]) == ["good/0001.png"]
    assert line.current()["bundle"] == 1
    line.ok("activate", "flange", 2)
    assert line.current()["bundle"] == 2
    line.ok("activate", "flange", 1)


def test_evaluate_and_benchmark_give_the_figures_that_others_build_on(line: Line) -> None:
    """Both write the same keys; figures are numbers where the pictures allow them."""
    keys = {"image_auroc", "pixel_auroc", "pro", "f1", "threshold", "false_positives", "false_negatives", "ms_per_image"}
    line.ok("evaluate", "flange", "parts", "--json", "evaluate.json")
    line.ok("benchmark", "accuracy", "--data", "parts", "--input-px", 64, "--bank", 64, "--json", "accuracy.json")
    evaluated, measured = (json.loads((line.folder / f"{name}.json").read_text()) for name in ("evaluate", "accuracy"))
    for figures in (evaluated, measured):
        assert keys | {"settings"} <= set(figures)
        assert all(isinstance(figures[key], int | float) for key in keys)
    assert evaluated["settings"]["fingerprint"] == line.current()["fingerprint"]
    assert measured["settings"]["bank"] == 64


def test_a_line_runs_tells_of_itself_and_stops_on_ctrl_c(line: Line, daemon: Popen[bytes]) -> None:
    """All parts of the folder get a verdict; status, replay and show agree; a second daemon is refused; Ctrl-C ends with 0."""
    expected = len(list((line.folder / "line").iterdir()))

    def all_judged() -> bool:
        assert daemon.poll() is None, (line.folder / "log").read_text()
        status = line.status()
        return bool(status) and status["ledger"]["flange"].get("triggers") == expected and status["dispatch"]["in_flight"] == 0

    until(all_judged, 60, "all parts to be judged")
    counts = line.status()["ledger"]["flange"]
    assert sum(counts.get(verdict, 0) for verdict in ("pass", "fail", "undecided")) == expected
    shown = line.ok("status")
    for words in ("Processes", "dispatchd", "ingestd-flange", "Ledger", "Line outcomes", "Channels"):
        assert words in shown

    second = line.call("run")
    assert second.returncode == 2
    assert f"pid {daemon.pid}" in second.stderr

    assert f"runs now, pid {daemon.pid}" in line.ok("check")
    assert "active" in line.ok("activate", "flange", 1)
    assert line.call("activate", "flange", 9).returncode == 2  # as without a daemon

    rows = until(lambda: _rows(line, expected), 30, "the journal's rows")
    assert {row["station"] for row in rows} == {"flange"}
    assert rows[0]["part_id"] in line.ok("show", rows[0]["part_id"], "--png", "page.png")
    assert (line.folder / "page.png").is_file()

    assert line.stop(daemon) == 0
    assert line.call("status").returncode == 1


def test_a_line_stops_by_command(line: Line, daemon: Popen[bytes]) -> None:
    """`inspectd stop` is obeyed like a signal, and needs no file of the configuration; nor does `status`."""
    until(lambda: line.status().get("ready"), 60, "the line to be ready")
    file = line.folder / "stations" / "line.yaml"
    before = file.read_text()
    file.write_text("workers: {")
    assert line.status()["ready"]
    line.ok("stop")
    assert daemon.wait(60) == 0
    file.write_text(before)


def _rows(line: Line, expected: int) -> list[dict]:
    rows = [row for row in json.loads(line.call("replay", "--json", "-").stdout or "[]") if row["verdict"]]
    return rows if len(rows) == expected else []


def _verdicts(line: Line) -> Counter[str]:
    return Counter(row["verdict"] for row in json.loads(line.call("replay", "--json", "-").stdout or "[]"))


def test_a_station_whose_roi_was_edited_is_at_fault_and_no_part_passes(line: Line) -> None:
    """The reason names file, key, expected and got; every part is UNDECIDED(no_bundle) until the file is restored."""
    file = line.folder / "stations" / "flange.yaml"
    before, judged = file.read_text(), _verdicts(line)
    file.write_text(f"{before}roi: {{x: 40, y: 40, width: 64, height: 64}}\n")
    log = line.folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(line.command("run"), env=line.environment, cwd=line.folder, stderr=stream)
    try:
        refused = line.call("check")
        assert refused.returncode == 2
        status = until(lambda: (s := line.status()) and s["stations"].get("flange", {}).get("fault") and s, 60, "a fault")
        for told in (refused.stderr, status["stations"]["flange"]["fault"]):
            assert f"{file}:" in told
            assert "roi: expected {x: 0, y: 0, " in told
            assert "got {x: 40, y: 40, width: 64, height: 64}" in told
        now = until(lambda: (v := _verdicts(line))["UNDECIDED"] > judged["UNDECIDED"] and v, 30, "a part")
        assert (now["PASS"], now["FAIL"]) == (judged["PASS"], judged["FAIL"])
        assert line.call("activate", "flange", 1).returncode == 2
        assert any("refused" in row and "roi" in row for row in line.ok("audit", "--csv", "-").splitlines())
    finally:
        file.write_text(before)
        assert line.stop(process) == 0
