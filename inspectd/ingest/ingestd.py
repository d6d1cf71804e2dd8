"""ingestd: numbers every part of one station, keeps its trigger until acknowledged, and sends its picture.

Losing pixels never loses a trigger: a picture that finds the frames channel full is reported as NoFrame(OVERLOAD).
"""

import hashlib
from pathlib import Path

from msgspec import structs

from inspectd import clock, log
from inspectd.errors import CameraError
from inspectd.ingest.bookmark import Bookmark
from inspectd.ingest.camera import Camera, Pixels, Shot, cut
from inspectd.ingest.kinds import camera_for
from inspectd.text import group_of
from inspectd.wire.child import Child, Seat
from inspectd.wire.enums import HealthState, Reason
from inspectd.wire.messages import Ack, Beat, Frame, Key, NoFrame, Order, Place, Shoot, SourceState, Trigger
from inspectd.wire.outbox import Outbox
from inspectd.wire.sockets import Hub

RETAINED = 10_000  # trigger headers kept while dispatch is down
REOPEN_NS = 1_000 * clock.MS
BEAT_STALE_NS = 300 * clock.MS
NOT_SOFTWARE = "expected a station with `trigger: software`, got `trigger: {}`; change the station file to trigger it by hand"
PLACE_AGAIN_NS = 2 * clock.MS  # a full channel says nothing when it has room again: it is looked at so often


def main(seat: Seat) -> None:
    """Run until ordered to stop."""
    with Hub(seat.run_dir) as hub:
        Ingest(seat, hub).run()


def bookmark(seat: Seat) -> Bookmark:
    """Where a replay goes on after the death of its process; a new session, or another folder, begins anew."""
    camera = seat.config.stations[seat.subject].camera
    replay = hashlib.sha256(f"{seat.session} {camera.path}".encode()).hexdigest()[:16]
    return Bookmark(seat.state.bookmark(seat.subject), replay)


