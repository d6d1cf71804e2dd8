"""When settings are looked for, and what is shown of those found."""

from pathlib import Path

import pytest

from calibration.choice import Choice, Tried
from calibration.grid import together
from inspectd.cli import choosing
from inspectd.errors import BadInput
from inspectd.station import load
from inspectd.station.schema import Config, Method, Tiling


def config(folder: Path, method: str = "") -> Config:
    (folder / "lid.yaml").write_text(f"station: lid\ncamera: {{kind: folder, path: in}}\ndeadline_ms: 250\n{method}\n")
    return load.load(folder, cameras=False)


def test_settings_are_looked_for_where_the_station_file_names_none(tmp_path: Path) -> None:
    """Even the default, where somebody wrote it, is theirs; what is typed goes before the file."""
    assert choosing.wanted(config(tmp_path), "lid", None, None)
    assert not choosing.wanted(config(tmp_path), "lid", False, None)
    named = config(tmp_path, "method: {input_px: 288}")
    assert not choosing.wanted(named, "lid", None, None)
    assert choosing.wanted(named, "lid", True, 50.0)


@pytest.mark.parametrize(("auto", "method", "why"), [(False, "", "--no-auto"), (None, "method: {power: 8}", "add --auto")])
def test_a_budget_for_settings_that_nobody_looks_for_is_refused(
    auto: bool | None, method: str, why: str, tmp_path: Path
) -> None:
    """It would be silently without effect."""
    with pytest.raises(BadInput, match=rf"--budget-ms: expected settings that are to be found, got .*{why}"):
        choosing.wanted(config(tmp_path, method), "lid", auto, 50.0)


def test_what_is_shown_can_be_written_into_the_station_file(tmp_path: Path) -> None:
    """Read back, it is the same method."""
    for method in (Method(), Method(backbone="lite0", layers=(4, 10), input_px=640, sigma=1.0), Method(tiling=Tiling(rows=3))):
        assert config(tmp_path, choosing.as_yaml(method)).stations["lid"].method == method
    both = together((Method(), Method(backbone="lite0", layers=(4, 10), input_px=640)))
    assert config(tmp_path, choosing.as_yaml(both)).stations["lid"].method == both


def test_the_table_shows_what_was_left_out_and_how_sure_the_choice_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A setting over the budget has its time and no score."""
    rows = [Tried("lite2", 0.912, 0.881, 0.934, 24, "chosen"), Tried("lite0", None, None, None, 180, "over budget")]
    choosing.show(Choice(rows, 120, "a share.", "Nobody was ahead."))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "settings, at most 120 ms a part",
        "settings score 95 % ms",
        "lite2 0.912 0.881 to 0.934 24 chosen",
        "lite0 180 over budget",
        "score: a share.",
        "Nobody was ahead.",
    ]
