"""The command line: what it prints, what it returns, and that no foreseeable mistake ends in a traceback."""

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from inspectd.cli import learning
from inspectd.cli.app import app
from inspectd.demo import parts
from inspectd.errors import DaemonError, MissingExtra
from inspectd.station.state import StateDir
from inspectd.supervisor.lock import Lock
from inspectd.text import share_of
from tests.cli.typed import inspectd

COMMANDS = (
    ["init"], ["check"], ["calibrate"], ["activate"], ["demo-parts"], ["run"], ["status"], ["trigger"], ["stop"], ["replay"],
    ["show"], ["evaluate"], ["backbone"], ["backbone", "list"], ["backbone", "add"],
    ["benchmark"], ["benchmark", "line"], ["benchmark", "accuracy"],
    ["benchmark", "speed"], ["benchmark", "coreset"], ["benchmark", "peers"],
    ["demo"],
)  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_tells_what_it_does(words: list[str]) -> None:
    """--help of each command is a sentence and its options, and ends well."""
    result = inspectd(*words, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize("words", [words for words in COMMANDS if words != ["backbone"]], ids=" ".join)
def test_the_overview_says_each_command_in_one_line_of_a_terminal(words: list[str]) -> None:
    """Terminals of 80 columns leave 64 to the sentence: more would be broken."""
    command: Any = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    first = command.help.partition("\n\n")[0]
    assert first.endswith(".")
    assert len(first) <= 64


def test_the_main_help_documents_the_exit_codes() -> None:
    """Scripts rely on them."""
    words = " ".join(inspectd("--help").output.split())
    assert "0 ok, 1 failed, 2 bad input" in words
    assert "INSPECTD_CONFIG" in words


@pytest.mark.parametrize("words", [["no-such"], ["init"], ["check", "--no-such"], ["activate", "flange", "x"], ["show"]])
def test_a_wrong_command_line_returns_2(words: list[str]) -> None:
    """Usage errors are bad input."""
    assert inspectd(*words).exit_code == 2


def test_a_new_station_is_written_checked_and_refused_the_second_time(tmp_path: Path) -> None:
    """init, then check tells of the missing pictures with the command that helps; init again changes nothing."""
    config = tmp_path / "stations"
    assert inspectd("init", "washer", "--config", config).exit_code == 0
    checked = inspectd("check", "--config", config, "--state", tmp_path / "state")
    assert checked.exit_code == 2
    assert "camera.path" in checked.stderr
    assert f"mkdir -p {tmp_path}/pictures/washer" in checked.stderr
    assert inspectd("init", "washer", "--config", config).exit_code == 2


def test_check_of_a_good_line_ends_well_and_warns_of_the_missing_bundle(line: Path) -> None:
    """Nothing is started and nothing is written."""
    result = inspectd("check")
    assert result.exit_code == 0
    assert "nothing wrong" in result.stdout
    assert "inspectd calibrate flange --good DIR" in result.stderr
    assert not (line / "state").exists()


@pytest.mark.parametrize(
    ("method", "key"),
    [
        ("{layers: [4, 99]}", "layers: expected layers that lite2 offers"),
        ("{backbone: lite1}", "backbone: expected one of lite0, lite2"),
        ("{search: ivfpq, bank: 500}", "bank: expected at least 9,984 vectors"),
    ],
)
def test_check_refuses_method_settings_that_no_calibration_takes(line: Path, method: str, key: str) -> None:
    """With file, line and key, before any picture is taken."""
    path = line / "stations" / "flange.yaml"
    path.write_text(f"{path.read_text()}method: {method}\n")
    result = inspectd("check")
    assert result.exit_code == 2
    assert f"{path}:4: method.{key}" in result.stderr


def test_check_without_the_extra_says_what_it_did_not_check(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line PC need not have what calibration needs: the rest is checked."""
    monkeypatch.setattr(learning.importlib.util, "find_spec", lambda _name: None)
    path = line / "stations" / "flange.yaml"
    path.write_text(f"{path.read_text()}method: {{layers: [4, 99]}}\n")
    result = inspectd("check")
    assert result.exit_code == 0
    assert "method settings were not checked" in result.stderr


def test_a_file_given_for_the_directory_is_told_as_what_it_is(line: Path) -> None:
    """Whoever names the station file is told to name its directory."""
    result = inspectd("check", "--config", line / "stations" / "flange.yaml")
    assert result.exit_code == 2
    assert "expected a directory of station files, got a file (name its directory)" in result.stderr


def test_commands_in_messages_can_be_pasted_whatever_the_path(tmp_path: Path) -> None:
    """A directory with a space in its name is quoted."""
    config = tmp_path / "my line"
    assert f"inspectd check --config '{config}'" in inspectd("init", "washer", "--config", config).stdout
    assert f"--config '{tmp_path}/no line'" in inspectd("check", "--config", tmp_path / "no line").stderr


def test_check_prints_every_problem_on_a_line_of_its_own(line: Path) -> None:
    """Two mistakes in one file are two lines on stderr, each with file, line and key."""
    path = line / "stations" / "flange.yaml"
    path.write_text(path.read_text().replace("250", "soon") + "sead: 1\n")
    result = inspectd("check")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"error: {path}:3: deadline_ms: expected a number")
    assert lines[1].startswith(f"error: {path}:4: sead: expected one of the keys")
    assert "did you mean seed?" in lines[1]


def test_run_refuses_a_machine_that_is_not_ready_before_anything_starts(line: Path, run_dir: Path) -> None:
    """A run directory that others can enter is told; no state is written."""
    run_dir.chmod(0o755)
    result = inspectd("run")
    assert result.exit_code == 2
    assert f"chmod 700 {run_dir}" in result.stderr
    assert not (line / "state").exists()


def test_run_refuses_a_second_daemon(line: Path, run_dir: Path) -> None:
    """The pid of the first is named."""
    with Lock(run_dir):
        result = inspectd("run")
    assert result.exit_code == 2
    assert "no daemon on it, got one with pid" in result.stderr


@pytest.mark.parametrize("words", [["status"], ["trigger", "flange"], ["stop"]], ids=" ".join)
def test_without_a_daemon_commands_to_it_return_1_and_name_the_run_directory(
    line: Path, run_dir: Path, words: list[str]
) -> None:
    """They fail at once: nothing listens."""
    result = inspectd(*words)
    assert result.exit_code == 1
    assert str(run_dir) in result.stderr
    assert "inspectd run" in result.stderr


@pytest.mark.parametrize("words", [["status"], ["stop"], ["trigger", "flange"], ["replay"], ["show", "x"]], ids=" ".join)
def test_a_running_line_is_reached_and_its_journal_read_while_somebody_edits_the_files(line: Path, words: list[str]) -> None:
    """Whatever is wrong in line.yaml and the station files, these need to know only where things lie."""
    (line / "stations" / "line.yaml").write_text("workers: {\n")
    result = inspectd(*words)
    assert result.exit_code == 1
    assert "line.yaml" not in result.stderr


def test_where_the_run_directory_cannot_be_known_the_option_is_named(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """line.yaml would say, and cannot be read."""
    (line / "stations" / "line.yaml").write_text("workers: {\n")
    monkeypatch.delenv("INSPECTD_RUN_DIR")
    result = inspectd("status")
    assert result.exit_code == 2
    assert "--run-dir DIR" in result.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["activate", "flang", "1"], "one of the stations flange"),
        (["activate", "flange", "1", "--product", "x"], "the products default"),
    ],
    ids=["station", "product"],
)
def test_an_unknown_name_is_answered_with_those_that_there_are(line: Path, words: list[str], hint: str) -> None:
    """A typing mistake costs one look."""
    result = inspectd(*words)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_calibrate_without_the_extra_stops_before_any_work(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the packages, the extra and the command that installs it."""
    monkeypatch.setattr(learning.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"onnx and matplotlib.*extra `calibrate`.*pip install"):
        learning.need_extra()
    assert inspectd("calibrate", "flange", "--good", line).exit_code == 2


@pytest.mark.parametrize("share", ["0", "0.5", "50%", "nan", "-1", "x%"])
def test_a_false_reject_share_that_is_none_is_refused(line: Path, share: str) -> None:
    """Between 0 and a half, or the word best."""
    result = inspectd("calibrate", "flange", "--good", line, "--max-false-reject", share)
    assert result.exit_code == 2
    assert "--max-false-reject: expected a share" in result.stderr


@pytest.mark.parametrize("share", ["0.01", "60%", "nan"])
def test_a_share_to_hold_out_is_not_too_small_and_not_too_large(line: Path, share: str) -> None:
    """A twentieth to a half of the good parts."""
    result = inspectd("calibrate", "flange", "--good", line, "--holdout", share)
    assert result.exit_code == 2
    assert "--holdout: expected a share from 0.05 to 0.5" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["calibrate", "flange", "--good", "x"],
        ["evaluate", "flange", "x"],
        ["benchmark", "line"],
        ["benchmark", "accuracy", "--data", "x"],
        ["benchmark", "speed", "--data", "x"],
        ["benchmark", "coreset", "--data", "x", "--peer-python", "x"],
        ["benchmark", "peers", "--data", "x", "--peer-python", "x"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_long_work_whose_figures_could_not_be_written_is_refused_at_once(line: Path, words: list[str]) -> None:
    """Not after minutes."""
    result = inspectd(*words, "--json", line / "missing" / "figures.json")
    assert result.exit_code == 2
    assert f"{line / 'missing'} is no directory" in result.stderr


def test_calibrate_on_a_folder_without_pictures_is_bad_input(line: Path) -> None:
    """The folder is named; no bundle is written."""
    result = inspectd("calibrate", "flange", "--good", line)
    assert result.exit_code == 2
    assert str(line) in result.stderr
    assert StateDir(line / "state").bundles("flange") == []


def test_a_picture_to_drop_that_is_not_there_is_bad_input(line: Path) -> None:
    """A slip of the pen must not leave a bad part among the good ones."""
    (line / "one.png").write_bytes(b"")
    result = inspectd("calibrate", "flange", "--good", line, "--drop", "one.png", "--drop", "two.png")
    assert result.exit_code == 2
    assert f"--drop: expected names of pictures in {line}, got two.png" in result.stderr


def test_ctrl_c_is_one_line_and_130(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback for a key that people press on purpose."""

    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parts, "write", pressed)
    result = inspectd("demo-parts", line / "new")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "interrupted"


def test_an_error_of_ours_is_a_message_and_its_exit_code(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Markup in a message is printed as it is, not obeyed."""

    def failing(*_: object) -> None:
        raise DaemonError("pid [red]7[/] is there")

    monkeypatch.setattr(parts, "write", failing)
    result = inspectd("demo-parts", line / "new")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "error: pid [red]7[/] is there"


def test_a_bug_is_not_dressed_up_as_bad_input(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody raised on purpose comes out as it is, to be reported."""
    monkeypatch.setattr(parts, "write", lambda *_: 1 / 0)
    assert isinstance(CliRunner().invoke(app, ["demo-parts", str(line / "new")]).exception, ZeroDivisionError)


def test_made_parts_are_written_and_counted(tmp_path: Path) -> None:
    """The command says how many there are and where to go on."""
    result = inspectd("demo-parts", tmp_path / "new", "--count", 4, "--seed", 2)
    assert result.exit_code == 0
    assert f"{parts.total(4)} pictures in {tmp_path / 'new'}" in result.stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--layers", "4;10"], "--layers 4;10: expected a whole number from 0 to 200, got the text '4;10'"),
        (["--input-px", "97"], "--input-px 97: expected a whole number from 64 to 1600, a multiple of 32"),
        (["--score", "mean"], "--score mean: expected one of power_mean, smoothed_max, max, eq7"),
        (["--shots", "0"], "--shots: expected numbers of good pictures like 1,5,20, got 0"),
        (["--ablate", "xx"], "'xx' is not one of 'p', 'layers', 'sampler',"),
        ([], "expected a folder train/good"),
    ],
    ids=["layers", "input_px", "score", "shots", "ablate", "layout"],
)
def test_a_benchmark_refuses_settings_and_folders_that_cannot_be(line: Path, words: list[str], hint: str) -> None:
    """Before anything is learnt."""
    result = inspectd("benchmark", "accuracy", "--data", line, *words)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_a_station_without_an_active_bundle_cannot_be_evaluated(line: Path) -> None:
    """The message names the command that makes one."""
    result = inspectd("evaluate", "flange", line)
    assert result.exit_code == 2
    assert "inspectd calibrate flange --good DIR" in result.stderr


@pytest.mark.parametrize(("typed", "share"), [("0.02", 0.02), ("2%", 0.02), (" 2 % ", 0.02), ("20%", 0.2)])
def test_shares_are_typed_as_numbers_or_in_per_cent(typed: str, share: float) -> None:
    """As every text of the product writes them."""
    assert share_of(typed) == pytest.approx(share)
