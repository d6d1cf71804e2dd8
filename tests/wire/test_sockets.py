"""Ports on real ipc endpoints: nothing blocks, nothing is cut, and what does not fit its contract is counted and dropped."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inspectd.errors import DaemonError
from inspectd.supervisor.lock import RUN_DIR_MAX
from inspectd.wire import codec
from inspectd.wire.channels import CHANNELS
from inspectd.wire.messages import (
    Ack,
    Answer,
    Answers,
    Beat,
    Command,
    Frame,
    Hold,
    KeptPicture,
    Key,
    Order,
    Reply,
    Trigger,
    WorkerState,
)  # fmt: skip
from inspectd.wire.sockets import Hub
from tests.support import receive, send, until

BIG = (1080, 1920)


@pytest.fixture
def hubs(run_dir: Path) -> Iterator[tuple[Hub, Hub]]:
    """Two processes' ends of the channels of one run directory."""
    with Hub(run_dir) as ours, Hub(run_dir) as theirs:
        yield ours, theirs


def key(seq: int) -> Key:
    return Key("washer", 1, seq)


def frame(seq: int, shape: tuple[int, int] = BIG) -> Frame:
    return Frame(key=key(seq), shape=shape, pixel_format="mono8")


def test_a_message_and_its_answer_travel(hubs: tuple[Hub, Hub]) -> None:
    """A DEALER's message reaches the ROUTER with its sender, and the answer goes back to that sender."""
    router, dealer = hubs[0].bind("triggers"), hubs[1].connect("triggers", identity="ingestd-washer")
    trigger = Trigger(key=key(1), t_ns=5, utc_ns=6, part_id="a")
    send(dealer, trigger)
    envelope = receive(router)
    assert (envelope.sender, envelope.message, envelope.parts) == (b"ingestd-washer", trigger, [])
    assert router.send(Ack(key=key(1)), to=envelope.sender)
    assert receive(dealer).message == Ack(key=key(1))


def test_pixels_arrive_intact_in_order_and_in_parts_of_their_own(hubs: tuple[Hub, Hub]) -> None:
    """Pictures sent without a copy are the same bytes at the other end, big and small ones mixed."""
    pull, push = hubs[0].bind("pictures"), hubs[1].connect("pictures")
    rng = np.random.default_rng(1)
    sent = []
    for seq, shape in enumerate([BIG, (4, 4), (257, 255), (1, 1)], start=1):
        pixels, heat = rng.integers(0, 255, shape, dtype=np.uint8), rng.integers(0, 65_535, shape, dtype=np.uint16)
        kept = KeptPicture(key=key(seq), utc_ns=1, shape=shape, pixel_format="mono8", map_shape=shape)
        send(push, kept, [pixels, heat])
        sent.append((kept, pixels, heat))
    for kept, pixels, heat in sent:
        envelope = receive(pull)
        assert envelope.message == kept
        assert np.array_equal(codec.pixels(envelope.parts[0], kept.shape), pixels)
        assert np.array_equal(codec.heat(envelope.parts[1], kept.map_shape), heat)


def test_an_empty_map_is_an_empty_part(hubs: tuple[Hub, Hub]) -> None:
    """An answer without a map still has its place among the parts."""
    router, dealer = hubs[0].bind("work"), hubs[1].connect("work")
    answers = Answers(
        session="s", items=[Answer(key=key(n), fingerprint="f", map_shape=shape) for n, shape in ((1, ()), (2, (2, 2)))]
    )
    send(dealer, answers, [b"", np.ones((2, 2), np.uint16)])
    assert [part.nbytes for part in receive(router).parts] == [0, 8]


def test_a_full_channel_says_so_and_loses_nothing_that_it_took(hubs: tuple[Hub, Hub]) -> None:
    """Frames go out until the channel is full; then send says False at once, and all that were taken arrive whole."""
    router, dealer = hubs[0].bind("frames"), hubs[1].connect("frames")
    pixels = np.zeros(BIG, np.uint8)
    send(dealer, frame(1), [pixels])
    taken = 1
    while dealer.send(frame(taken + 1), [pixels]):
        taken += 1
        assert taken < 100, "the channel never became full"
    assert CHANNELS["frames"].hwm <= taken
    assert dealer.counts.refused >= 1
    assert [receive(router).message.key.seq for _ in range(taken)] == list(range(1, taken + 1))
    assert router.counts.bad == 0
    send(dealer, frame(taken + 1), [pixels])
    assert receive(router).message.key.seq == taken + 1


