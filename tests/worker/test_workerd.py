"""A worker announces what it holds, answers for its session alone, and refuses what it cannot trust."""

import shutil
import threading

import msgspec
import pytest
from structlog.testing import capture_logs

from inspectd.station.schema import Camera, Config, Line, Roi, Station, Workers
from inspectd.vision import neighbours
from inspectd.wire.child import Seat
from inspectd.wire.enums import Reason
from inspectd.wire.messages import Answers, BundleRef, Hold, Key, Order, Work, WorkerState, WorkItem
from inspectd.wire.sockets import Hub
from inspectd.worker.workerd import main
from tests.support import receive, send, until

pytestmark = pytest.mark.slow  # a real bundle is loaded


class Dispatch:
    """dispatch's and the supervisor's ends, moved by hand."""

    def __init__(self, hub):
        self.work, self.orders = hub.bind("work"), hub.bind("orders")
        self.worker = b""

    def state(self, condition=lambda _: True) -> WorkerState:
        def met():
            envelope = self.work.receive()
            if envelope and isinstance(envelope.message, WorkerState):
                self.worker = envelope.sender
                return envelope.message if condition(envelope.message) else None
            return None

        return until(met, 20, "a state of the worker")

    def answers(self) -> Answers:
        return until(lambda: (e := self.work.receive()) and isinstance(e.message, Answers) and e.message, 20, "answers")

    def hold(self, *refs: BundleRef, session="s") -> None:
        send(self.work, Hold(session=session, bundles=list(refs)), to=self.worker)

    def send_work(self, fingerprint, pixels, session="s", seq=1) -> None:
        item = WorkItem(Key("flange", 1, seq), fingerprint, 1000.0, pixels.shape, "mono8", pixels.shape[:2])
        send(self.work, Work(session=session, items=[item]), [pixels], to=self.worker)


@pytest.fixture
def roi():
    """Where the station looks, as its file says at the worker's start."""


@pytest.fixture
def dispatch(run_dir, tmp_path, roi):
    hub = Hub(run_dir)
    ends = Dispatch(hub)
    station = Station(station="flange", camera=Camera(kind="folder", path="x"), deadline_ms=100.0, roi=roi)
    line, file = Line(workers=Workers(threads=1, max_batch=4)), tmp_path / "flange.yaml"
    config = Config(str(tmp_path), line, {"flange": station}, {"flange": str(file)})
    thread = threading.Thread(target=main, args=(Seat("workerd-1", "1", config, tmp_path, run_dir),), daemon=True)
    thread.start()
    ends.state()
    yield ends
    send(ends.orders, Order(id=1, what="stop", args={}), to=receive(ends.orders).sender)
    thread.join(20)
    hub.close()
    assert not thread.is_alive()


def ref(detector, path) -> BundleRef:
    return BundleRef("flange", "default", detector.fingerprint, str(path), detector.threshold)


@pytest.fixture
def logs():
    with capture_logs() as lines:
        yield lines


def test_the_log_says_at_the_start_how_banks_are_searched(logs, dispatch):
    started = next(line for line in logs if line["event"] == "started")
    assert started["search"] == neighbours.way()
    assert started["threads"] == 1


def test_a_bundle_is_announced_with_its_threshold_and_measured_times_once_it_is_loaded(dispatch, detector, bundle_dir):
    dispatch.hold(ref(detector, bundle_dir))
    state = dispatch.state(lambda s: bool(s.held))
    assert state.session == "s"
    assert state.held[detector.fingerprint].threshold == detector.threshold
    assert set(state.p95_ms) == {f"{detector.batch_key}:1", f"{detector.batch_key}:4"}


def test_a_batch_is_answered_with_scores_and_a_place_is_free_again_before_it_is_done(dispatch, detector, bundle_dir, pictures):
    dispatch.hold(ref(detector, bundle_dir))
    dispatch.state(lambda s: bool(s.held))
    dispatch.send_work(detector.fingerprint, pictures[0])
    assert dispatch.state(lambda s: s.received == 1).places == 4
    (answer,) = dispatch.answers().items
    assert answer.reason is Reason.NONE
    assert answer.score == pytest.approx(detector.score([pictures[0]])[0].score, rel=1e-4)


def test_work_of_an_old_session_is_dropped(dispatch, detector, bundle_dir, pictures):
    dispatch.hold(ref(detector, bundle_dir))
    dispatch.state(lambda s: bool(s.held))
    dispatch.send_work(detector.fingerprint, pictures[0], session="old", seq=1)
    dispatch.send_work(detector.fingerprint, pictures[0], seq=2)
    assert [item.key.seq for item in dispatch.answers().items] == [2]


