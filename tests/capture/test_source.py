"""Captured pictures come from a line's tap, or from the camera itself, and each ends where the other begins."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inspectd import image
from inspectd.capture import source
from inspectd.capture.source import Own, Tap, open_source
from inspectd.errors import BadInput, CameraError, DaemonError
from inspectd.picture_file import Cut
from inspectd.station.schema import Camera, Config, Line, Roi, Station
from inspectd.supervisor.lock import Lock
from inspectd.wire.messages import Beat, Frame, Key, StationBeat
from inspectd.wire.sockets import Hub
from tests.support import until

ROI = Roi(x=4, y=2, width=20, height=16)


def config(folder: Path, roi: Roi | None = ROI, station: str = "a", rate: float | str = "max") -> Config:
    """One station whose camera replays the folder `pictures`."""
    made = Station(station=station, camera=Camera(kind="folder", path="pictures", rate=rate), deadline_ms=100, roi=roi)
    return Config(str(folder), Line(), {station: made}, {station: str(folder / f"{station}.yaml")})


class Running:
    """A line as far as a capture sees it: the lock, dispatch's beats, and one station's tap."""

    def __init__(self, run_dir: Path) -> None:
        self._lock = Lock(run_dir)
        self._hub = Hub(run_dir)
        self.tap = self._hub.bind("tap", "a")
        self._beats = self._hub.bind("beats")
        self.product, self._over = "small", threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._over.wait(0.01):
            state = {"a": StationBeat(ready=True, fingerprint="f", product=self.product)}
            self._beats.send(Beat(session="s", n=1, t_ns=0, stations=state))

    def show(self, n: int, corner: tuple[int, int] = (4, 2), level: int = 7) -> None:
        """Offer one picture."""
        frame = Frame(
            key=Key("a", 1, n), shape=(16, 20), pixel_format="mono8", camera_px=(30, 40), corner=corner, name=f"p{n}.png", n=n
        )
        self.tap.send(frame, [np.full((16, 20), level, np.uint8)])

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._hub.close()
        self._lock.__exit__(None, None, None)


@pytest.fixture
def running(run_dir: Path) -> Iterator[Running]:
    line = Running(run_dir)
    yield line
    if line._thread.is_alive():
        line.stop()


@pytest.fixture
def tap(running: Running, run_dir: Path, tmp_path: Path) -> Iterator[Tap]:
    opened = open_source(config(tmp_path), "a", run_dir)
    assert isinstance(opened, Tap)
    until(running.tap.watched, what="the subscription")
    yield opened
    opened.close()


def test_a_running_line_gives_its_pictures_with_names_places_and_what_was_lost(running, tap):
    """A gap in n is a loss; a camera's process that began anew, at 1, is none."""
    for n in (1, 2, 5):
        running.show(n)
    got = [until(tap.take) for _ in range(3)]
    running.show(1)
    got.append(until(tap.take))
    assert [taken.name for taken in got] == ["p1.png", "p2.png", "p5.png", "p1.png"]
    assert {taken.cut for taken in got} == {Cut(4, 2, 40, 30)}
    assert np.array_equal(got[0].pixels, np.full((16, 20), 7, np.uint8))
    assert tap.lost == 2
    assert tap.product == "small"


def test_when_nobody_captures_any_more_the_line_sends_nothing(running, tap):
    """The line is told of the end, as of the beginning."""
    assert running.tap.watched()
    tap.close()
    until(lambda: not running.tap.watched(), what="the end of the subscription")


def test_a_reader_that_was_killed_is_as_one_that_left(running, run_dir):
    """Its connection ends, and with it the copies."""
    with Hub(run_dir) as other:
        other.connect("tap", subject="a")
        until(running.tap.watched, what="the subscription")
    until(lambda: not running.tap.watched(), what="the end of the subscription")


