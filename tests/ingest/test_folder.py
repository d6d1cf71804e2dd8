"""The folder camera replays pictures at the set rate, in the order of their names."""

import os

import numpy as np
import pytest

from inspectd import image
from inspectd.errors import CameraError
from inspectd.ingest.bookmark import Bookmark
from inspectd.ingest.folder import FolderCamera
from inspectd.wire.enums import Reason

MS = 1_000_000


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def picture(level=9):
    return image.encode_png(np.full((20, 30), level, np.uint8))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "pictures"
    made.mkdir()
    for name, level in (("b.png", 2), ("a.png", 1), ("c.png", 3)):
        (made / name).write_bytes(picture(level))
    return made


def camera(folder, rate=10.0, loop=False, triggered=False, session="one"):
    clock = Clock()
    made = FolderCamera(folder, rate, loop, Bookmark(folder.parent / "state" / "bookmark", session), clock, triggered)
    made.open()
    return made, clock


def names(camera, clock, turns, step_ms=100):
    seen = []
    for _ in range(turns):
        shot = camera.take()
        seen += [shot.name] if shot else []
        camera.prepare()
        clock.now += step_ms * MS
    return seen


def test_pictures_come_once_in_the_order_of_their_names_and_then_the_camera_is_done(folder):
    one, clock = camera(folder)
    assert names(one, clock, 5) == ["a.png", "b.png", "c.png"]
    assert one.done
    assert one.due_ns() is None


def test_a_looping_camera_starts_again(folder):
    one, clock = camera(folder, loop=True)
    assert names(one, clock, 5) == ["a.png", "b.png", "c.png", "a.png", "b.png"]
    assert not one.done


def test_nothing_is_taken_before_its_time(folder):
    one, clock = camera(folder, rate=10)
    assert names(one, clock, 9, step_ms=25) == ["a.png", "b.png", "c.png"]


def test_a_turn_that_came_late_does_not_shift_the_pictures_after_it(folder):
    one, clock = camera(folder, rate=10)
    one.take()
    clock.now = 150 * MS
    assert one.take()
    clock.now = 199 * MS
    assert one.take() is None
    clock.now = 200 * MS
    assert one.take()


def test_a_camera_that_is_far_behind_skips_ahead_instead_of_sending_a_burst(folder):
    one, clock = camera(folder, rate=10)
    one.take()
    clock.now = 1_000 * MS
    assert one.take()
    one.prepare()
    assert one.take() is None


@pytest.mark.parametrize(
    ("rate", "triggered", "after_ms"), [(10, False, 50), (50, False, 10), (1, True, 50), ("max", False, 0)]
)
def test_the_next_picture_is_decoded_between_two_of_them(folder, rate, triggered, after_ms):
    """Decoding takes the processor from the picture that is on its way, and may not be late for the next one."""
    one, clock = camera(folder, rate=rate, triggered=triggered)
    assert (one.shoot() if triggered else one.take()).name == "a.png"
    assert one.due_ns() == after_ms * MS
    (folder / "b.png").unlink()
    clock.now = (after_ms or 1) * MS - 1
    if after_ms:
        one.prepare()
    (folder / "b.png").write_bytes(picture())
    clock.now = after_ms * MS
    one.prepare()
    (folder / "b.png").unlink()
    clock.now = 1_000 * MS
    assert (one.shoot() if triggered else one.take()).pixels is not None


def test_with_rate_max_the_next_picture_is_due_at_once(folder):
    one, clock = camera(folder, rate="max")
    assert names(one, clock, 3, step_ms=0) == ["a.png", "b.png", "c.png"]


def test_a_triggered_camera_sets_no_pace_and_shoots_when_asked(folder):
    one, _ = camera(folder, triggered=True)
    assert one.due_ns() is None
    assert one.take() is None
    assert [one.shoot().name for _ in range(3)] == ["a.png", "b.png", "c.png"]
    assert one.shoot().reason is Reason.NO_FRAME


