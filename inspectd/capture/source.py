"""Where captured pictures come from: the tap of a running line, or the station's camera itself, as ingest opens and cuts it.

Which of both it is tells the lock in the run directory. Neither takes a part out of inspection: the tap gives copies, and a
camera of our own is closed as soon as a line starts. When a line comes or goes, a capture ends.
"""

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from inspectd import clock
from inspectd.errors import BadInput, CameraError, DaemonError
from inspectd.ingest.camera import Camera, Shot, cut
from inspectd.ingest.kinds import camera_for
from inspectd.picture_file import Cut
from inspectd.station.schema import Config, Roi, Station
from inspectd.supervisor import lock
from inspectd.wire import codec
from inspectd.wire.messages import Beat, Frame
from inspectd.wire.sockets import Hub

WAIT_MS = 100.0  # at most, for a picture
_BEAT_NS = 2_000 * clock.MS  # dispatch beats every 100 ms; it may be starting anew


class Taken(NamedTuple):
    """One picture as the line judges it: uint8 [H,W] or [H,W,3]; None, with the reason, where a file of the camera's is bad."""

    pixels: npt.NDArray[np.uint8] | None
    name: str  # as the camera gave it; empty: it gives none
    cut: Cut | None = None  # None: the camera's whole picture
    why: str = ""


class Source(Protocol):
    """What a capture asks."""

    lost: int  # pictures that came too fast
    product: str  # that the line runs; empty: no line runs

    def take(self) -> Taken | None:
        """Return the next picture; None if none came within a moment. An InspectdError ends the capture."""

    def close(self) -> None:
        """Let go."""


class Tap:
    """The pictures that a running line sends to inspection, as copies."""

    def __init__(self, run_dir: Path, station: Station) -> None:
        """DaemonError if the line does not beat; BadInput if it has no such station."""
        self.lost = 0
        self._run_dir, self._station, self._n = run_dir, station, 0
        self._hub = Hub(run_dir)
        self._beats = self._hub.connect("beats")
        self._pictures = self._hub.connect("tap", subject=station.station)
        self._beat_ns = clock.now_ns()
        try:
            self.product = self._first_product()
        except BaseException:
            self.close()
            raise

    def take(self) -> Taken | None:
        """Return the next picture; DaemonError if the line was stopped or changed over, BadInput if it cuts another roi."""
        self._hub.wait(WAIT_MS)
        if product := self._active():
            if product != self.product:
                raise DaemonError(
                    f"station {self._station.station}: the line changed over to product {product}; the newest pictures of "
                    f"{self.product} may show it already: look at them"
                )
        elif clock.now_ns() - self._beat_ns > _BEAT_NS and lock.holder(self._run_dir) is None:
            raise DaemonError("the line was stopped; give the command again to go on with the camera itself")
        envelope = self._pictures.receive()
        if envelope is None or not isinstance(envelope.message, Frame):
            return None
        frame = envelope.message
        self.lost += max(0, frame.n - self._n - 1) if self._n else 0  # n begins anew with its process
        self._n = frame.n
        _need_roi(frame, self._station)
        return Taken(codec.pixels(envelope.parts[0], frame.shape), frame.name, _cut(self._station.roi, frame.camera_px))

    def close(self) -> None:
        """Unsubscribe: the line sends no more copies."""
        self._hub.close()

    def _first_product(self) -> str:
        """Wait for the line's first beat."""
        while clock.now_ns() - self._beat_ns < _BEAT_NS:
            self._hub.wait(WAIT_MS)
            if product := self._active():
                return product
        raise DaemonError(f"run directory {self._run_dir}: the line there does not beat; `inspectd status` tells why")

    def _active(self) -> str:
        """Return the product of the station that the last beat tells; empty if none came."""
        product, name = "", self._station.station
        for envelope in self._beats.drain():
            if isinstance(envelope.message, Beat):
                self._beat_ns = clock.now_ns()
                if name not in envelope.message.stations:
                    raise BadInput(f"station {name}: the running line does not know it; its file came later: start it anew")
                product = envelope.message.stations[name].product
        return product


class Own:
    """The station's camera, while no line runs. It takes by its own pace, whatever triggers the station."""

    def __init__(self, config: Config, station: str, run_dir: Path) -> None:
        """CameraError if it cannot be opened."""
        self.lost, self.product = 0, ""
        self._station, self._run_dir = config.stations[station], run_dir
        self._stamp = _changed(run_dir)
        self._camera: Camera = camera_for(config, station)
        self._camera.open()
        self._hub = Hub(run_dir)
        if self._camera.fd is not None:
            self._hub.watch_fd(self._camera.fd)

    def take(self) -> Taken | None:
        """Return the next picture; DaemonError if a line was started, CameraError if the camera is at its end."""
        self._camera.prepare()
        due = self._camera.due_ns()
        left_ms = WAIT_MS if due is None else (due - clock.now_ns()) / clock.MS
        self._hub.wait(min(WAIT_MS, max(0.0, left_ms)))
        if _changed(self._run_dir) != self._stamp and (pid := lock.holder(self._run_dir)) is not None:
            raise DaemonError(
                f"a line was started meanwhile, pid {pid or 'not yet known'}: the camera is its own now; give the command "
                "again to take copies of its pictures"
            )
        shot = self._camera.take()
        if shot is None and self._camera.done:
            raise CameraError("the camera is at its end: its folder has no more pictures")
        return shot and self._taken(shot)

    def close(self) -> None:
        """Close the camera."""
        self._camera.close()
        self._hub.close()

    def _taken(self, shot: Shot) -> Taken:
        if shot.pixels is None:
            return Taken(None, shot.name, why=shot.text)
        roi, (height, width) = self._station.roi, shot.pixels.shape[:2]
        pixels = cut(shot.pixels, roi)
        if roi and pixels is None:
            expected = f"expected a rectangle inside {width} x {height}"
            raise BadInput(f"station {self._station.station}: roi: {expected}, got {_said(roi)}")
        return Taken(pixels, shot.name, _cut(roi, (height, width)))


def open_source(config: Config, station: str, run_dir: Path) -> Tap | Own:
    """Return the tap if a line runs, else the camera; DaemonError or CameraError if that one does not answer."""
    if run_dir.is_dir() and lock.holder(run_dir) is not None:
        return Tap(run_dir, config.stations[station])
    return Own(config, station, run_dir)


def _changed(run_dir: Path) -> int:
    """When somebody last took the lock; to ask for its holder each time could keep a line that starts from getting it."""
    try:
        return (run_dir / "lock").stat().st_mtime_ns
    except OSError:
        return 0


def _cut(roi: Roi | None, camera_px: tuple[int, int]) -> Cut | None:
    return None if roi is None else Cut(roi.x, roi.y, camera_px[1], camera_px[0])


def _need_roi(frame: Frame, station: Station) -> None:
    """BadInput if the line cuts pictures otherwise than the station's file says now: `calibrate` goes by the file."""
    roi = station.roi
    asked = (0, 0, frame.camera_px[1], frame.camera_px[0]) if roi is None else (roi.x, roi.y, roi.width, roi.height)
    got = (*frame.corner, frame.shape[1], frame.shape[0])
    if asked != got:
        said = "x {}, y {}, {} x {}"
        raise BadInput(
            f"station {station.station}: roi: the file says {said.format(*asked)}, the line judges {said.format(*got)}; "
            f"`inspectd reload {station.station}`, or restore the file"
        )


def _said(roi: Roi) -> str:
    return f"x {roi.x}, y {roi.y}, {roi.width} x {roi.height}"
