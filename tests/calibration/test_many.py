"""Pictures whose patches do not fit into memory are learnt from all the same, and a calibration may die at any stage."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from calibration import build, features, memory
from calibration.build import CalibrationResult
from calibration.job import Options
from inspectd.errors import Interrupted, StateError
from inspectd.station.state import Current, StateDir
from inspectd.vision.detector import Detector
from tests.calibration import parts
from tests.calibration.parts import Watch

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_charts")]  # each runs whole calibrations


@pytest.fixture
def nothing_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No patch vector may stay in memory."""
    for module in (build, features, memory):
        monkeypatch.setattr(module, "MEMORY", 0)


def run(tmp_path: Path, state: StateDir, watch: Watch | None = None, **options: object) -> CalibrationResult:
    if not (tmp_path / "good").exists():
        parts.good_folder(tmp_path / "good", 40)
    asked = Options(**{"threads": 1, **options})
    return build.calibrate(parts.config(tmp_path), "lid", "default", tmp_path / "good", None, state, asked, watch)


@pytest.mark.usefixtures("nothing_fits")
@pytest.mark.parametrize("holdout", [None, 0.25])
def test_a_calibration_from_disk_gives_a_bundle_that_tells_good_from_bad(
    holdout: float | None, tmp_path: Path, state: StateDir
) -> None:
    """Disk and coresets are told of, every stage ends where it said, and nothing is left in the state but the bundle."""
    watch = Watch()
    detector = Detector.open(run(tmp_path, state, watch, holdout=holdout).directory)
    good = detector.score([parts.part(i) for i in range(100, 110)])
    bad = detector.score([parts.bad_part(i)[0] for i in range(10)])
    assert max(one.score for one in good) < min(one.score for one in bad)
    assert watch.stages["coresets"] == ([36, 36] if holdout is None else [30, 30])  # 4 are kept aside as golden, 10 held out
    assert all(done == total for total, done in watch.stages.values())
    assert re.search(r"disk: about 0\.0016 GB while it runs, of .* GB that are free", watch.notes[1])
    assert [path.name for path in state.root.iterdir() if path.name not in ("backbones", "stations")] == []


@pytest.mark.usefixtures("nothing_fits")
def test_threads_do_not_change_a_bank_from_coresets(tmp_path: Path, state: StateDir) -> None:
    """The same seed gives the same bank, whichever share was reduced first."""
    banks = [Detector.open(run(tmp_path, state, threads=threads).directory) for threads in (1, 3)]
    one, other = (next(ref.sha256 for ref in each.manifest.arrays if ref.role == "bank") for each in banks)
    assert one == other


@pytest.mark.usefixtures("nothing_fits")
def test_ctrl_c_while_coresets_are_made_leaves_nothing(tmp_path: Path, state: StateDir) -> None:
    """Neither in the state directory nor open on its disk."""

    def press(name: str) -> None:
        if name == "coresets":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="nothing was written"):
        run(tmp_path, state, Watch(press))
    assert list(state.root.rglob("*")) == []
    links = (Path(link) for link in Path("/proc/self/fd").iterdir())
    assert not [link for link in links if link.is_symlink() and str(state.root) in str(link.readlink())]


@pytest.mark.usefixtures("nothing_fits")
def test_too_little_disk_is_said_before_patch_vectors_are_computed(
    tmp_path: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is wanted, what is free, and what to do."""
    usage = memory.shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda _folder: usage)
    watch = Watch()
    with pytest.raises(StateError, match=r"state: expected 0.0016 GB of free disk .* got 0.001 GB; .*--state"):
        run(tmp_path, state, watch)
    assert list(watch.stages) == ["pictures"]


def child(directory: Path, limit: int, *stage: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.calibration.child", str(directory), str(limit), *stage]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("limit", [1 << 30, 0], ids=["memory", "disk"])
def test_the_estimate_told_first_holds_for_the_whole_process(limit: int, tmp_path: Path) -> None:
    """Its peak, libraries and all, is at most what was told, and at least a third of it."""
    parts.write(tmp_path / "good", {f"{i:03}.png": parts.part(i, 160) for i in range(60)})
    ended = child(tmp_path, limit)
    assert ended.returncode == 0, ended.stderr
    told = float(re.search(r"at most about ([\d.]+) GB", ended.stdout)[1]) * 1e9
    peak = int(ended.stdout.split()[-1])
    assert told / 3 < peak < told


@pytest.fixture(scope="module")
def active(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with good parts, and a state directory in which a bundle is active."""
    folder = tmp_path_factory.mktemp("active")
    parts.write(folder / "good", {f"{i:03}.png": np.asarray(parts.part(i, 96)) for i in range(20)})
    state = StateDir(folder / "state")
    made = build.calibrate(parts.config(folder), "lid", "default", folder / "good", None, state, Options())
    state.write_current("lid", "default", Current(made.number, made.fingerprint, made.threshold))
    return folder


@pytest.mark.parametrize(
    "stage",
    ["pictures", "patch vectors", "coresets", "scores of good parts", "bank", "learning curve", "synthetic defects",
     "bundle and report"],
)  # fmt: skip
def test_a_calibration_killed_at_any_stage_leaves_the_active_bundle_untouched(stage: str, active: Path, tmp_path: Path) -> None:
    """kill -9 in its middle: no new bundle, `current` as before, and the next calibration takes away what it left."""
    shutil.copytree(active, tmp_path, dirs_exist_ok=True)
    state = StateDir(tmp_path / "state")
    current = state.read_current("lid", "default")
    assert current
    before = {path: path.read_bytes() for path in state.root.rglob("*") if path.is_file()}
    killed = child(tmp_path, 0, stage)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert state.read_current("lid", "default") == current
    if stage != "bundle and report":  # by then the bundle is whole, and not active
        assert state.bundles("lid", "default") == [current.bundle]
    assert all(path.read_bytes() == data for path, data in before.items())
    again = build.calibrate(parts.config(tmp_path), "lid", "default", tmp_path / "good", None, state, Options())
    assert again.fingerprint == current.fingerprint
    assert {path.name for path in state.root.iterdir()} == {"backbones", "stations"}


@pytest.mark.parametrize("stage", ["pictures", "patch vectors", "scores of good parts", "learning curve", "synthetic defects"])
def test_a_real_ctrl_c_in_any_stage_leaves_the_state_as_it_was(stage: str, tmp_path: Path) -> None:
    """SIGINT while threads are at work, vectors on disk: exit code 130, the reason, and not a file more or less."""
    parts.write(tmp_path / "good", {f"{i:03}.png": np.asarray(parts.part(i, 96)) for i in range(20)})
    ended = child(tmp_path, 0, stage, str(int(signal.SIGINT)))
    assert ended.returncode == Interrupted.exit_code, ended.stderr
    assert "nothing was written" in ended.stderr
    assert list((tmp_path / "state").rglob("*")) == []
