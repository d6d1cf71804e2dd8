"""dispatchd on real channels, with a source, a worker and a plcd that the test moves by hand."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from inspectd import clock
from inspectd.dispatch import dispatchd
from inspectd.dispatch.dispatchd import FRAMES_PER_STATION, main
from inspectd.dispatch.spool import Spool
from inspectd.station.schema import Camera, Config, Line, Plc, PlcBlock, Station
from inspectd.station.state import Current, StateDir
from inspectd.wire.child import Seat
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from inspectd.wire.messages import (
    Ack,
    Answer,
    Answers,
    Beat,
    Closed,
    DeliveryAck,
    Frame,
    Held,
    Hold,
    Key,
    NoFrame,
    Opened,
    Order,
    Outcome,
    PlcState,
    Shoot,
    SourceState,
    Trigger,
    Work,
    WorkerState,
)
from inspectd.wire.sockets import Hub
from tests.support import receive, send, until

pytestmark = pytest.mark.slow  # a few tenths of a second each, on real channels
F = "f" * 16


class Peers:
    """A source, a worker, a plcd and a supervisor."""

    def __init__(self, hub: Hub) -> None:
        self.orders = hub.bind("orders")
        self.triggers, self.frames = hub.connect("triggers", "source"), hub.connect("frames")
        self.worker, self.plc = hub.connect("work", "worker-a"), hub.connect("deliveries")
        self.verdicts, self.beats = hub.connect("verdicts"), hub.connect("beats")
        self.hub = hub
        self.received: dict[str, int] = {}

    def trigger(self, seq: int, t_ns: int | None = None, run: int = 1, **more) -> Key:
        key = Key("a", run, seq)
        send(self.triggers, Trigger(key=key, t_ns=t_ns or clock.now_ns(), utc_ns=1, **more))
        return key

    def frame(self, key: Key) -> None:
        send(self.frames, Frame(key=key, shape=(2, 3), pixel_format="mono8"), [b"pixels"])

    def part(self, seq: int) -> Key:
        key = self.trigger(seq)
        self.frame(key)
        return key

    def next(self, port, kind):
        return until(lambda: (e := port.receive()) and isinstance(e.message, kind) and e.message, 10, kind.__name__)

    def closed(self) -> Closed:
        return self.next(self.verdicts, Closed)

    def say(self, session: str, port=None, name: str = "workerd-1", received: int | None = None) -> None:
        port = port or self.worker
        count = self.received.get(name, 0) if received is None else received
        state = WorkerState(
            session=session, name=name, places=8, received=count, held={F: Held("x", 1.0)}, refused={}, p95_ms={}
        )
        send(port, state)

    def join(self, port=None, name: str = "workerd-1") -> str:
        """Say hello as a worker; returns dispatch's session."""
        port = port or self.worker
        self.say("", port, name)
        session = self.next(port, Hold).session
        self.say(session, port, name)
        return session

    def work(self, port=None, name: str = "workerd-1") -> Work:
        work = self.next(port or self.worker, Work)
        self.received[name] = self.received.get(name, 0) + 1
        return work

    def answer(self, work: Work, score: float = 0.5, fingerprint: str = F) -> None:
        items = [Answer(key=item.key, fingerprint=fingerprint, score=score) for item in work.items]
        send(self.worker, Answers(session=work.session, items=items), [b""] * len(items))
        self.say(work.session)

    def order(self, what: str, **args: str) -> None:
        send(self.orders, Order(id=1, what=what, args=args), to=receive(self.orders).sender)


class Running:
    """A dispatchd that can be stopped and started on the same state."""

    def __init__(self, peers: Peers, seat: Seat) -> None:
        self.peers, self._seat, self._thread, self._starts = peers, seat, None, 0

    def start(self) -> None:
        # a process of its own has its own pid in its identity; threads of one process need another name
        self._starts += 1
        self._seat = replace(self._seat, process=f"dispatchd-{self._starts}")
        self._thread = threading.Thread(target=main, args=(self._seat,), daemon=True)
        self._thread.start()
        receive(self.peers.orders)
        receive(self.peers.beats)  # the subscriptions stand

    def stop(self) -> None:
        if self._thread:
            list(self.peers.orders.drain())
            self.peers.order("stop", hurry="yes")
            self.ended()

    def ended(self) -> None:
        """Wait for its end."""
        assert self._thread
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._thread = None


