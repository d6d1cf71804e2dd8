"""Pixels are held until their verdict, and one station cannot take the memory of another."""

from inspectd.dispatch.frames import Frames, Pixels
from inspectd.wire.messages import Frame, Key


def pixels(seq: int, station: str = "a") -> Pixels:
    return Pixels(Frame(key=Key(station, 1, seq), shape=(1, 1), pixel_format="mono8"), memoryview(b"\0"))


def test_a_station_beyond_its_share_is_refused_and_another_is_not():
    frames = Frames(share=2)
    assert frames.put(pixels(1))
    assert frames.put(pixels(2))
    assert not frames.put(pixels(3))
    assert frames.put(pixels(1, "b"))


def test_a_dropped_picture_gives_its_place_back_once():
    frames = Frames(share=1)
    frames.put(pixels(1))
    assert frames.drop(Key("a", 1, 1)) is not None
    assert frames.drop(Key("a", 1, 1)) is None
    assert frames.put(pixels(2))
    assert not frames.put(pixels(3))


def test_a_frame_in_work_waits_no_longer_and_waits_again_when_its_worker_is_lost():
    frames, key = Frames(share=2), Key("a", 1, 1)
    frames.put(pixels(1))
    frames.to_work(key)
    assert list(frames.waiting) == []
    assert frames.back(key)
    assert list(frames.waiting) == [key]
    frames.drop(key)
    assert not frames.back(key)