def test_a_new_session_starts_the_count_of_batches_anew(dispatch, detector, bundle_dir, pictures):
    dispatch.hold(ref(detector, bundle_dir))
    dispatch.state(lambda s: bool(s.held))
    dispatch.send_work(detector.fingerprint, pictures[0])
    dispatch.state(lambda s: s.received == 1)
    dispatch.hold(ref(detector, bundle_dir), session="t")
    assert dispatch.state(lambda s: s.session == "t").received == 0


def test_a_bundle_that_is_damaged_is_refused_with_the_reason_and_the_worker_goes_on(dispatch, detector, bundle_dir, tmp_path):
    damaged = tmp_path / "state/stations/flange/default/bundles/1"
    shutil.copytree(bundle_dir.parents[4], tmp_path / "state")
    (damaged / "golden.npz").write_bytes(b"no pictures")
    dispatch.hold(ref(detector, damaged))
    state = dispatch.state(lambda s: bool(s.refused))
    assert "golden.npz" in state.refused[detector.fingerprint].why
    assert state.held == {}


def test_a_bundle_that_was_restored_is_loaded_when_it_is_asked_for_again(dispatch, detector, bundle_dir, tmp_path):
    """The same request again changes nothing: a refused bundle is not loaded over and over."""
    restored = tmp_path / "state/stations/flange/default/bundles/1"
    shutil.copytree(bundle_dir.parents[4], tmp_path / "state")
    (restored / "golden.npz").write_bytes(b"no pictures")
    dispatch.hold(ref(detector, restored))
    dispatch.state(lambda s: bool(s.refused))
    shutil.copy(bundle_dir / "golden.npz", restored)
    dispatch.hold(ref(detector, restored))
    assert dispatch.state().refused.keys() == {detector.fingerprint}
    dispatch.hold(msgspec.structs.replace(ref(detector, restored), attempt=1))
    state = dispatch.state(lambda s: bool(s.held))
    assert state.refused == {}


def test_a_bundle_that_is_still_damaged_is_refused_for_the_new_attempt(dispatch, detector, bundle_dir, tmp_path):
    dispatch.hold(BundleRef("flange", "default", "0" * 16, str(bundle_dir), 1.0))
    dispatch.state(lambda s: bool(s.refused))
    dispatch.hold(BundleRef("flange", "default", "0" * 16, str(bundle_dir), 1.0, attempt=1))
    assert dispatch.state(lambda s: bool(s.refused) and s.refused["0" * 16].attempt == 1).held == {}


def test_a_bundle_of_another_fingerprint_than_asked_is_refused(dispatch, bundle_dir):
    dispatch.hold(BundleRef("flange", "default", "0" * 16, str(bundle_dir), 1.0))
    assert "fingerprint" in dispatch.state(lambda s: bool(s.refused)).refused["0" * 16].why


def test_no_score_is_given_to_a_dispatch_that_compares_with_another_threshold(dispatch, detector, bundle_dir):
    """Whether the bundle is loaded for it, or is held already for the dispatch before."""
    wrong = msgspec.structs.replace(ref(detector, bundle_dir), threshold=99.0)
    for session in ("s", "t"):
        dispatch.hold(wrong, session=session)
        refused = dispatch.state(lambda s: bool(s.refused)).refused[detector.fingerprint]
        assert f"with threshold 99.0, as its product's `current` says, got fingerprint {detector.fingerprint}" in refused.why
        dispatch.hold(ref(detector, bundle_dir), session="between")
        dispatch.state(lambda s: bool(s.held))


def test_a_bundle_that_is_not_asked_for_any_more_is_let_go(dispatch, detector, bundle_dir):
    dispatch.hold(ref(detector, bundle_dir))
    dispatch.state(lambda s: bool(s.held))
    dispatch.hold()
    dispatch.state(lambda s: not s.held)


@pytest.mark.parametrize("roi", [Roi(x=8, y=8, width=32, height=32)])
def test_a_bundle_that_was_made_for_another_roi_is_refused_with_file_and_key(dispatch, detector, bundle_dir, tmp_path, roi):
    """It would judge a place that it never saw."""
    dispatch.hold(ref(detector, bundle_dir))
    state = dispatch.state(lambda s: bool(s.refused))
    why = state.refused[detector.fingerprint].why
    assert why.startswith(f"{tmp_path / 'flange.yaml'}: roi: expected {{x: 0, y: 0, ")
    assert f"got {{x: 8, y: 8, width: {roi.width}, height: {roi.height}}} (calibrate again, or restore the file)" in why
    assert state.held == {}