@pytest.fixture
def running(run_dir, tmp_path) -> Iterator[Running]:
    hub = Hub(run_dir)
    state = StateDir(tmp_path)
    state.write_current("a", "default", Current(1, F, 1.0))
    station = Station(station="a", camera=Camera(kind="folder", path="x"), deadline_ms=20_000, plc=PlcBlock(name="plc"))
    state.write_current("c", "default", Current(1, F, 1.0))
    line = Line(plcs={"plc": Plc(protocol="modbus_tcp", address="127.0.0.1:1")})
    others = {"b": {}, "c": {"trigger": "plc", "plc": PlcBlock(name="plc", block=1)}}
    made_of = {name: Station(station=name, camera=station.camera, deadline_ms=20_000, **more) for name, more in others.items()}
    config = Config(str(tmp_path), line, {"a": station, **made_of}, {})
    made = Running(Peers(hub), Seat("dispatchd", "", config, tmp_path, run_dir))
    made.start()
    yield made
    made.stop()
    hub.close()


@pytest.fixture
def peers(running: Running) -> Peers:
    return running.peers


def test_a_part_goes_from_trigger_to_verdict_and_to_the_plc_and_its_outcome_is_taken(peers):
    send(peers.plc, PlcState(plc="plc"))
    peers.join()
    key = peers.part(1)
    assert peers.next(peers.triggers, Ack).key == key
    assert peers.next(peers.plc, Opened).fingerprint == F
    peers.answer(peers.work())
    closed = peers.closed()
    assert (closed.key, closed.verdict, closed.score) == (key, Verdict.PASS, 0.5)
    assert 0 <= closed.frame_ms <= closed.sent_ms <= closed.scored_ms <= closed.closed_ms
    assert peers.next(peers.plc, Closed).verdict is Verdict.PASS
    send(peers.plc, Outcome(key=key, outcome=LineOutcome.DELIVERED, t_ms=3.0))
    assert until(lambda: (a := peers.next(peers.plc, DeliveryAck)).fact == "Outcome" and a).key == key


def test_a_trigger_is_in_the_spool_before_it_is_acknowledged(peers, tmp_path):
    key = peers.trigger(1)
    peers.next(peers.triggers, Ack)
    found = Spool.open(tmp_path / "spool")
    assert key in {record.key for record in found.recovered if isinstance(record, Opened)}
    found.close()


def test_what_plcd_does_not_acknowledge_is_sent_again(peers):
    send(peers.plc, PlcState(plc="plc"))
    peers.trigger(1)
    assert peers.next(peers.plc, Opened) == peers.next(peers.plc, Opened)


def test_a_station_without_a_bundle_closes_its_parts_at_once_as_no_bundle(peers):
    send(peers.triggers, Trigger(key=Key("b", 1, 1), t_ns=clock.now_ns(), utc_ns=1))
    assert peers.closed().reason is Reason.NO_BUNDLE


def test_a_picture_that_cannot_come_closes_its_part(peers):
    peers.join()
    key = peers.trigger(1)
    send(peers.triggers, NoFrame(key=key, reason=Reason.OVERLOAD))
    assert peers.closed().reason is Reason.OVERLOAD


def test_the_beat_says_that_the_last_part_had_no_verdict_until_one_has_again(peers):
    """The PLC sees it as Degraded."""
    peers.join()
    send(peers.triggers, NoFrame(key=peers.trigger(1), reason=Reason.NO_FRAME))
    until(lambda: peers.next(peers.beats, Beat).stations["a"].degraded == "the last part was undecided: no_frame")
    peers.part(2)
    peers.answer(peers.work())
    until(lambda: peers.next(peers.beats, Beat).stations["a"].degraded == "")


