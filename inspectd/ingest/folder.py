"""Folder camera: the pictures of a directory in the order of their names, at a set rate, once or looping.

With `rate: max` a picture is due as soon as the line has a place. The next picture is decoded ahead, between two of them, so
that the trigger is the moment at which a decoded picture is there. A bookmark is set before a picture is handed out: whoever
takes over from a process that died goes on with the next one, and no picture is judged twice.
"""

from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path

from inspectd import image
from inspectd.errors import BadImage, CameraError
from inspectd.ingest.bookmark import Bookmark
from inspectd.ingest.camera import Shot
from inspectd.text import printable
from inspectd.wire.enums import Reason

_SETTLE_NS = 50_000_000  # a picture decoded while the one before is on its way would take the core from it


class FolderCamera:
    """Replays a folder; see camera.py for the contract."""

    fd: int | None = None
    waits = True

    def __init__(
        self,
        path: Path,
        rate: float | str,
        loop: bool,
        bookmark: Bookmark | None,
        now_ns: Callable[[], int],
        triggered: bool = False,
    ) -> None:
        self._path, self._loop, self._bookmark, self._now_ns = path, loop, bookmark, now_ns
        self._period_ns = 0 if rate == "max" else int(1e9 / float(rate))
        self._triggered = triggered  # a PLC bit or a command shoots; we set no pace
        self._settle_ns = _SETTLE_NS if triggered else min(_SETTLE_NS, self._period_ns // 2)
        self._files: Iterator[Path] = iter(())
        self._next: tuple[Path, Shot] | None = None
        self._due_ns: int | None = None
        self._prepare_ns = 0
        self.done = False

    def open(self) -> None:
        """List the folder and decode the first picture: the one behind the bookmark."""
        try:
            files = image.pictures_in(self._path)
        except BadImage as error:
            raise CameraError(str(error)) from error
        if not files:
            raise CameraError(f"{self._path}: expected a folder of pictures, got one without any")
        last = self._bookmark.read() if self._bookmark else ""
        left = [file for file in files if file.name > last]
        self._files = chain(left, chain.from_iterable(repeat(files))) if self._loop else iter(left)
        self._decode()

    def due_ns(self) -> int | None:
        """When the next picture is due, or to be decoded."""
        due = self._next_due()
        if self.done or self._next:
            return due
        return self._prepare_ns if due is None else min(due, self._prepare_ns)

    def take(self) -> Shot | None:
        """Return the decoded picture if it is due."""
        due, now = self._next_due(), self._now_ns()
        if due is None or now < due:
            return None
        # behind by more than a period: skip ahead instead of sending a burst that no camera would send
        self._due_ns = due + self._period_ns if now - due < self._period_ns else now + self._period_ns
        return self._pop()

    def shoot(self) -> Shot:
        """Hand out the next picture of the folder."""
        return self._pop() or Shot(None, reason=Reason.NO_FRAME, text="the folder is at its end")

    def prepare(self) -> None:
        """Decode the next picture, once the line has had its time for the one before."""
        if self._now_ns() >= self._prepare_ns:
            self._decode()

    def _next_due(self) -> int | None:
        """Every period since the first picture; a turn that came late does not shift the others."""
        if self.done or self._triggered:
            return None
        if self._due_ns is None:
            self._due_ns = self._now_ns()
        return self._due_ns

    def _decode(self) -> None:
        if self._next is None and not self.done:
            file = next(self._files, None)
            self.done = file is None
            self._next = (file, self._read(file)) if file else None

    def close(self) -> None:
        """Hold nothing."""

    def _pop(self) -> Shot | None:
        self._decode()
        if self._next is None:
            return None
        self._prepare_ns = self._now_ns() + self._settle_ns
        (file, shot), self._next = self._next, None
        if self._bookmark:
            self._bookmark.write(file.name)
        return shot

    @staticmethod
    def _read(file: Path) -> Shot:
        name = printable(file.name)  # part id, lot and all who show them have it from here
        try:
            return Shot(image.read(file).pixels, name=name)
        except BadImage as error:
            return Shot(None, name=name, reason=Reason.BAD_PICTURE, text=str(error))
