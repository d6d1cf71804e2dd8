"""What is made beside the state is gone at the end, whatever happens, and what a killed maker left goes with the next one."""

from pathlib import Path

import pytest

from inspectd.errors import StateError
from inspectd.station.scratch import scratch
from inspectd.station.state import StateDir


def test_the_working_directory_is_gone_whatever_happens(state: StateDir) -> None:
    """After an error, too."""
    with scratch(state) as work:
        assert work.parent == state.root
    with pytest.raises(KeyError), scratch(state):
        raise KeyError
    assert list(state.root.iterdir()) == []


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in its way."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StateError, match=r"file/state: expected a state directory"),
        scratch(StateDir(tmp_path / "file/state")),
    ):
        pass


def test_a_place_that_will_not_take_what_is_made_is_named_before_any_work(state: StateDir) -> None:
    """One that takes it, there yet or not, stays as it is; so does the state directory."""
    (state.root / "stations").mkdir(parents=True)
    good, wrong = state.goals("cell", "default")[0], state.root / "stations" / "washer"
    with scratch(state, good):
        pass
    wrong.write_text("in the way")
    expected = "washer: expected a state directory that can be written, got Not a directory"
    with pytest.raises(StateError, match=expected), scratch(state, good, wrong / "default"):
        raise AssertionError("work began")
    assert sorted(path.name for path in state.root.rglob("*")) == ["stations", "washer"]


def test_what_a_killed_one_left_goes_and_that_of_a_living_one_stays(state: StateDir) -> None:
    """The lock tells them apart: a process that is gone holds none."""
    left = state.root / ".work-killed"
    left.mkdir(parents=True)
    (left / "graph.onnx").touch()
    with scratch(state) as living, scratch(state) as second:
        assert not left.exists()
        assert living.is_dir()
        assert second.is_dir()
    assert list(state.root.iterdir()) == []