def test_a_picture_that_overtakes_its_trigger_waits_for_it(peers):
    peers.join()
    peers.frame(Key("a", 1, 1))
    peers.next(peers.beats, object)  # a turn of the loop has passed
    peers.trigger(1)
    assert [item.key.seq for item in peers.work().items] == [1]


def test_an_answer_with_another_fingerprint_than_the_assigned_one_is_not_believed(peers):
    peers.join()
    peers.part(1)
    peers.answer(peers.work(), fingerprint="0" * 16)
    assert peers.closed().reason is Reason.WRONG_BUNDLE


def test_the_frames_of_a_dead_worker_go_to_another_and_what_kills_two_is_poison(peers):
    other = peers.hub.connect("work", "worker-b")
    peers.join()
    peers.part(1)
    peers.work()
    peers.join(other, "workerd-2")
    peers.order("worker_died", name="workerd-1")
    assert [item.key.seq for item in peers.work(other, "workerd-2").items] == [1]
    list(peers.orders.drain())
    peers.order("worker_died", name="workerd-2")
    assert peers.closed().reason is Reason.POISON


def test_a_part_that_two_frozen_workers_owe_is_late_and_not_poison(peers):
    """Nobody died of it. It goes out twice and no more, and its deadline closes it."""
    other = peers.hub.connect("work", "worker-b")
    peers.join()
    peers.join(other, "workerd-2")
    key = peers.trigger(1, t_ns=clock.now_ns() - 18_000 * clock.MS)  # 2 s are left
    peers.frame(key)
    sent = []

    def closed():
        ports = (peers.worker, other)
        sent.extend(e.message.items[0].key for port in ports for e in port.drain() if isinstance(e.message, Work))
        return next((e.message for e in peers.verdicts.drain()), None)

    assert until(closed, 10).reason is Reason.LATE
    assert sent == [key, key]


def test_a_station_that_holds_its_share_of_pictures_gets_overload_and_not_the_memory_of_others(peers):
    for seq in range(1, FRAMES_PER_STATION + 2):
        peers.part(seq)
    assert peers.closed().reason is Reason.OVERLOAD


def test_a_second_answer_changes_nothing(peers):
    peers.join()
    peers.part(1)
    work = peers.work()
    peers.answer(work, score=5.0)
    peers.answer(work, score=0.1)
    assert peers.closed().verdict is Verdict.FAIL
    peers.part(2)
    peers.answer(peers.work())
    assert peers.closed().key.seq == 2


def test_a_key_that_a_source_says_it_sent_and_that_never_came_closes_as_lost(peers):
    send(peers.triggers, SourceState(station="a", run=1, last_seq=2))
    assert [peers.closed().reason for _ in range(2)] == [Reason.LOST, Reason.LOST]


def test_a_new_dispatch_knows_what_the_old_one_closed_and_counts_on(running, peers):
    peers.trigger(1)
    peers.next(peers.triggers, Ack)
    running.stop()  # closes it as STOPPED: the next one must not open it again
    running.start()
    peers.trigger(1)
    peers.trigger(2)
    acked = {peers.next(peers.triggers, Ack).key.seq for _ in range(2)}
    assert acked == {1, 2}
    list(peers.verdicts.drain())
    send(peers.triggers, NoFrame(key=Key("a", 1, 2), reason=Reason.OVERLOAD))
    closed = peers.closed()
    assert closed.key.seq == 2
    assert closed.n > 1


def test_a_trigger_of_a_plc_asks_the_camera_of_its_station_for_the_picture(peers):
    camera = peers.hub.connect("triggers", "camera")
    send(camera, SourceState(station="a", run=0, last_seq=0, camera=True))
    peers.next(peers.beats, object)
    key = peers.trigger(1, shoot=True)
    assert until(lambda: (e := camera.receive()) and isinstance(e.message, Shoot) and e.message).key == key


