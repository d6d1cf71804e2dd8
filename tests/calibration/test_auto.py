"""A station's settings, found from made parts: the right ones, the same ones again, or an error that says what to do."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from calibration import auto, contest, grid, latency, memory
from calibration.auto import Chosen
from calibration.build import calibrate
from calibration.job import Job, Options
from calibration.progress import Progress, Silent
from inspectd.errors import BadInput, Interrupted, NotEnoughPictures, StateError
from inspectd.station.schema import Camera, Config, Ensemble, Method
from inspectd.station.state import StateDir
from inspectd.vision import bundle as bundles
from tests.calibration import parts
from tests.calibration.parts import Watch

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_charts")]  # each learns by several settings, if by small ones

COARSE = Method(backbone="lite0", layers=(10,), input_px=64, bank=100)
FINE = Method(backbone="lite0", layers=(4,), input_px=128, bank=100)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Two settings only: one sees 32 x 32 pixels of a part as one, the other 8 x 8."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "settings", lambda _size: [(COARSE,), (FINE,)])
        patch.setattr(latency, "of", lambda method, *_: 10.0 if method == COARSE else 20.0)
        yield


def good_folder(tmp_path: Path, count: int) -> Path:
    good = tmp_path / f"good{count}"
    if not good.exists():
        parts.write(good, {f"{i:04}.png": parts.part(i, 128) for i in range(count)})
    return good


def choose(  # noqa: PLR0917 (what auto.choose takes)
    tmp_path: Path, state: StateDir, config: Config | None = None, bad: Path | None = None, options: Options | None = None,
    budget_ms: float | None = None, progress: Progress | None = None, count: int = 24,
) -> Chosen:  # fmt: skip
    good = good_folder(tmp_path, count)
    options, progress = options or Options(threads=1), progress or Silent()
    config = config or parts.config(tmp_path)
    return auto.choose(config, "lid", "default", good, bad, state, options, budget_ms, progress)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, small: None) -> Chosen:
    """Return what is chosen by good parts alone."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "state").mkdir()
    return choose(folder, StateDir(folder / "state"))


def test_where_defects_may_be_tiny_the_setting_that_sees_them_wins(alone: Chosen, tmp_path: Path, state: StateDir) -> None:
    """Although the other is preferred. Nothing is left behind, the same seed gives the same table, progress is told whole."""
    watch = Watch()
    found = choose(tmp_path, state, progress=watch)
    assert replace(found.method, sigma=FINE.sigma) == FINE
    assert found.choice is not None
    assert [one.fate for one in found.choice.tried] == ["chosen", "kept"]
    assert found.choice.tried[0].score > found.choice.tried[1].score + contest.MARGIN
    assert list(state.root.rglob("*")) == []
    assert all(total == done for total, done in watch.stages.values())
    assert (found.method, found.choice) == (alone.method, alone.choice)


def test_what_is_over_the_budget_is_not_even_tried(tmp_path: Path, state: StateDir) -> None:
    """It stands in the table without a score."""
    watch = Watch()
    found = choose(tmp_path, state, budget_ms=15, progress=watch)
    assert replace(found.method, sigma=COARSE.sigma) == COARSE
    assert found.choice is not None
    assert [(one.fate, one.score is None) for one in found.choice.tried] == [("chosen", False), ("over budget", True)]
    assert "settings: 1 of 1" in watch.stages


