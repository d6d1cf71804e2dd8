"""Captured pictures keep their names, their lots, and each other."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspectd import image
from inspectd.capture.album import Album, free_name
from inspectd.errors import BadInput, StateError
from inspectd.station import state
from inspectd.text import group_of

LOT = r"^lot(\d+)-"
AT_END = r"-(\w+)\.png$"


@pytest.mark.parametrize(
    ("name", "group_by", "there", "kept"),
    [
        ("lot7-12.png", None, [], "lot7-12.png"),
        ("lot7-12.bmp", LOT, [], "lot7-12.png"),
        ("lot7-12.png", LOT, ["lot7-12.png"], "lot7-12~2.png"),
        ("lot7-12.png", LOT, ["lot7-12.png", "lot7-12~2.png"], "lot7-12~3.png"),
        ("12-lotA.png", AT_END, ["12-lotA.png"], "2~12-lotA.png"),
        ("part.12", None, [], "part.12.png"),
        (".hidden.png", None, [], "_.hidden.png"),
        ("a/b.png", None, [], "a_b.png"),
        (".", None, [], "_.png"),
    ],
)
def test_a_picture_keeps_its_name_as_a_png_or_gets_a_number_that_leaves_the_lot_readable(name, group_by, there, kept):
    """The number stands behind, or before where the lot stands at the end."""
    assert free_name(name, group_by, there.__contains__) == kept


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=300), max_size=6))
def test_any_names_can_be_kept_and_none_takes_anothers_place(names):
    """However long, whatever is in them, however often the same one comes: a folder takes each, and `calibrate` sees it."""
    there: set[str] = set()
    for name in names:
        kept = free_name(name, None, there.__contains__)
        assert kept not in there
        assert len(kept.encode()) <= 230
        assert not kept.startswith(".")
        assert not set(kept) & {"/", "\0"}
        assert Path(kept).suffix in image.SUFFIXES
        there.add(kept)


@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 4))
def test_the_lot_is_told_by_every_name(lot, part, times):
    """The same name again and again: `group_by` reads the same lot from each."""
    there: set[str] = set()
    for _ in range(times):
        there.add(free_name(f"lot{lot}-{part}.jpg", LOT, there.__contains__))
    assert len(there) == times
    assert {group_of(name, LOT) for name in there} == {str(lot)}


def test_two_captures_into_one_folder_do_not_mix(tmp_path):
    """The second is refused while the first one runs."""
    with Album(tmp_path / "new" / "folder", None) as album:
        assert album.add(b"one", "a.png") == "a.png"
        with pytest.raises(BadInput, match="another capture writes there"):
            Album(tmp_path / "new" / "folder", None)
    with Album(tmp_path / "new" / "folder", None) as album:
        assert album.add(b"two", "a.png") == "a~2.png"
    assert (tmp_path / "new" / "folder" / "a.png").read_bytes() == b"one"


def test_a_folder_that_cannot_be_written_is_named_before_any_picture(tmp_path):
    """A file stands in its way; nothing can be made in /proc, whoever asks."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "in", Path("/proc/1/captured")):
        with pytest.raises(BadInput, match=f"{folder}: expected a folder that can be written to.*--into"):
            Album(folder, None)


def test_a_full_disk_leaves_no_half_of_a_picture(tmp_path, monkeypatch):
    """What was kept before stays, the picture that did not fit is gone, and its temporary file too."""

    def full(_handle: int) -> None:
        raise OSError(28, os.strerror(28))

    with Album(tmp_path, None) as album:
        album.add(b"one", "a.png")
        monkeypatch.setattr(state.os, "fsync", full)
        with pytest.raises(StateError, match=r"b\.png: cannot be written: No space left on device"):
            album.add(b"two", "b.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
