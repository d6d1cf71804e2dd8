"""What a running line refuses changes nothing: the parts after it are judged as those before."""

import pytest

from inspectd.wire.enums import Verdict
from tests.line.rig import Rig
from tests.line.test_reload import edit
from tests.line.test_versions import typed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FILES = (
    ("deadline_ms: 30000", "deadline_ms: 200", "deadline_ms: cannot change while the line runs"),
    ("station: flange", "station: {", "expected"),
    ("station: flange", "roi: {x: 8, y: 8, width: 64, height: 64}\nstation: flange", "roi: expected"),
)


def test_what_a_running_line_refuses_changes_nothing(line):
    """Files that it cannot take, and commands; every part has its verdict, by the bundle that was active at the start."""
    rig = line(count=160, rate=20, deadline_ms=30_000, more="products: [default, other]")
    current = rig.state.read_current("flange")
    rig.start()
    for before, after, words in FILES:
        assert_file_refused(rig, before, after, words)
    assert_commands_refused(rig)
    assert rig.state.bundles("flange") == [1]
    assert rig.state.read_current("flange") == current
    assert not (rig.state.root / "captured").exists()
    status, parts = rig.finish()
    assert rig.check(status, parts).closes
    assert Verdict.UNDECIDED not in {part.verdict for part in parts}
    assert {(part.fingerprint, part.threshold) for part in parts} == {(current.fingerprint, current.threshold)}


def assert_file_refused(rig: Rig, before: str, after: str, words: str) -> None:
    """A key that needs a restart, a file that is wrong, a roi for which no bundle was made."""
    edit(rig, before, after)
    result = typed(rig, "reload", "flange")
    assert (result.exit_code, words in result.stderr) == (2, True), result.stderr
    edit(rig, after, before)


def assert_commands_refused(rig: Rig) -> None:
    """A threshold that golden pictures contradict, a product that is not on the line, a trigger where the camera gives them."""
    for exit_code, words, command in (
        (2, "it would let all of them pass", ("threshold", "flange", 1e6, "--who", "anna", "--why", "x")),
        (2, "the line runs product default, got other", ("capture", "flange", "--count", 3, "--product", "other")),
        (1, "expected a station with `trigger: software`, got `trigger: camera`", ("trigger", "flange")),
    ):
        result = typed(rig, *command)
        assert (result.exit_code, words in result.stderr) == (exit_code, True), result.stderr
