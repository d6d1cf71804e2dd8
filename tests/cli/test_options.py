"""Where things lie: options first, then line.yaml, then defaults."""

from pathlib import Path

import pytest

from inspectd.cli import options
from inspectd.errors import BadBundle, BadInput
from inspectd.station.state import StateDir


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(options, "_SYSTEM_RUN_DIR", tmp_path / "no-such")
    (tmp_path / "stations").mkdir()
    return tmp_path / "stations"


def test_without_a_word_state_lies_beside_the_configuration_and_sockets_within_it(config: Path) -> None:
    """So that a folder with stations/ works as it is."""
    where = options.places(config, None, None)
    assert (where.state.root, where.run_dir) == (config.parent / "state", config.parent / "state" / "run")


def test_line_yaml_names_places_relative_to_itself(config: Path) -> None:
    """Whoever moves the folder moves all of it."""
    (config / "line.yaml").write_text("state_dir: ../kept\nrun_dir: /tmp/sockets\n")
    where = options.places(config, None, None)
    assert (where.state.root, where.run_dir) == (config.parent / "kept", Path("/tmp/sockets"))


def test_options_go_before_line_yaml(config: Path, tmp_path: Path) -> None:
    """What is typed is meant."""
    (config / "line.yaml").write_text("state_dir: ../kept\nrun_dir: /tmp/sockets\n")
    where = options.places(config, tmp_path / "s", tmp_path / "r")
    assert (where.state.root, where.run_dir) == (tmp_path / "s", tmp_path / "r")


def test_a_run_directory_made_by_the_service_manager_is_used(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/run/inspectd is there and ours only under systemd."""
    monkeypatch.setattr(options, "_SYSTEM_RUN_DIR", tmp_path)
    assert options.places(config, None, None).run_dir == tmp_path


def test_places_are_absolute(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children and sockets know no working directory."""
    monkeypatch.chdir(config.parent)
    where = options.places(Path("stations"), Path("x/../state"), Path("run"))
    assert (where.state.root, where.run_dir) == (config.parent / "state", config.parent / "run")


@pytest.mark.parametrize("text", ["state_dir: 1\n", "workers: {count: [\n"], ids=["wrong", "no YAML"])
def test_a_line_yaml_that_does_not_say_where_is_an_error_only_where_it_is_asked(
    config: Path, tmp_path: Path, text: str
) -> None:
    """The error tells of the options; with them the file is not read."""
    (config / "line.yaml").write_text(text)
    for asked in (options.places, options.run_directory):
        with pytest.raises(BadInput, match=r"line\.yaml:(.|\n)*name them with --run-dir DIR and --state DIR"):
            asked(config, None, None)
    options.places(config, tmp_path, tmp_path)
    assert options.run_directory(config, None, tmp_path) == options.state_directory(config, tmp_path).root == tmp_path


def test_places_are_known_whatever_else_is_wrong_in_line_yaml(config: Path) -> None:
    """`status` and `stop` work while somebody edits the files."""
    (config / "line.yaml").write_text("state_dir: ../kept\nworkers: {count: many}\nrun_dri: x\n")
    assert options.run_directory(config, None, None) == config.parent / "kept" / "run"
    assert options.state_directory(config, None).root == config.parent / "kept"


def test_a_station_without_an_active_bundle_says_how_to_get_one(state: StateDir) -> None:
    """BadBundle with the command."""
    with pytest.raises(BadBundle, match="inspectd calibrate washer --good DIR"):
        options.active_bundle(state, "washer", "default")