def test_with_nobody_there_a_send_says_so(hubs: tuple[Hub, Hub]) -> None:
    """A message to a process that has not started is not queued for it: it would be judged too late."""
    dealer = hubs[1].connect("frames")
    assert not dealer.send(frame(1, (1, 1)), [bytes(1)])
    assert dealer.counts.refused == 1
    router = hubs[0].bind("frames")
    send(dealer, frame(2, (1, 1)), [bytes(1)])
    assert receive(router).message.key.seq == 2


def test_a_send_to_a_peer_that_is_gone_says_so(run_dir: Path) -> None:
    """A ROUTER knows that a worker has died as soon as its connection has ended."""
    with Hub(run_dir) as ours:
        router = ours.bind("work")
        with Hub(run_dir) as theirs:
            dealer = theirs.connect("work", identity="workerd-1:1")
            state = WorkerState(session="", name="workerd-1", places=1, received=0, held={}, refused={}, p95_ms={})
            send(dealer, state)
            peer = receive(router).sender
            assert router.send(Hold(session="s", bundles=[]), to=peer)
        until(lambda: not router.send(Hold(session="s", bundles=[]), to=peer), what="the peer to be gone")
        assert router.counts.refused == 1


def test_a_send_to_a_peer_that_never_was_says_so(hubs: tuple[Hub, Hub]) -> None:
    """An unknown identity is an answer, not an exception and not silence."""
    router = hubs[0].bind("control")
    assert not router.send(Reply(ok=True), to=b"nobody")


def test_a_message_that_does_not_fit_is_counted_and_dropped(hubs: tuple[Hub, Hub]) -> None:
    """Junk, another version, a missing part and a short part are passed over; the good message behind them is received."""
    router, dealer = hubs[0].bind("frames"), hubs[1].connect("frames")
    good = codec.encode(frame(1, (2, 2)))
    send(dealer, frame(1, (2, 2)), [bytes(4)])
    receive(router)
    for bad in ([b"junk"], [b""], [b"\x63" + good[1:], bytes(4)], [good], [good, bytes(3)], [good, bytes(4), b""]):
        dealer.socket.send_multipart(bad)
    send(dealer, frame(2, (2, 2)), [bytes(4)])
    assert receive(router).message.key.seq == 2
    assert (router.counts.bad, router.counts.received) == (6, 2)


def test_a_slow_watcher_loses_and_nobody_waits(hubs: tuple[Hub, Hub]) -> None:
    """PUB never says full; what a watcher gets is in order, and its gaps show in n."""
    pub, sub = hubs[0].bind("beats"), hubs[1].connect("beats")

    def beat(n: int) -> Beat:
        return Beat(session="s", n=n, t_ns=0, stations={})

    numbers = iter(range(1, 1_000_000))
    first = until(lambda: pub.send(beat(next(numbers))) and sub.receive(), what="the subscription")
    for _ in range(2000):
        assert pub.send(beat(next(numbers)))
    got = [envelope.message.n for envelope in sub.drain(5000)]
    assert got == sorted(got)
    assert all(n > first.message.n for n in got)


def test_a_channel_that_can_be_watched_knows_whether_it_is(hubs: tuple[Hub, Hub], run_dir: Path) -> None:
    """From the first reader to the last one; a reader of another subject is none."""
    tap = hubs[0].bind("tap", "washer")
    assert not tap.watched()
    hubs[1].connect("tap", subject="nut")
    reader = hubs[1].connect("tap", subject="washer")
    with Hub(run_dir) as third:
        third.connect("tap", subject="washer")
        until(tap.watched, what="the first reader")
        assert hubs[0].wait(0) == set()  # what was taken in does not wake us again
    heard = until(lambda: (tap.send(frame(1, (2, 2)), [bytes(4)]) and None) or reader.receive(), what="the other reader")
    assert heard.message.key.seq == 1
    assert tap.watched()
    hubs[1].close()
    until(lambda: not tap.watched(), what="the last reader to be gone")


