"""A trigger is kept until dispatch has it, and a picture that cannot be sent is said to be lost."""

import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from inspectd import image
from inspectd.ingest.camera import cut
from inspectd.ingest.ingestd import main
from inspectd.station.schema import Camera, Config, Line, Roi, Station
from inspectd.wire.child import Seat
from inspectd.wire.enums import Reason
from inspectd.wire.messages import (
    Ack,
    Beat,
    Frame,
    Health,
    Key,
    NoFrame,
    Order,
    Place,
    Shoot,
    SourceState,
    StationBeat,
    Trigger,
)  # fmt: skip
from inspectd.wire.sockets import Hub
from tests.support import receive, send, until


class Dispatch:
    """dispatch's and the supervisor's ends of the channels, moved by hand."""

    def __init__(self, hub: Hub) -> None:
        self.triggers, self.frames = hub.bind("triggers"), hub.bind("frames")
        self.beats, self.orders = hub.bind("beats"), hub.bind("orders")
        self.source = self.child = b""

    def beat(self, session: str = "one", ready: bool = True) -> None:
        state = {"a": StationBeat(ready=ready, fingerprint="f", product="default")}
        self.beats.send(Beat(session=session, n=1, t_ns=0, stations=state))

    def next(self, kind: type, session: str = "one"):
        """Return the next message of a kind on `triggers`, beating meanwhile."""

        def got():
            self.beat(session)
            envelope = self.triggers.receive()
            if envelope and isinstance(envelope.message, kind):
                self.source = envelope.sender
                return envelope.message
            return None

        return until(got, 5, kind.__name__)

    def stop(self) -> None:
        """Order the stop."""
        self.child = receive(self.orders).sender
        send(self.orders, Order(id=1, what="stop", args={}), to=self.child)

    def ack(self, key) -> None:
        send(self.triggers, Ack(key=key), to=self.source)

    def release(self, thread: threading.Thread) -> None:
        """Order the stop, if that was not done, and acknowledge whatever still comes, until ingestd has ended."""
        if not self.child:
            self.stop()

        def ended():
            for envelope in self.triggers.drain():
                if isinstance(envelope.message, Trigger | NoFrame):
                    ack = Ack(key=envelope.message.key, no_frame=isinstance(envelope.message, NoFrame))
                    self.triggers.send(ack, to=envelope.sender)
            return not thread.is_alive()

        until(ended, 10, "the end of ingestd")


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(40):
        (folder / f"part-{number:02d}.png").write_bytes(image.encode_png(np.full((400, 500), number, np.uint8)))
    return folder


@pytest.fixture
def start(run_dir, tmp_path, pictures) -> Iterator:
    hub, threads = Hub(run_dir), []
    dispatch = Dispatch(hub)

    def run(rate=200.0, loop=False, **more) -> Dispatch:
        camera = Camera(kind="folder", path=str(pictures), rate=rate, loop=loop)
        station = Station(station="a", camera=camera, deadline_ms=100, **more)
        config = Config(str(tmp_path), Line(), {"a": station}, {"a": str(tmp_path / "a.yaml")})
        seat = Seat("ingestd-a", "a", config, tmp_path / "state", run_dir)
        threads.append(threading.Thread(target=main, args=(seat,), daemon=True))
        threads[0].start()
        return dispatch

    yield run
    try:
        for thread in threads:
            dispatch.release(thread)
    finally:
        hub.close()


def test_keys_count_from_one_and_a_trigger_comes_again_until_it_is_acknowledged(start):
    dispatch = start()
    first = dispatch.next(Trigger)
    assert (first.key.run, first.key.seq, first.part_id) == (1, 1, "part-00")
    again = until(lambda: (m := dispatch.next(Trigger)).key.seq == 1 and m, 5, "the first trigger again")
    assert again == first


