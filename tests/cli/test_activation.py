"""A bundle becomes the active one only if it is whole; what the daemon refuses is told with whose task it is."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from inspectd.cli import options
from inspectd.cli.app import app
from inspectd.errors import StateError
from inspectd.station.state import StateDir
from inspectd.supervisor import control
from inspectd.wire.messages import Reply
from tests.cli.typed import inspectd
from tests.vision import make


def test_a_bundle_that_is_not_there_cannot_be_activated(line: Path) -> None:
    """It is bad input; those that are there are named."""
    result = inspectd("activate", "flange", 3)
    assert result.exit_code == 2
    assert "no bundle 3; there are: none" in result.stderr


def test_a_bundle_with_a_damaged_file_is_neither_activated_nor_good_enough_for_check(line: Path) -> None:
    """Both name the file and what is wrong with it; restored, the bundle can be activated, and check is content."""
    state = StateDir(line / "state")
    bank = make.idle_bundle(state, "flange").directory / "bank.npy"
    assert inspectd("activate", "flange", 1).exit_code == 0
    whole = bank.read_bytes()
    bank.write_bytes(whole[:-1] + b"?")
    for words in (["activate", "flange", 1], ["check"]):
        result = inspectd(*words)
        assert result.exit_code == 2
        assert f"{bank}: expected sha256" in result.stderr
    bank.write_bytes(whole)
    assert inspectd("check").exit_code == 0
    assert inspectd("activate", "flange", 1).exit_code == 0


def test_a_damaged_bundle_does_not_keep_the_line_from_starting(line: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its station starts in FAULT, the others run; the terminal says so."""
    made = make.idle_bundle(StateDir(line / "state"), "flange")
    inspectd("activate", "flange", 1)
    (made.directory / "golden.npz").unlink()
    options.ready(line / "stations", line / "state", line / "run")
    assert "golden.npz: cannot be read" in capsys.readouterr().err


def test_a_state_directory_that_takes_no_file_is_a_message_and_no_traceback(line: Path) -> None:
    """The file is named; nothing that was typed is wrong, so it is 1."""
    state = StateDir(line / "state")
    made = make.idle_bundle(state, "flange")
    (state.product("flange") / "current").mkdir()
    result = inspectd("activate", "flange", 1)
    assert result.exit_code == 1
    assert f"{made.directory.parents[1] / 'current'}: cannot be written: Is a directory" in result.stderr


def test_a_command_that_the_daemon_refuses_is_bad_input_where_who_asked_must_act(
    line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown station returns 2, one whose process is down returns 1."""
    for reply, code in ((Reply(ok=False, text="no station", bad_input=True), 2), (Reply(ok=False, text="is down"), 1)):
        monkeypatch.setattr(control, "ask", lambda *_, answer=reply: answer)
        result = inspectd("trigger", "flang")
        assert (result.exit_code, reply.text in result.stderr) == (code, True)


def test_a_bundle_made_for_another_roi_is_neither_activated_nor_good_enough_for_check(line: Path) -> None:
    """Both name file, line, key, expected and got; without the edit both are content again."""
    make.idle_bundle(StateDir(line / "state"), "flange")
    assert inspectd("activate", "flange", 1).exit_code == 0
    file = line / "stations" / "flange.yaml"
    before = file.read_text()
    file.write_text(f"{before}roi: {{x: 64, y: 0, width: 16, height: 16}}\n")
    for words in (["activate", "flange", 1], ["check"]):
        result = inspectd(*words)
        assert result.exit_code == 2
        assert f"{file}:4: roi: expected {{x: 0, y: 0, width: 96, height: 96}}, as the bundle was calibrated" in result.stderr
    file.write_text(before)
    assert inspectd("check").exit_code == inspectd("activate", "flange", 1).exit_code == 0


def test_activations_without_a_daemon_are_in_the_audit_also_the_refused_ones(line: Path) -> None:
    """Who, what, when and what came of it."""
    make.idle_bundle(StateDir(line / "state"), "flange")
    inspectd("activate", "flange", 1)
    inspectd("activate", "flange", 2)
    shown = [row.split() for row in inspectd("audit").stdout.splitlines() if "station=flange" in row]
    assert [("bundle=1" in row, "yes" in row, "refused" in row) for row in shown] == [(True, True, False), (False, False, True)]
    rows = inspectd("audit", "--csv", "-").stdout.splitlines()
    assert len(rows) == 3
    assert "no bundle 2; there are: 1" in rows[2]
    assert len(inspectd("audit", "--until", "2000-01-01", "--csv", "-").stdout.splitlines()) == 1


def test_a_journal_that_cannot_be_written_does_not_keep_a_bundle_from_being_activated(line: Path) -> None:
    """It is told."""
    state = StateDir(line / "state")
    make.idle_bundle(state, "flange")
    state.journal.write_text("no directory")
    result = inspectd("activate", "flange", 1)
    assert result.exit_code == 0
    assert "not in the journal" in result.stderr


def test_a_pause_without_a_daemon_that_cannot_be_kept_is_in_the_audit(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StateError("no space left")

    monkeypatch.setattr(StateDir, "write_paused", full)
    assert inspectd("mode", "flange", "pause").exit_code == 1
    begun, failed = inspectd("audit", "--csv", "-").stdout.splitlines()[1:]
    assert ",mode," in begun
    assert ",mode," in failed
    assert "no space left" in failed


@pytest.mark.parametrize("command", [("activate", 1), ("mode", "pause")])
def test_a_switch_on_disk_has_its_line_in_the_audit_before_it_is_made(
    line: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, object]
) -> None:
    """Whoever kills the command in between leaves a line too many, and no switch without one."""
    make.idle_bundle(StateDir(line / "state"), "flange")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for write in ("write_current", "write_paused"):
        monkeypatch.setattr(StateDir, write, killed)
    what, value = command
    CliRunner().invoke(app, [what, "flange", str(value)])
    (row,) = inspectd("audit", "--csv", "-").stdout.splitlines()[1:]
    assert f",{what}," in row