def test_when_a_camera_is_gone_the_next_beat_does_not_wait_for_its_turn(peers, monkeypatch):
    """With turns of hours, one comes nevertheless, and says that the station is not ready."""
    camera = peers.hub.connect("triggers", "camera")
    peers.join()
    send(camera, SourceState(station="c", run=0, last_seq=0, camera=True))
    until(lambda: peers.next(peers.beats, Beat).stations["c"].ready)
    monkeypatch.setattr(dispatchd.Dispatch, "_sleep_ms", lambda _self: 10.0)  # else it sleeps until then
    monkeypatch.setattr(dispatchd, "BEAT_EVERY_NS", clock.now_ns() // 2)
    list(peers.beats.drain())
    peers.order("camera_died", name="c")
    assert not until(lambda: [e.message for e in peers.beats.drain()])[-1].stations["c"].ready


def test_an_outcome_that_overtakes_the_trigger_of_a_plc_is_taken_when_it_comes_again(running, peers, tmp_path):
    """plcd may show Fail with Late before dispatch has ever heard of the part."""
    send(peers.plc, PlcState(plc="plc"))
    outcome = Outcome(key=Key("c", 1, 1), outcome=LineOutcome.STALE, t_ms=20_000.0)
    send(peers.plc, outcome)
    peers.next(peers.beats, object)
    peers.next(peers.beats, object)  # turns of the loop have passed
    send(peers.triggers, Trigger(key=outcome.key, t_ns=clock.now_ns() - 21_000 * clock.MS, utc_ns=1, shoot=True))
    assert peers.next(peers.triggers, Ack).key == outcome.key
    assert not [e for e in peers.plc.drain() if isinstance(e.message, DeliveryAck)]
    send(peers.plc, outcome)
    assert peers.next(peers.plc, DeliveryAck) == DeliveryAck(key=outcome.key, fact="Outcome")
    running.stop()
    found = Spool.open(tmp_path / "spool")
    assert [r.outcome for r in found.recovered if isinstance(r, Outcome)] == [LineOutcome.STALE]
    found.close()


def test_a_trigger_of_a_plc_that_comes_after_its_deadline_asks_for_no_picture(peers):
    """After a freeze of dispatch the camera would show another part, and the next part's picture would find no room."""
    camera = peers.hub.connect("triggers", "camera")
    send(camera, SourceState(station="c", run=0, last_seq=0, camera=True))
    peers.next(peers.beats, object)
    send(peers.triggers, Trigger(key=Key("c", 1, 1), t_ns=clock.now_ns() - 21_000 * clock.MS, utc_ns=1, shoot=True))
    send(peers.triggers, Trigger(key=Key("c", 1, 2), t_ns=clock.now_ns(), utc_ns=1, shoot=True))
    assert peers.closed().reason is Reason.LATE
    asked = until(lambda: (e := camera.receive()) and isinstance(e.message, Shoot) and e.message)
    assert asked.key == Key("c", 1, 2)


def test_at_a_stop_the_outcome_of_the_last_verdict_is_awaited_however_long_the_verdict_took(running, peers, tmp_path):
    """A frozen worker leaves the verdict to the deadline, long after the order; what the PLC read of it must be known."""
    send(peers.plc, PlcState(plc="plc"))
    key = peers.trigger(1, t_ns=clock.now_ns() - 18_200 * clock.MS)
    peers.next(peers.triggers, Ack)
    list(peers.orders.drain())
    peers.order("stop")
    assert peers.closed().key == key  # at its deadline, 1.8 s after the order
    peers.next(peers.plc, Closed)
    peers.next(peers.beats, object)
    peers.next(peers.beats, object)  # turns of the loop have passed
    send(peers.plc, Outcome(key=key, outcome=LineOutcome.DELIVERED, t_ms=19_999.0))
    assert until(lambda: (a := peers.next(peers.plc, DeliveryAck)) and a.fact == "Outcome" and a).key == key
    running.ended()
    found = Spool.open(tmp_path / "spool")
    assert [r.outcome for r in found.recovered if isinstance(r, Outcome)] == [LineOutcome.DELIVERED]
    found.close()


def test_a_hurried_stop_closes_open_parts_as_stopped(running, peers):
    peers.trigger(1)
    peers.next(peers.triggers, Ack)
    running.stop()
    assert peers.closed().reason is Reason.STOPPED
