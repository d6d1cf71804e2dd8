"""The unit file: what systemd says of it, and what the daemon relies on in it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "systemd" / "inspectd.service"
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(
    ANALYZE is None, reason="only systemd-analyze knows systemd's rules: apt-get install systemd"
)


def settings() -> dict[str, str]:
    """The [Service] section; a key that stands twice is wrong here (none of ours is a list)."""
    section = UNIT.read_text().split("[Service]")[1].split("[Install]")[0]
    pairs = re.findall(r"^(\w+)=(.*)$", section, re.MULTILINE)
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A copy whose ExecStart exists: /opt/inspectd is not installed where tests run."""
    copy = tmp_path / "inspectd.service"
    copy.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT.read_text(), flags=re.MULTILINE))
    return copy


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False, timeout=60)


@needs_systemd
def test_systemd_has_nothing_to_say_about_the_unit(unit: Path) -> None:
    """An unknown key is only a warning with exit code 0, so any output at all is a fault."""
    said = analyze("verify", unit)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@needs_systemd
def test_a_misspelt_key_would_be_seen(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in analyze("verify", unit).stderr


@needs_systemd
def test_the_unit_is_exposed_little(unit: Path) -> None:
    """Exposure goes from 0 to 10; a unit without hardening has 9.6."""
    said = analyze("security", "--offline=true", "--threshold=20", unit)
    assert said.returncode == 0, said.stdout


def test_the_supervisor_alone_speaks_to_systemd_and_stops_its_children() -> None:
    found = settings()
    assert (found["Type"], found["NotifyAccess"], found["KillMode"]) == ("notify", "main", "mixed")
    assert (found["Restart"], found["RestartPreventExitStatus"]) == ("always", "2")
    assert float(found["WatchdogSec"]) >= 5


def test_the_directories_of_the_command_are_those_that_systemd_makes() -> None:
    found = settings()
    assert found["ExecStart"].endswith("inspectd run --config /etc/inspectd --state /var/lib/inspectd --run-dir /run/inspectd")
    assert (found["StateDirectory"], found["RuntimeDirectory"], found["RuntimeDirectoryMode"]) == (
        "inspectd",
        "inspectd",
        "0700",
    )