def test_stations_of_the_longest_names_have_taps_of_their_own_in_the_longest_run_directory(run_dir: Path) -> None:
    """A socket's path ends at 107 bytes."""
    deep = run_dir / ("d" * (RUN_DIR_MAX - len(str(run_dir)) - 1))
    deep.mkdir()
    with Hub(deep) as ours, Hub(deep) as theirs:
        names = ["s" * 31 + end for end in "ab"]
        taps = [ours.bind("tap", name) for name in names]
        readers = [theirs.connect("tap", subject=name) for name in names]
        for seq, (tap, reader) in enumerate(zip(taps, readers, strict=True), start=1):
            until(tap.watched, what="the subscription")
            tap.send(frame(seq, (2, 2)), [bytes(4)])
            assert receive(reader).message.key.seq == seq


def test_a_drain_ends_so_that_others_have_their_turn(hubs: tuple[Hub, Hub]) -> None:
    """At most so many messages of one channel are taken at once; the rest stay for the next turn."""
    router, dealer = hubs[0].bind("triggers"), hubs[1].connect("triggers")
    for seq in range(1, 6):
        send(dealer, Trigger(key=key(seq), t_ns=0, utc_ns=0))
    taken: list[int] = []
    until(lambda: taken.extend(envelope.message.key.seq for envelope in router.drain(at_most=3)) or len(taken) >= 3)
    until(lambda: taken.extend(envelope.message.key.seq for envelope in router.drain()) or len(taken) == 5)
    assert taken == [1, 2, 3, 4, 5]


def test_waiting_ends_when_something_can_be_read(hubs: tuple[Hub, Hub]) -> None:
    """A message on any port, or a watched descriptor, ends the sleep; a descriptor that is no longer watched does not."""
    router, dealer = hubs[0].bind("control"), hubs[1].connect("control")
    assert hubs[0].wait(0) == set()
    reader, writer = os.pipe()
    hubs[0].watch_fd(reader)
    os.write(writer, b"0")
    assert hubs[0].wait(5000) == {reader}
    hubs[0].unwatch_fd(reader)
    hubs[0].unwatch_fd(reader)
    assert hubs[0].wait(0) == set()
    os.close(reader)
    os.close(writer)
    send(dealer, Command(what="status", who="me", args={}))
    assert until(lambda: hubs[0].wait(5000) == set() and router.receive())


def test_traffic_is_counted_by_channel(hubs: tuple[Hub, Hub]) -> None:
    """What a hub tells its health report is what went through its ports."""
    router = hubs[0].bind("orders")
    assert not router.send(Order(id=1, what="stop", args={}), to=b"plcd-line1:7")  # which is not there yet
    dealer = hubs[1].connect("orders", identity="plcd-line1:7")
    send(dealer, Command(what="x", who="y", args={}))
    receive(router)
    assert hubs[0].counts() == {"orders": {"sent": 0, "received": 1, "refused": 1, "bad": 0}}


def test_a_place_where_no_socket_can_be_is_named(run_dir: Path) -> None:
    """A run directory that is missing gives an error with channel and path, not one of the library's."""
    with (
        Hub(run_dir / "missing") as hub,
        pytest.raises(DaemonError, match=f"channel control: cannot bind ipc://{run_dir}/missing"),
    ):
        hub.bind("control")


def test_sockets_can_be_bound_again_after_a_kill(run_dir: Path) -> None:
    """The file that a killed process left behind is in nobody's way."""
    (run_dir / "control.sock").touch()
    with Hub(run_dir) as hub, Hub(run_dir) as other:
        router, dealer = hub.bind("control"), other.connect("control")
        send(dealer, Command(what="status", who="me", args={}))
        assert receive(router).message.what == "status"


def test_a_dealer_finds_a_peer_that_came_back(run_dir: Path) -> None:
    """Sources need not restart with dispatch: the connection is made again by itself."""
    with Hub(run_dir) as theirs:
        dealer = theirs.connect("triggers", identity="ingestd-washer")
        for seq in (1, 2):
            with Hub(run_dir) as ours:
                router = ours.bind("triggers")
                got = until(lambda: dealer.send(Trigger(key=key(seq), t_ns=0, utc_ns=0)) and router.receive())  # noqa: B023
                assert got.message.key.seq == seq