class Ingest:
    """One station's source."""

    def __init__(self, seat: Seat, hub: Hub) -> None:
        self._hub, self._name = hub, seat.subject
        self._log = log.get("ingestd").bind(station=self._name)
        self._station = seat.config.stations[self._name]
        workers = seat.config.line.workers
        self._window = workers.max_batch * (2 * workers.count + 1)  # in work, waiting, and on the way
        self._triggers, self._frames = hub.connect("triggers"), hub.connect("frames")
        self._beats, self._tap = hub.connect("beats"), hub.bind("tap", self._name)
        self._child = Child(hub, seat)
        self._numbers = self._station.trigger != "plc"  # else plcd numbers the parts, and this only takes their pictures
        self._run = seat.state.next_run(self._name) if self._numbers else 0
        self._seq = 0
        self._outbox: Outbox[tuple[Key, bool]] = Outbox(limit=RETAINED)
        self._inside: set[Key] = set()  # sent and not yet closed
        self._session, self._hello_due, self._ready, self._beat_ns = "", False, False, 0
        self._shoots: list[Key] = []
        self._tapped, self._copies = False, list[tuple[Frame, Pixels]]()
        triggered = self._station.trigger != "camera"
        self._camera: Camera = camera_for(seat.config, self._name, bookmark(seat), triggered)
        self._camera_error = "camera not open yet"
        self._reopen_ns = 0
        self._stopping = False
        self._counts = {"offered": 0, "pictures_bad": 0, "overload": 0, "tapped": 0}

    def run(self) -> None:
        """Take pictures until told to stop, then see every trigger acknowledged."""
        while not (self._stopping and not self._outbox):
            self._listen()
            now = clock.now_ns()
            self._open_camera(now)
            if not self._camera_error:
                self._work(now)
            self._flush(clock.now_ns())
            self._show_copies()
            self._report()
            self._hub.wait(self._sleep_ms())
        self._camera.close()

    # --- listening -------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        for envelope in self._triggers.drain():
            match envelope.message:
                case Ack(key=key, no_frame=no_frame):
                    self._outbox.ack((key, no_frame))
                case Place(key=key):
                    self._inside.discard(key)
                case Shoot(key=key):
                    self._shoots.append(key)
        for envelope in self._beats.drain():
            if isinstance(envelope.message, Beat):
                self._on_beat(envelope.message)
        for order in self._child.orders():
            self._on_order(order)
        self._tapped = self._tap.watched()

    def _on_beat(self, beat: Beat) -> None:
        self._beat_ns = clock.now_ns()
        state = beat.stations.get(self._name)
        self._ready = state is not None and (state.ready or bool(state.fault))
        if beat.session != self._session:  # a new dispatch: it hears all that is not acknowledged, then our last seq
            self._session, self._hello_due = beat.session, True
            self._inside.clear()
            self._outbox.send_all_again()

    def _on_order(self, order: Order) -> None:
        match order.what:
            case "stop":
                self._stopping = True
            case "shoot" if self._station.trigger != "software":
                self._child.done(order, ok=False, text=f"{self._name}: {NOT_SOFTWARE.format(self._station.trigger)}")
            case "shoot" if self._camera_error or self._stopping:
                self._child.done(order, ok=False, text=f"{self._name}: {self._camera_error or 'the line is being stopped'}")
            case "shoot":
                self._child.done(order, text=str(self._send_shot(self._camera.shoot(), clock.now_ns())))
            case _:
                self._child.done(order, ok=False, text=f"ingestd does not know the order {order.what}")

    # --- taking pictures ---------------------------------------------------------------------------------------------

    def _open_camera(self, now: int) -> None:
        if not self._camera_error or now < self._reopen_ns:
            return
        try:
            self._camera.open()
            self._camera_error = ""
        except CameraError as error:
            if self._camera_error != str(error):
                self._log.warning("camera", error=str(error))
            self._camera_error, self._reopen_ns = str(error), now + REOPEN_NS

    def _work(self, now: int) -> None:
        while self._shoots:  # while the line is being stopped as well: these parts have their triggers
            self._send_picture(self._shoots.pop(0), self._camera.shoot())
        if self._stopping:
            return
        if self._may_take(now):
            shot = self._camera.take()
            if shot:
                self._send_shot(shot, clock.now_ns())
        self._camera.prepare()

    def _may_take(self, now: int) -> bool:
        """Tell whether a picture may be taken now: a camera that can wait does, for a ready line and for a place."""
        if not self._camera.waits:
            return True
        if self._seq == 0 and not self._ready:
            return False
        if self._station.camera.rate != "max":
            return True
        place = len(self._inside) < self._window and self._frames.has_room()
        return place and now - self._beat_ns < BEAT_STALE_NS

    def _send_shot(self, shot: Shot, now: int) -> Key:
        self._seq += 1
        self._counts["offered"] += 1
        key = Key(self._name, self._run, self._seq)
        pixels = cut(shot.pixels, self._station.roi) if shot.pixels is not None else None
        reason = shot.reason if shot.pixels is None else Reason.NONE if pixels is not None else Reason.WRONG_PICTURE
        self._counts["pictures_bad"] += bool(reason)
        trigger = Trigger(
            key=key, t_ns=now, utc_ns=clock.utc_ns(), part_id=self._part_id(shot.name), lot=self._lot(shot.name),
            picture=pixels is not None, reason=reason,
        )  # fmt: skip
        self._outbox.put((key, False), trigger)
        self._inside.add(key)
        if pixels is not None:  # before the trigger: whoever that wakes would take the core, and the picture would wait
            self._send_frame(key, pixels, shot)
        self._flush(now)
        return key

    def _send_picture(self, key: Key, shot: Shot) -> None:
        """Send the picture for a trigger that another source numbered."""
        pixels = cut(shot.pixels, self._station.roi) if shot.pixels is not None else None
        if pixels is not None:
            self._send_frame(key, pixels, shot)
        else:
            self._outbox.put((key, True), NoFrame(key=key, reason=shot.reason or Reason.WRONG_PICTURE))

    def _send_frame(self, key: Key, pixels: Pixels, shot: Shot) -> None:
        whole, roi = pixels if shot.pixels is None else shot.pixels, self._station.roi
        frame = Frame(
            key=key, shape=pixels.shape, pixel_format="mono8" if pixels.ndim == 2 else "rgb8",
            camera_px=(whole.shape[0], whole.shape[1]), corner=(roi.x, roi.y) if roi else (0, 0), name=shot.name,
        )  # fmt: skip
        if not self._frames.send(frame, [pixels]):
            self._counts["overload"] += 1
            self._outbox.put((key, True), NoFrame(key=key, reason=Reason.OVERLOAD))
        if self._tapped:
            self._copies.append((frame, pixels))

    def _part_id(self, name: str) -> str:
        return Path(name).stem if self._station.part_id == "file_name" else ""

    def _lot(self, name: str) -> str:
        return group_of(name, self._station.group_by)

    # --- sending, sleeping, reporting ------------------------------------------------------------------------------------

    def _flush(self, now: int) -> None:
        for id_, message in self._outbox.due(now):
            if not self._triggers.send(message):
                return
            self._outbox.sent(id_, now)
        if self._hello_due:
            state = SourceState(station=self._name, run=self._run, last_seq=self._seq, camera=True)
            self._hello_due = not self._triggers.send(state)

    def _show_copies(self) -> None:
        """Show whoever captures what went to inspection, which comes first; a reader that is too slow loses pictures."""
        for frame, pixels in self._copies:
            self._counts["tapped"] += 1
            self._tap.send(structs.replace(frame, n=self._counts["tapped"]), [pixels])
        self._copies.clear()

    def _sleep_ms(self) -> float:
        now = clock.now_ns()
        nexts = [now + 100 * clock.MS]
        due = self._camera.due_ns() if not (self._camera_error or self._stopping) else None
        if due is not None and self._may_take(now):
            nexts.append(due)
        elif due is not None and not self._frames.has_room():  # all else that it waits for comes as a message
            nexts.append(now + PLACE_AGAIN_NS)
        return max(0.0, (min(nexts) - now) / clock.MS)

    def _report(self) -> None:
        reasons = [self._camera_error] if self._camera_error else []
        if self._outbox.lost:
            reasons.append(f"{self._outbox.lost} triggers lost: dispatch was away for more than {RETAINED} parts")
        done = self._camera.done and not self._outbox and not self._inside
        counters: dict[str, float] = {**self._counts, "unacknowledged": len(self._outbox)}
        if self._numbers:
            counters |= {"run": self._run, "seq": self._seq}
        self._child.report(HealthState.DEGRADED if reasons else HealthState.OK, reasons, counters, done=done)
