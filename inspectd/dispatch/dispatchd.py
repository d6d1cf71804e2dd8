"""dispatchd: the loop that moves messages between sources, workers, PLCs and the journal; ledger.py decides.

Order of every step: decide (ledger), write to the spool, then act (acknowledge, hand on, publish).
"""

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from inspectd import clock, log
from inspectd.dispatch.audit import Audit
from inspectd.dispatch.deliveries import Deliveries
from inspectd.dispatch.frames import Frames, Pixels
from inspectd.dispatch.latency import Latency
from inspectd.dispatch.ledger import Fact, Ledger
from inspectd.dispatch.pool import Pool
from inspectd.dispatch.spool import Spool
from inspectd.dispatch.stations import Stations, policies
from inspectd.dispatch.troubles import Troubles
from inspectd.wire.child import Child, Seat
from inspectd.wire.enums import HealthState, Reason, Verdict
from inspectd.wire.messages import (
    Ack,
    Answer,
    Answers,
    Beat,
    Closed,
    DeliveryAck,
    Frame,
    Hold,
    KeptPicture,
    Key,
    NoFrame,
    Opened,
    Order,
    Outcome,
    Place,
    PlcState,
    Shoot,
    SourceState,
    Trigger,
    Work,
    WorkerState,
    WorkItem,
)
from inspectd.wire.sockets import Envelope, Hub

BEAT_EVERY_NS = 100 * clock.MS
EARLY_FRAMES = 64  # pictures that overtook their triggers on the other channel
FRAMES_PER_STATION = 64
PLC_GONE_MS = 10_000.0  # with plcd away for so long, a part that much past its deadline cannot have been seen
STOP_SETTLE_NS = 1_000 * clock.MS  # at the end, the last outcomes are awaited so long from the last verdict on


def main(seat: Seat) -> None:
    """Run until ordered to stop."""
    with Hub(seat.run_dir) as hub:
        Dispatch(seat, hub).run()