def test_a_changeover_ends_the_capture_of_the_product_before(running, tap):
    """Pictures of two products would not be told apart."""
    running.product = "large"
    with pytest.raises(DaemonError, match="changed over to product large; the newest pictures of small may show it"):
        until(tap.take)


def test_a_line_that_stops_ends_the_capture_with_a_word_on_how_to_go_on(running, tap, monkeypatch):
    monkeypatch.setattr(source, "_BEAT_NS", 50_000_000)
    running.stop()
    with pytest.raises(DaemonError, match="the line was stopped; give the command again"):
        until(tap.take)


def test_a_line_without_a_beat_is_named(run_dir, tmp_path, monkeypatch):
    """Its lock is held, but dispatch is down."""
    monkeypatch.setattr(source, "_BEAT_NS", 50_000_000)
    with Lock(run_dir), pytest.raises(DaemonError, match="does not beat; `inspectd status`"):
        open_source(config(tmp_path), "a", run_dir)


def test_a_station_that_the_running_line_does_not_know_is_named(running, run_dir, tmp_path):
    with pytest.raises(BadInput, match="station b: the running line does not know it"):
        Tap(run_dir, config(tmp_path, station="b").stations["b"])


def test_a_roi_that_was_edited_since_the_start_is_refused(running, tap):
    """What is kept must be what `calibrate` will cut by the file."""
    running.show(1, corner=(5, 2))
    with pytest.raises(BadInput, match=r"roi: the file says x 4, y 2, 20 x 16, the line judges x 5, y 2, 20 x 16"):
        until(tap.take)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (30, 40), np.uint8)
        (folder / f"p{number}.png").write_bytes(image.encode_png(pixels))
    return folder


def test_without_a_line_the_camera_itself_gives_the_roi_and_nothing_is_written(pictures, tmp_path, run_dir):
    """From its first picture to its last, whatever a line took before; then it says that it is at its end."""
    (pictures / "p1.png").write_bytes(b"junk")
    before = sorted(tmp_path.rglob("*"))
    own = open_source(config(tmp_path), "a", run_dir)
    assert isinstance(own, Own)
    got = [until(own.take) for _ in range(3)]
    with pytest.raises(CameraError, match="at its end"):
        own.take()
    own.close()
    assert [taken.name for taken in got] == ["p0.png", "p1.png", "p2.png"]
    assert np.array_equal(got[2].pixels, image.read(pictures / "p2.png").pixels[2:18, 4:24])
    assert got[2].cut == Cut(4, 2, 40, 30)
    assert got[1].pixels is None
    assert "p1.png: expected a PNG" in got[1].why
    assert sorted(tmp_path.rglob("*")) == before
    assert list(run_dir.iterdir()) == []


def test_a_camera_is_let_go_as_soon_as_a_line_starts(pictures, tmp_path, run_dir):
    """The line must find its camera free."""
    own = open_source(config(tmp_path, rate=0.01), "a", run_dir)
    until(own.take)
    with Lock(run_dir), pytest.raises(DaemonError, match=r"a line was started meanwhile, pid \d+"):
        until(own.take)
    own.close()


def test_a_lock_file_that_a_line_left_behind_is_no_line(pictures, tmp_path, run_dir):
    with Lock(run_dir):
        pass
    own = open_source(config(tmp_path), "a", run_dir)
    assert until(own.take).name == "p0.png"
    own.close()


def test_a_roi_outside_the_picture_is_named(pictures, tmp_path, run_dir):
    own = Own(config(tmp_path, roi=Roi(x=30, y=0, width=16, height=16)), "a", run_dir)
    with pytest.raises(BadInput, match=r"roi: expected a rectangle inside 40 x 30, got x 30, y 0, 16 x 16"):
        until(own.take)
    own.close()


def test_a_folder_that_is_not_there_is_named(tmp_path, run_dir):
    with pytest.raises(CameraError, match=r"pictures: expected a folder"):
        open_source(config(tmp_path), "a", run_dir)