def test_a_part_that_a_plc_announced_before_the_stop_still_gets_its_picture(start):
    dispatch = start(trigger="plc")
    assert dispatch.next(SourceState).camera
    send(dispatch.triggers, Shoot(key=Key("a", 7, 1)), to=dispatch.source)
    dispatch.stop()
    assert receive(dispatch.frames).message.key == Key("a", 7, 1)


def test_the_picture_follows_on_frames_with_the_key_of_its_trigger(start):
    dispatch = start(roi=Roi(x=8, y=4, width=32, height=16))
    trigger = dispatch.next(Trigger)
    envelope = receive(dispatch.frames)
    assert isinstance(envelope.message, Frame)
    assert envelope.message.key == trigger.key
    assert envelope.message.shape == (16, 32)
    assert envelope.message.corner == (8, 4)
    assert bytes(envelope.parts[0]) == bytes(16 * 32)


def test_a_full_frames_channel_is_reported_as_overload_and_no_trigger_is_lost(start):
    dispatch = start(rate=1000.0)
    lost = dispatch.next(NoFrame)  # nobody reads frames: its few places fill up
    assert lost.reason is Reason.OVERLOAD


def test_a_new_dispatch_hears_everything_that_is_not_acknowledged_and_then_the_last_seq(start):
    dispatch = start()
    dispatch.next(Trigger)
    until(lambda: dispatch.next(Trigger).key.seq >= 5, 5)
    seen = []

    def told():
        dispatch.beat("two")
        envelope = dispatch.triggers.receive()
        if envelope:
            seen.append(envelope.message)
        return isinstance(seen[-1], SourceState) and seen[-1].last_seq > 0 if seen else False

    until(told, 5, "SourceState")
    seqs = [message.key.seq for message in seen if isinstance(message, Trigger)]
    last = seqs[len(seqs) - 1 - seqs[::-1].index(1) :]
    assert last == list(range(1, seen[-1].last_seq + 1))


def test_with_rate_max_it_waits_for_places_and_goes_on_when_one_is_given(start):
    dispatch = start(rate="max")
    window = 8 * 3  # max_batch of the default line, for one worker: in work, waiting, on the way
    keys = []

    def all_out():
        dispatch.beat()
        envelope = dispatch.triggers.receive()
        if envelope and isinstance(envelope.message, Trigger):
            dispatch.source = envelope.sender
            dispatch.ack(envelope.message.key)
            if envelope.message.key not in keys:
                keys.append(envelope.message.key)
        while dispatch.frames.receive():
            pass
        return len(keys) >= window

    until(all_out, 10)
    assert len(keys) == window
    send(dispatch.triggers, Place(key=keys[0]), to=dispatch.source)
    assert until(lambda: all_out() and len(keys) == window + 1, 5)


def test_it_waits_with_its_first_picture_until_the_station_is_ready(start):
    dispatch = start()
    for _ in range(20):
        dispatch.beat(ready=False)
        threading.Event().wait(0.005)
        envelope = dispatch.triggers.receive()
        assert envelope is None or not isinstance(envelope.message, Trigger)
    assert dispatch.next(Trigger).key.seq == 1