class Dispatch:
    """All that dispatch knows; one method per kind of message."""

    def __init__(self, seat: Seat, hub: Hub) -> None:
        self._config, self._hub = seat.config, hub
        self._log = log.get("dispatchd")
        self._session = secrets.token_hex(8)
        self._triggers, self._frames_in = hub.bind("triggers"), hub.bind("frames")
        self._work, self._deliver = hub.bind("work"), hub.bind("deliveries")
        self._verdicts, self._beats = hub.bind("verdicts"), hub.bind("beats")
        self._pictures = hub.connect("pictures")
        self._child = Child(hub, seat)
        self._ledger = Ledger(policies(seat.config), clock.host())
        self._spool = self._take_over(seat.state.spool)
        self._audit = Audit(self._spool.append_many)
        self._stations = Stations(seat.config, seat.state, self._audit.switch)
        self._pool, self._frames, self._latency = Pool(), Frames(FRAMES_PER_STATION), Latency()
        self._troubles = Troubles()
        self._deliveries = Deliveries(self._deliver, self._ledger)
        self._sources: dict[str, bytes] = {}  # station -> identity of the source of its triggers
        self._cameras: dict[str, bytes] = {}  # station -> identity of its ingestd
        self._early: dict[Key, Pixels] = {}
        self._maps: dict[Key, tuple[memoryview, tuple[int, ...]]] = {}
        self._beat_n, self._beat_ns = 0, 0
        self._stopping_ns = self._closed_ns = 0  # of the order, and of the last verdict
        self._pictures_lost = 0
        self._reserve = True  # a spool segment is reserved for when this one is full

    def _take_over(self, directory: Path) -> Spool:
        """Open the spool, and close what an earlier dispatch left open."""
        spool = Spool.open(directory)
        records = len(spool.recovered)
        self._ledger.replay(spool.recovered)
        # the head of the new segment still shows them open: their closes follow it as facts of their own
        spool.begin(lambda: self._ledger.checkpoint(clock.utc_ns()))
        facts = self._ledger.close_open(clock.now_ns())
        spool.append_many(facts)
        self._log.info("took over", session=self._session, records=records, closed=len(facts))
        return spool

    # --- the loop ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Move messages until everything is settled after a stop."""
        while not self._finished():
            self._drain()
            now = clock.now_ns()
            self._record(self._ledger.expire(now))
            self._send_again(self._pool.overdue(now))
            self._assign()
            self._flip()
            self._settle_gone(now)
            self._deliveries.flush(now)
            self._beat(now)
            self._report()
            self._hub.wait(self._sleep_ms())
        self._record(self._ledger.give_up())
        self._spool.close()
        self._log.info("stopped", counts={k: dict(v) for k, v in self._ledger.counts.items()})

    def _drain(self) -> None:
        handlers: list[tuple[Any, Callable[[Envelope], None]]] = [
            (self._triggers, self._on_trigger),
            (self._frames_in, self._on_frame),
            (self._work, self._on_work),
            (self._deliver, self._on_delivery),
        ]
        for port, handle in handlers:
            for envelope in port.drain():
                handle(envelope)
        for order in self._child.orders():
            self._on_order(order)

    def _sleep_ms(self) -> float:
        now = clock.now_ns()
        nexts = [self._beat_ns + BEAT_EVERY_NS]
        deadline = self._ledger.next_deadline_ns()
        if deadline is not None:
            nexts.append(deadline + 1)
        return max(0.0, (min(nexts) - now) / clock.MS)

    def _finished(self) -> bool:
        if not self._stopping_ns or self._ledger.in_flight:
            return False
        return self._ledger.unsettled == 0 or clock.now_ns() - max(self._stopping_ns, self._closed_ns) > STOP_SETTLE_NS

    # --- triggers and frames --------------------------------------------------------------------------------------

    def _on_trigger(self, envelope: Envelope) -> None:
        now, sender = clock.now_ns(), envelope.sender
        match envelope.message:
            case Trigger(key=key) as trigger if key.station in self._config.stations:
                self._sources[key.station] = sender
                self._open(trigger, now)
                self._triggers.send(Ack(key=key), to=sender)
            case NoFrame(key=key, reason=reason):
                self._record(self._ledger.close(key, now, reason=reason))
                self._triggers.send(Ack(key=key, no_frame=True), to=sender)
            case SourceState(station=station, run=run, last_seq=last, camera=camera) if station in self._config.stations:
                if camera:
                    self._cameras[station] = sender
                    self._stations.camera(station, there=True)
                if camera == (station in self._stations.by_plc):
                    return  # a camera that numbers nothing, or a PLC that does not trigger this station
                assigned = self._stations.assigned(station)
                self._record(self._ledger.gap(station, run, last, assigned, now, clock.utc_ns()))

    def _open(self, trigger: Trigger, now: int) -> None:
        key = trigger.key
        assigned = self._stations.assigned(key.station)
        self._record(self._ledger.open(trigger, assigned, now))
        if self._ledger.opened(key) is None:
            self._early.pop(key, None)
            return
        if refusal := self._stations.refuses(key.station, self._pool):
            self._record(self._ledger.close(key, now, reason=refusal))
        elif trigger.shoot and now > self._ledger.decide_by_ns(key):  # the part has gone: a picture would show another one
            self._record(self._ledger.close(key, now, reason=Reason.LATE))
        elif trigger.shoot and not self._shoot(key):
            self._record(self._ledger.close(key, now, reason=Reason.NO_FRAME))
        elif key in self._early:
            self._take(self._early.pop(key))

    def _shoot(self, key: Key) -> bool:
        camera = self._cameras.get(key.station)
        return camera is not None and self._triggers.send(Shoot(key=key), to=camera)

    def _on_frame(self, envelope: Envelope) -> None:
        frame = envelope.message
        if not isinstance(frame, Frame):
            return
        pixels = Pixels(frame, envelope.parts[0])
        if self._ledger.opened(frame.key):
            self._take(pixels)
        elif not self._ledger.knows(frame.key) and len(self._early) < EARLY_FRAMES:
            self._early[frame.key] = pixels

    def _take(self, pixels: Pixels) -> None:
        key, now = pixels.frame.key, clock.now_ns()
        if self._frames.put(pixels):
            self._ledger.mark(key, "frame_ms", now)
        else:
            self._record(self._ledger.close(key, now, reason=Reason.OVERLOAD))

    # --- workers ------------------------------------------------------------------------------------------------------

    def _on_work(self, envelope: Envelope) -> None:
        match envelope.message:
            case WorkerState() as state:
                worker = self._pool.heard(envelope.sender, state, self._session, clock.now_ns())
                if worker.told != self._stations.version:
                    hold = Hold(session=self._session, bundles=self._stations.hold())
                    if self._work.send(hold, to=envelope.sender):
                        worker.told = self._stations.version
            case Answers(session=session, items=items) if session == self._session:
                self._on_answers(envelope.sender, items, envelope.parts)

    def _on_answers(self, sender: bytes, items: list[Answer], parts: list[memoryview]) -> None:
        now = clock.now_ns()
        worker = self._pool.workers.get(sender)
        self._pool.answered(sender, [item.key for item in items])
        for item, part in zip(items, parts, strict=True):
            self._ledger.mark(item.key, "scored_ms", now)
            self._maps[item.key] = part, item.map_shape
            self._record(self._ledger.close(item.key, now, answer=item, worker=worker.name if worker else ""))
            self._maps.pop(item.key, None)

    def _assign(self) -> None:
        """Hand out batches until no worker has a place for what waits."""
        while self._frames.waiting:
            now = clock.now_ns()
            batch = self._pool.next_batch(map(self._ledger.assigned_frame, self._frames.waiting), now)
            if batch is None:
                return
            identity, keys, batch_key = batch
            if self._work.send(*self._pack(keys, now), to=identity):
                self._pool.sent(identity, keys, batch_key, now)
                for key in keys:
                    self._ledger.mark(key, "sent_ms", now)
                    self._frames.to_work(key)
            else:
                self._send_again(self._pool.died(identity))

    def _pack(self, keys: list[Key], now: int) -> tuple[Work, list[memoryview]]:
        items, parts = [], []
        for key in keys:
            pixels, opened = self._frames.get(key), self._ledger.opened(key)
            assert pixels is not None  # what waits is held, and open
            assert opened is not None
            budget_ms = (self._ledger.decide_by_ns(key) - now) / clock.MS
            frame = pixels.frame
            looks = frame.shape, frame.pixel_format, frame.camera_px, frame.corner
            items.append(WorkItem(key, opened.fingerprint, budget_ms, *looks))
            parts.append(pixels.part)
        return Work(session=self._session, items=items), parts

    def _send_again(self, keys: Iterable[Key]) -> None:
        """Give the frames of a lost or late worker to another one; what two did not survive is poison."""
        for key in keys:
            if self._ledger.opened(key) is None:
                continue
            if self._pool.poisoned(key):
                self._log.warning("poison", key=str(key))
                self._record(self._ledger.close(key, clock.now_ns(), reason=Reason.POISON))
            elif self._pool.may_go_again(key):
                self._frames.back(key)

    # --- facts --------------------------------------------------------------------------------------------------------

    def _record(self, facts: list[Fact]) -> None:
        """Write facts to the spool, then act on them."""
        if not facts:
            return
        self._spool.append_many(facts)
        for fact in facts:
            match fact:
                case Opened():
                    self._deliveries.put_opened(fact)
                case Closed():
                    self._deliveries.put_closed(fact)
                case Outcome(key=key):
                    self._deliveries.settled(key)
        if any(isinstance(fact, Closed) for fact in facts):
            self._deliveries.flush(clock.now_ns())  # the PLC waits for it; all else, an open part as well, has time
        self._troubles.note(facts)
        self._latency.note(facts)
        for fact in facts:
            if isinstance(fact, Closed):
                self._closed_ns = clock.now_ns()
                self._release(fact)
                self._verdicts.send(fact)

    def _release(self, closed: Closed) -> None:
        """Let go of a closed key's picture, keep it where the station wants it, and give its place back."""
        key = closed.key
        pixels = self._frames.drop(key)
        self._pool.forget([key])
        source = self._sources.get(key.station)
        if source:
            self._triggers.send(Place(key=key), to=source)
        if pixels is None:
            return
        keep = self._config.stations[key.station].keep.pictures
        if keep == "all" or (keep == "rejects" and closed.verdict is not Verdict.PASS):
            self._keep(pixels, closed)

    def _keep(self, pixels: Pixels, closed: Closed) -> None:
        part, shape = self._maps.get(closed.key, (memoryview(b""), ()))
        frame = pixels.frame
        kept = KeptPicture(closed.key, closed.utc_ns, frame.shape, frame.pixel_format, map_shape=shape)
        if not self._pictures.send(kept, [pixels.part, part]):
            self._pictures_lost += 1

    # --- PLC -----------------------------------------------------------------------------------------------------------

    def _on_delivery(self, envelope: Envelope) -> None:
        match envelope.message:
            case PlcState(plc=plc):
                self._deliveries.hello(envelope.sender, plc)
            case DeliveryAck() as ack:
                self._deliveries.acknowledged(ack)
            case Outcome(key=key) if key.station in self._stations.by_plc and not self._ledger.knows(key):
                pass  # numbered by plcd, whose trigger is still on its way on the other channel: the outcome comes again
            case Outcome(key=key, outcome=outcome, t_ms=t_ms):
                self._record(self._ledger.settle(key, outcome, t_ms))
                self._deliver.send(DeliveryAck(key=key, fact="Outcome"), to=envelope.sender)

    def _settle_gone(self, now: int) -> None:
        """Settle what a plcd that has been away for long cannot have delivered."""
        for plc in self._config.line.plcs:
            if self._deliveries.gone_ms(plc, now) >= PLC_GONE_MS:
                self._record(self._ledger.settle_gone(plc, now, PLC_GONE_MS))

    # --- orders, beats, health -------------------------------------------------------------------------------------------

    def _on_order(self, order: Order) -> None:
        match order.what:
            case "stop":
                self._stopping_ns = self._stopping_ns or clock.now_ns()
                if order.args.get("hurry"):  # somebody asked twice: nobody waits for deadlines any more
                    self._record(self._ledger.close_all(clock.now_ns(), Reason.STOPPED))
            case "worker_died":
                self._send_again(self._pool.died_by_name(order.args["name"]))
                self._child.done(order)
            case "camera_died":
                self._stations.camera(order.args["name"], there=False)
                self._beat_at_once()
                self._child.done(order)
            case "activate" | "reload":
                if refusal := self._stations.begin(order):
                    self._child.done(order, ok=False, text=refusal)
                elif order.what == "reload":
                    self._beat_at_once()
                    self._record(self._ledger.close_all(clock.now_ns(), Reason.MAINTENANCE, order.args["station"]))
            case "product" | "mode":
                ok, text = self._stations.change(order, self._pool)
                self._child.done(order, ok=ok, text=text)
            case "note":
                self._audit.note(order)
                self._child.done(order)
            case _:
                self._child.done(order, ok=False, text=f"dispatchd does not know the order {order.what}")

    def _flip(self) -> None:
        for order, ok, text in self._stations.finished(self._pool):
            self._log.info("activation", ok=ok, text=text)
            self._child.done(order, ok=ok, text=text)

    def _beat(self, now: int) -> None:
        if now - self._beat_ns < BEAT_EVERY_NS:
            return
        self._beat_n, self._beat_ns = self._beat_n + 1, now
        stations = self._stations.beat(self._pool, lambda name: (self._troubles.of(name), *self._worries()))
        self._beats.send(Beat(session=self._session, n=self._beat_n, t_ns=now, stations=stations))
        self._reserve = self._spool.prepare()

    def _beat_at_once(self) -> None:
        """Let the next beat be due: a PLC must not trigger a camera that is gone or about to go."""
        self._beat_ns = 0

    def _worries(self) -> list[str]:
        return [] if self._reserve else ["no room on the disk for the next spool segment"]

    def _report(self) -> None:
        if not self._child.due():
            return
        faults = [f"{name}: {fault}" for name in self._config.stations if (fault := self._stations.fault(name, self._pool))]
        if self._spool.unwritten:
            faults.append(f"{self._spool.unwritten} facts unjournalled: the spool cannot be written")
        elif not self._pool.workers:
            faults.append("no worker")
        counters: dict[str, float] = self._ledger.figures() | self._latency.figures()
        counters["frames_waiting"] = len(self._frames.waiting)
        counters |= {"pictures_lost": self._pictures_lost, "unjournalled": self._spool.unwritten}
        worries = self._worries()
        state = HealthState.FAULT if faults else HealthState.DEGRADED if worries else HealthState.OK
        self._child.report(state, faults + worries, counters)
