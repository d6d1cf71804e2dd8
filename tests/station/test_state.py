"""The state directory: run counters never repeat, `current` is whole or not there, damage is named."""

import os
from pathlib import Path

import pytest

from inspectd.errors import BadBundle, DaemonError, StateError
from inspectd.station import state as module
from inspectd.station.state import Current, StateDir, replace


def test_starts_of_a_source_are_counted_on_disk(state: StateDir) -> None:
    """Each start gets the next number, also in a new process; sources count for themselves."""
    assert [state.next_run("washer"), state.next_run("washer"), state.next_run("nut")] == [1, 2, 1]
    assert StateDir(state.root).next_run("washer") == 3


def test_a_damaged_run_counter_is_an_error_and_never_a_new_beginning(state: StateDir) -> None:
    """A run number used twice would let two triggers share a key."""
    state.next_run("washer")
    (state.root / "runs" / "washer").write_text("")
    with pytest.raises(DaemonError, match="keys could repeat"):
        state.next_run("washer")


def test_the_active_bundle_is_written_and_read_back(state: StateDir) -> None:
    """Each product has its own; none is None."""
    current = Current(bundle=3, fingerprint="0123456789abcdef", threshold=1.25)
    assert state.read_current("washer") is None
    state.write_current("washer", "default", current)
    assert state.read_current("washer") == current
    assert state.read_current("washer", "steel") is None


@pytest.mark.parametrize("data", [b"", b"{", b'{"bundle": "3"}', b"[]", b"\xff"])
def test_a_damaged_current_is_named(state: StateDir, data: bytes) -> None:
    """BadBundle with the path, never a guess at which bundle was meant."""
    replace(state.product("washer") / "current", data)
    with pytest.raises(BadBundle, match="washer/default/current"):
        state.read_current("washer")


def test_bundles_are_listed_by_number(state: StateDir) -> None:
    """Ten comes after nine, and what is no bundle is passed over."""
    for name in ("9", "10", "1", ".10.tmp", "x"):
        state.bundle("washer", "default", 1).with_name(name).mkdir(parents=True)
    assert state.bundles("washer") == [1, 9, 10]
    assert state.bundles("nut") == []


def test_a_file_is_replaced_whole_or_not_at_all(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails before its end leaves the old content."""
    path = state.root / "deep" / "file"
    replace(path, b"old")

    def failing(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(module.os, "fsync", failing)
    with pytest.raises(StateError, match=r"deep/file: cannot be written: disk full"):
        replace(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_counter_that_cannot_be_read_is_named(state: StateDir) -> None:
    """A directory stands where the file should be."""
    (state.root / "runs" / "washer").mkdir(parents=True)
    with pytest.raises(StateError, match=r"runs/washer: cannot be read: Is a directory"):
        state.next_run("washer")


def test_a_replaced_file_leaves_nothing_beside_it(state: StateDir) -> None:
    """The new file took the old one's place."""
    path = state.root / "file"
    replace(path, b"old")
    replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(state.root) == ["file"]  # noqa: PTH208 (hidden files are what is looked for)


def test_paths_lie_where_the_design_says(tmp_path: Path) -> None:
    """Others find them without asking."""
    state = StateDir(tmp_path)
    assert state.bundle("washer", "steel", 7) == tmp_path / "stations" / "washer" / "steel" / "bundles" / "7"
    assert {state.backbones.name, state.journal.name, state.spool.name, state.pictures.name} == {
        "backbones", "journal", "spool", "pictures",
    }  # fmt: skip