def test_what_could_not_be_calibrated_for_want_of_memory_or_disk_is_not_chosen(
    tmp_path: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it is within the budget; where there is room for none it is told before any is tried."""

    def check(asked: Job, *_: object) -> None:
        if asked.methods[0][1] in full:
            raise StateError("no room")

    monkeypatch.setattr(memory, "check", check)
    full = [FINE]
    found = choose(tmp_path, state)
    assert replace(found.method, sigma=COARSE.sigma) == COARSE
    assert found.choice is not None
    assert [(one.fate, one.score is None) for one in found.choice.tried] == [("chosen", False), ("no room", True)]
    full, watch = [COARSE, FINE], Watch()
    with pytest.raises(StateError, match="no room"):
        choose(tmp_path, state, progress=watch)
    assert list(watch.stages) == ["pictures"]


def test_settings_that_need_more_pictures_are_not_chosen(
    tmp_path: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bank larger than all patches of the parts of which it is chosen; if all are, it is told before any is tried."""
    wide = replace(COARSE, bank=1000)
    monkeypatch.setattr(grid, "settings", lambda _size: [(wide,), (COARSE,)])
    assert replace(choose(tmp_path, state).method, sigma=COARSE.sigma) == COARSE
    monkeypatch.setattr(grid, "settings", lambda _size: [(wide,)])
    watch = Watch()
    with pytest.raises(NotEnoughPictures, match=r"good24: expected at least .* good pictures for a bank of 1,000 vectors"):
        choose(tmp_path, state, progress=watch)
    assert list(watch.stages) == ["pictures"]


def test_a_team_takes_what_its_members_take_and_is_taken_where_it_is_preferred(
    tmp_path: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is looked at twice for it; what it was calibrated with stands in its bundle as members."""
    monkeypatch.setattr(grid, "settings", lambda _size: [(COARSE, FINE), (COARSE,), (FINE,)])
    watch = Watch()
    found = choose(tmp_path, state, budget_ms=30, progress=watch)
    assert isinstance(found.method, Ensemble)
    assert [one.input_px for one in found.method.members] == [64, 128]
    assert found.choice is not None
    assert [one.ms for one in found.choice.tried if one.fate == "chosen"] == [30.0]
    assert all(total == done for total, done in watch.stages.values())
    result = calibrate(
        parts.config(tmp_path, method=found.method),
        "lid",
        "default",
        good_folder(tmp_path, 24),
        None,
        state,
        Options(threads=1),
    )
    assert len(bundles.read_manifest(result.directory).members) == 2
    assert choose(tmp_path, state, budget_ms=29).method != found.method


@pytest.mark.parametrize(
    ("rate", "trigger", "ms"), [("max", "camera", 95), (5, "camera", 95), (20, "camera", 45), (20, "plc", 95)]
)
def test_the_budget_is_what_deadline_and_camera_leave_for_a_part(rate: object, trigger: str, ms: float, tmp_path: Path) -> None:
    """Half of what dispatch has; where the camera says how many parts come, no more than the workers can keep up with."""
    config = parts.config(tmp_path)
    station = replace(config.stations["lid"], camera=Camera("folder", "in", rate=rate), trigger=trigger)
    assert auto.budget(config, station) == pytest.approx(ms)


def test_a_budget_below_every_setting_is_refused_with_what_the_fastest_takes(tmp_path: Path, state: StateDir) -> None:
    """Before any is tried."""
    watch = Watch()
    with pytest.raises(BadInput, match=r"budget: expected at least 10 ms.*lite0, layer 10, 64 x 64.*got 5 ms"):
        choose(tmp_path, state, budget_ms=5, progress=watch)
    assert not any(stage.startswith("settings") for stage in watch.stages)


def test_with_few_parts_the_default_is_taken_and_it_is_said_why(tmp_path: Path, state: StateDir) -> None:
    """Nothing can be told apart by them."""
    found = choose(tmp_path, state, count=12)
    assert (found.method, found.choice) == (Method(), None)
    assert found.note.startswith("settings: expected at least 20 good parts to tell them apart, got 12")


def test_the_calibration_learns_from_the_pictures_that_had_a_say(tmp_path: Path, state: StateDir) -> None:
    """One that arrives while settings are tried is for the next calibration."""
    options = Options(threads=1)
    found = choose(tmp_path, state, count=12, options=options)
    good = good_folder(tmp_path, 12)
    shutil.copy(good / "0000.png", good / "9999.png")
    job = auto.accept(parts.config(tmp_path), "lid", "default", None, dataclasses.replace(options, files=found.files))
    assert [path.name for path in job.listed(good, None).good] == [f"{i:04}.png" for i in range(12)]


def test_parts_held_out_for_the_threshold_have_no_say(tmp_path: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the promise that rests on them would not be exact."""
    seen: list[str] = []
    dealt = auto.exam.deal

    def deal(good, bad, shortest, seed):  # type: ignore[no-untyped-def] # looks at what is dealt
        seen.extend(sample.name for sample in good)
        return dealt(good, bad, shortest, seed)

    monkeypatch.setattr(auto.exam, "deal", deal)
    options = Options(threads=1, holdout=0.25)
    choose(tmp_path, state, options=options, count=32)
    job = auto.accept(parts.config(tmp_path), "lid", "default", None, options)
    names = [f"good/{i:04}.png" for i in range(32)]
    split = job.split([name.removeprefix("good/") for name in names])
    assert sorted(seen) == [name for name, fold in zip(names, split.fold_of, strict=True) if fold != 0]


def test_known_defects_have_their_say(alone: Chosen, tmp_path: Path, state: StateDir) -> None:
    """Twenty that only the coarse setting would need no help to find make both equal, and the preferred one stays."""
    bad = parts.write(tmp_path / "bad", {f"{i:04}.png": parts.bad_part(i, 128)[0] for i in range(60)})
    helped = choose(tmp_path, state, bad=bad)
    assert alone.choice is not None
    assert helped.choice is not None
    gap = [one.choice.tried[0].score - one.choice.tried[1].score for one in (alone, helped)]
    assert abs(gap[1]) < abs(gap[0])


def test_the_bundle_keeps_what_was_tried_and_is_the_same_again(alone: Chosen, tmp_path: Path, state: StateDir) -> None:
    """Scores stand in the manifest and are part of the fingerprint; what a part takes on this machine is neither."""
    prints, good = [], good_folder(tmp_path, 24)
    assert alone.choice is not None
    for ms in (20.0, 30.0):
        rows = [dataclasses.replace(one, ms=ms) for one in alone.choice.tried]
        options = Options(threads=1, choice=dataclasses.replace(alone.choice, tried=rows))
        config = parts.config(tmp_path, method=alone.method)
        result = calibrate(config, "lid", "default", good, None, state, options)
        told = {name: value for name, value in result.metrics.items() if name.startswith("auto_score.")}
        assert told == {f"auto_score.{one.settings}": one.score for one in rows}
        prints.append(result.fingerprint)
    assert prints[0] == prints[1]


def test_ctrl_c_leaves_nothing(tmp_path: Path, state: StateDir) -> None:
    """Pressed while the settings are asked."""

    def press(stage: str) -> None:
        if stage.startswith("settings"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="nothing was written"):
        choose(tmp_path, state, progress=Watch(press))
    assert list(state.root.rglob("*")) == []
