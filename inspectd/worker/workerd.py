"""workerd: takes batches from dispatch and answers with scores and heat maps; one batch in work, at most one waiting."""

import os
import secrets

import msgspec

from inspectd import clock, log
from inspectd.station.reread import Reread
from inspectd.vision import neighbours
from inspectd.vision.detector import Detector
from inspectd.wire.child import Child, Seat
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import Answers, BundleRef, Held, Hold, Order, Refusal, Work, WorkerState
from inspectd.wire.sockets import Envelope, Hub
from inspectd.worker import memory
from inspectd.worker.loader import Loader
from inspectd.worker.score import score
from inspectd.worker.timing import Timing

STATE_EVERY_NS = 200 * clock.MS


def main(seat: Seat) -> None:
    """Run until ordered to stop."""
    log.get("workerd").info("started", search=neighbours.way(), threads=seat.config.line.workers.threads)
    memory.keep_freed()
    with Hub(seat.run_dir) as hub:
        Worker(seat, hub).run()


class Worker:
    """One worker process: what it holds, and the session it answers to."""

    def __init__(self, seat: Seat, hub: Hub) -> None:
        self._hub, self._name = hub, seat.process
        self._log = log.get("workerd")
        # a new identity at each start: an answer for a dead worker never reaches its successor
        self._work = hub.connect("work", identity=f"{seat.process}:{os.getpid()}:{secrets.token_hex(4)}")
        self._child = Child(hub, seat)
        self._max_batch = seat.config.line.workers.max_batch
        self._loader, self._timing = Loader(seat.config), Timing()
        self._detectors: dict[str, Detector] = {}
        self._refused: dict[str, tuple[BundleRef, str]] = {}
        self._wanted: dict[str, BundleRef] = {}
        self._loading: set[str] = set()
        self._session, self._received, self._stated_ns = "", 0, 0
        self._counts = {"batches": 0, "frames": 0, "dropped_old_session": 0}
        self._stopping = False

    def run(self) -> None:
        """Work until told to stop."""
        while not self._stopping:
            for order in self._child.orders():
                self._obey(order)
            self._take_loaded()
            envelope = self._work.receive()
            if envelope:
                self._on_message(envelope)
            else:
                self._state()
            self._report()
            if not envelope:
                self._hub.wait(50)

    def _obey(self, order: Order) -> None:
        if order.what == "stop":
            self._stopping = True
        elif order.what == "reload":  # what did not fit the station's file may do so now
            self._loader.reread(order.args["station"], Reread.parse(order.args["file"]))
            self._refused = {}
            self._load_missing()

    def _on_message(self, envelope: Envelope) -> None:
        match envelope.message:
            case Hold() as hold:
                self._on_hold(hold)
            case Work(session=session) as work if session == self._session:
                self._received += 1
                self._state(at_once=True)  # one place is free again: the next batch waits here while this one runs
                self._answer(work, envelope.parts)
            case Work():
                self._counts["dropped_old_session"] += 1

    def _on_hold(self, hold: Hold) -> None:
        if hold.session != self._session:
            self._session, self._received = hold.session, 0
            self._refused = {}  # a new dispatch counts its attempts anew
        self._wanted = {ref.fingerprint: ref for ref in hold.bundles}
        self._detectors = {f: detector for f, detector in self._detectors.items() if self._is_wanted(f, detector.threshold)}
        self._load_missing()
        self._state(at_once=True)

    def _is_wanted(self, fingerprint: str, threshold: float) -> bool:
        """Whether dispatch wants a bundle, and compares with that threshold: one with another than its own gets no score."""
        wanted = self._wanted.get(fingerprint)
        return wanted is not None and wanted.threshold == threshold

    def _load_missing(self) -> None:
        """Load what is wanted and not held. A refusal holds for the very BundleRef that was tried: another is another try."""
        self._refused = {f: (ref, why) for f, (ref, why) in self._refused.items() if self._wanted.get(f) == ref}
        for fingerprint, ref in self._wanted.items():
            if fingerprint not in self._detectors.keys() | self._refused.keys() | self._loading:
                self._loading.add(fingerprint)
                self._loader.want(ref)

    def _take_loaded(self) -> None:
        for ref, detector, refusal, times_ms in self._loader.done():
            self._loading.discard(ref.fingerprint)
            if not self._is_wanted(ref.fingerprint, ref.threshold):
                self._load_missing()  # of a dispatch before
                continue
            if detector is None:
                self._refused[ref.fingerprint] = ref, refusal
                self._log.error("bundle refused", station=ref.station, fingerprint=ref.fingerprint, reason=refusal)
            else:
                self._detectors[ref.fingerprint] = detector
                for size, ms in times_ms.items():
                    self._timing.add(detector.batch_key, size, ms)
                self._log.info("bundle loaded", station=ref.station, fingerprint=ref.fingerprint, warm_ms=times_ms)
            self._load_missing()
            self._state(at_once=True)

    def _answer(self, work: Work, parts: list[memoryview]) -> None:
        start = clock.now_ns()
        scored = score(work.items, parts, self._detectors)
        ms = (clock.now_ns() - start) / clock.MS
        size = len(work.items)
        detector = self._detectors.get(work.items[0].fingerprint) if work.items else None
        if detector:
            self._timing.add(detector.batch_key, size, ms)
        items = [msgspec.structs.replace(one.answer, score_ms=ms, batch=size) for one in scored]
        self._work.send(Answers(session=work.session, items=items), [b"" if s.heat is None else s.heat for s in scored])
        self._counts["batches"] += 1
        self._counts["frames"] += size

    def _state(self, at_once: bool = False) -> None:
        now = clock.now_ns()
        if not at_once and now - self._stated_ns < STATE_EVERY_NS:
            return
        held = {f: Held(d.batch_key, d.threshold) for f, d in self._detectors.items()}
        state = WorkerState(
            session=self._session, name=self._name, places=self._max_batch, received=self._received, held=held,
            refused={f: Refusal(why, ref.attempt) for f, (ref, why) in self._refused.items()}, p95_ms=self._timing.p95_ms(),
        )  # fmt: skip
        if self._work.send(state):
            self._stated_ns = now

    def _report(self) -> None:
        reasons = [f"bundle {fingerprint} refused: {why}" for fingerprint, (_, why) in self._refused.items()]
        state = HealthState.FAULT if reasons and not self._detectors else HealthState.DEGRADED if reasons else HealthState.OK
        self._child.report(state, reasons, {**self._counts, "bundles": len(self._detectors), "loading": len(self._loading)})
