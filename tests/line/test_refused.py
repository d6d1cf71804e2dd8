"""What a running line refuses changes nothing: the parts after it are judged as those before."""

import msgspec
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


def test_no_part_is_judged_by_a_threshold_that_is_not_the_bundles_own(line):
    """`current` is a plain file: a dispatch that starts with a threshold that was written there, or flipped, passes no part."""
    rig = line(count=120, rate=20)
    current = rig.state.read_current("flange")
    rig.start()
    rig.wait(lambda status: rig.opened(status) > 10)
    rig.state.write_current("flange", "default", msgspec.structs.replace(current, threshold=current.threshold * 10))
    rig.kill("dispatchd")
    rig.wait(lambda status: "as its product's `current` says" in status["stations"]["flange"]["fault"])
    status, parts = rig.finish()
    assert rig.check(status, parts).closes
    assert {part.threshold for part in parts if part.verdict != Verdict.UNDECIDED} == {current.threshold}
    assert parts[-1].reason_name == "no_bundle"
