"""The demo, as a user starts it: real cells, a real line, real kills, and a ledger that closes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from inspectd import image

STATIONS = Path(__file__).parents[2] / "stations"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_demo_with_kills_in_mid_stream_ends_by_itself_with_a_closed_ledger_and_a_contact_sheet(tmp_path, port):
    """Three kills, every part accounted for, and figures that add up."""
    config = tmp_path / "stations"
    config.mkdir()
    station = (STATIONS / "solar-cell.yaml").read_text()
    small = station.replace("input_px: 224", "input_px: 96\n  bank: 300").replace("deadline_ms: 250", "deadline_ms: 2500")
    (config / "solar-cell.yaml").write_text(small)
    (config / "line.yaml").write_text((STATIONS / "line.yaml").read_text().replace("127.0.0.1:5020", f"127.0.0.1:{port}"))
    command = [sys.executable, "-m", "inspectd", "demo", "--dir", str(tmp_path / "demo"), "--config", str(config)]
    done = subprocess.run(
        [*command, "--parts", "60", "--chaos", "--seed", "3"], capture_output=True, text=True, timeout=220, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "ledger closed" in done.stdout
    assert done.stdout.count("kill -9") == 3
    for word in ("AUROC", "F1", "p50", "p95", "p99", "pictures offered", "keys opened", "journal rows", "PLC peer read"):
        assert word in done.stdout
    total, outcomes = re.search(r"what the line saw: (\d+) = (.*)", done.stdout).groups()
    assert int(total) == 60 == sum(int(number) for number in re.findall(r" (\d+)", f" {outcomes}"))
    assert image.read(tmp_path / "demo" / "contact-sheet.png").pixel_format == "rgb8"
    assert (tmp_path / "demo" / "stations" / "solar-cell.yaml").read_text().count("seed: 3") == 1