def test_a_file_that_is_no_picture_is_a_shot_without_pixels_and_the_next_one_comes(folder):
    (folder / "aa.png").write_text("hello")
    one, clock = camera(folder)
    one.take()
    one.prepare()
    clock.now = 100 * MS
    shot = one.take()
    assert (shot.pixels, shot.reason) == (None, Reason.BAD_PICTURE)
    assert "aa.png" in shot.text


@pytest.mark.parametrize("missing", [True, False])
def test_a_folder_that_is_missing_or_empty_is_a_camera_error_that_names_it(tmp_path, missing):
    path = tmp_path / "pictures"
    if not missing:
        path.mkdir()
    with pytest.raises(CameraError, match="pictures"):
        camera(path)


def test_a_name_that_is_no_text_or_steers_a_terminal_is_handed_out_with_escapes(folder):
    for name in (b"a\xff.png", b"a\n\x1b[2J.png", b"a\xfe.png"):
        (folder / os.fsdecode(name)).write_bytes(picture())
    (folder / os.fsdecode(b"a\xfe.png")).write_text("no picture")
    one, clock = camera(folder)
    seen = names(one, clock, 6)
    assert set(seen) == {"a.png", "b.png", "c.png", r"a\xff.png", r"a\n\x1b[2J.png", r"a\xfe.png"}


def test_what_is_no_regular_file_is_passed_over_and_never_waited_for(folder):
    os.mkfifo(folder / "aa.png")
    (folder / "ab.png").mkdir()
    one, clock = camera(folder)
    assert names(one, clock, 4) == ["a.png", "b.png", "c.png"]


class TestRestart:
    """Another process of the same daemon goes on where the one before died; another daemon begins anew."""

    def test_the_next_picture_follows_and_none_comes_twice(self, folder):
        first, _ = camera(folder)
        assert first.take().name == "a.png"
        second, clock = camera(folder)
        assert names(second, clock, 4) == ["b.png", "c.png"]

    def test_a_picture_that_was_only_decoded_ahead_still_comes(self, folder):
        camera(folder)
        second, clock = camera(folder)
        assert names(second, clock, 4) == ["a.png", "b.png", "c.png"]

    def test_at_the_end_of_the_folder_nothing_is_left(self, folder):
        first, clock = camera(folder)
        names(first, clock, 4)
        second, clock = camera(folder)
        assert names(second, clock, 2) == []
        assert second.done

    def test_a_looping_camera_finishes_its_round_and_begins_the_next_one_at_the_first_picture(self, folder):
        first, clock = camera(folder, loop=True)
        names(first, clock, 4)
        second, clock = camera(folder, loop=True)
        assert names(second, clock, 5) == ["b.png", "c.png", "a.png", "b.png", "c.png"]

    def test_a_triggered_camera_goes_on_too(self, folder):
        first, _ = camera(folder, triggered=True)
        first.shoot()
        second, _ = camera(folder, triggered=True)
        assert second.shoot().name == "b.png"

    def test_a_picture_that_went_meanwhile_or_has_a_name_that_is_no_text_does_no_harm(self, folder):
        odd = folder / os.fsdecode(b"a\xff.png")
        odd.write_bytes(picture())
        first, clock = camera(folder)
        assert names(first, clock, 2) == ["a.png", r"a\xff.png"]
        odd.unlink()
        second, clock = camera(folder)
        assert names(second, clock, 4) == ["b.png", "c.png"]

    def test_a_new_daemon_begins_with_the_first_picture(self, folder):
        first, clock = camera(folder)
        names(first, clock, 2)
        second, clock = camera(folder, session="two")
        assert names(second, clock, 4) == ["a.png", "b.png", "c.png"]

    def test_a_bookmark_that_cannot_be_kept_does_not_stop_the_line(self, folder):
        (folder.parent / "state").write_text("a file where a folder should be")
        one, clock = camera(folder)
        assert names(one, clock, 4) == ["a.png", "b.png", "c.png"]