class TestTap:
    """Copies for whoever captures pictures; inspection does not notice."""

    def inspected(self, dispatch: Dispatch, seen: list[Key]) -> int:
        """Take what ingestd sends to dispatch, as dispatch does; return how many pictures came up to now."""
        dispatch.beat()
        for envelope in dispatch.triggers.drain():
            if isinstance(envelope.message, Trigger | NoFrame):
                ack = Ack(key=envelope.message.key, no_frame=isinstance(envelope.message, NoFrame))
                dispatch.triggers.send(ack, to=envelope.sender)
                assert not isinstance(envelope.message, NoFrame), "a picture was kept from inspection"
                dispatch.source = envelope.sender
        for envelope in dispatch.frames.drain():
            seen.append(envelope.message.key)
            dispatch.triggers.send(Place(key=seen[-1]), to=dispatch.source)
        return len(seen)

    def tapped(self, dispatch: Dispatch) -> float:
        """How many copies ingestd says that it made."""
        health = until(lambda: [e.message for e in dispatch.orders.drain() if isinstance(e.message, Health)], 5, "Health")
        return health[-1].counters["tapped"]

    def test_whoever_subscribes_gets_the_pictures_that_go_to_inspection(self, start, run_dir):
        """The same pixels, places, names and keys, counted from 1."""
        dispatch = start(rate="max", loop=True, roi=Roi(x=8, y=4, width=32, height=16))
        with Hub(run_dir) as hub:
            reader, seen = hub.connect("tap", subject="a"), []
            until(lambda: self.inspected(dispatch, seen) >= 5, 10)
            got = until(lambda: self.inspected(dispatch, seen) and reader.receive(), 5)
            until(lambda: self.inspected(dispatch, seen) and got.message.key in seen, 5)
        frame = got.message
        assert (frame.n, frame.shape, frame.corner, frame.camera_px) == (1, (16, 32), (8, 4), (400, 500))
        assert bytes(got.parts[0]) == bytes([int(frame.name[5:7])]) * (16 * 32)

    def test_without_a_reader_no_copy_is_made(self, start, run_dir):
        """Neither before somebody came nor after the last one left."""
        dispatch, seen = start(rate="max", loop=True), []
        until(lambda: self.inspected(dispatch, seen) >= 20, 10)
        assert self.tapped(dispatch) == 0
        with Hub(run_dir) as hub:
            reader = hub.connect("tap", subject="a")
            until(lambda: self.inspected(dispatch, seen) and reader.receive(), 5)

        def none_more() -> bool:
            count, before = self.tapped(dispatch), len(seen)
            until(lambda: self.inspected(dispatch, seen) >= before + 10, 10)
            return self.tapped(dispatch) == count

        until(none_more, 10, "copies to end")

    def test_a_reader_that_does_not_read_loses_pictures_and_inspection_none(self, start, run_dir):
        """It waits for 60 pictures of 200 kB and then reads: inspection had each of them, and the gap shows in n."""
        dispatch, seen, got = start(rate="max", loop=True), [], []
        with Hub(run_dir) as hub:
            reader = hub.connect("tap", subject="a")
            until(lambda: self.inspected(dispatch, seen) and self.tapped(dispatch) >= 60, 20)

            def gap() -> bool:
                self.inspected(dispatch, seen)
                got.extend(envelope.message for envelope in reader.drain())
                return len(got) > 1 and got[-1].n > len(got) + 5

            until(gap, 10, "a gap in n")
        assert [frame.n for frame in got] == sorted({frame.n for frame in got})
        assert [key.seq for key in seen] == list(range(1, len(seen) + 1))


def test_a_part_whose_file_name_is_no_text_has_a_part_id_that_can_be_shown(start, pictures):
    (pictures / os.fsdecode(b"a\xff\x1b[2J.png")).write_bytes((pictures / "part-00.png").read_bytes())
    dispatch = start(group_by="^(a.+)$")
    trigger = dispatch.next(Trigger)
    assert (trigger.part_id, trigger.lot) == (r"a\xff\x1b[2J", r"a\xff\x1b[2J.png")
    assert receive(dispatch.frames).message.name == r"a\xff\x1b[2J.png"


class TestCut:
    def test_without_a_roi_the_whole_picture_goes(self):
        pixels = np.zeros((4, 6, 3), np.uint8)
        assert cut(pixels, None).shape == (4, 6, 3)

    def test_the_roi_is_cut_at_its_pixels_and_contiguous(self):
        pixels = np.arange(24 * 32, dtype=np.uint16).astype(np.uint8).reshape(24, 32)
        roi = cut(pixels, Roi(x=3, y=5, width=16, height=17))
        np.testing.assert_array_equal(roi, pixels[5:22, 3:19])
        assert roi.flags["C_CONTIGUOUS"]

    def test_a_picture_that_does_not_contain_the_roi_gives_none(self):
        assert cut(np.zeros((20, 20), np.uint8), Roi(x=10, y=0, width=16, height=16)) is None
