"""A capture, picture by picture: taken, looked at, kept or refused, until there are as many as were asked for."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from inspectd import clock, image
from inspectd.capture import quality
from inspectd.capture.album import Album
from inspectd.capture.quality import Judge, Mask
from inspectd.capture.source import Source, Taken
from inspectd.errors import BadInput, CameraError
from inspectd.picture_file import Cut
from inspectd.station.schema import Config

ROW = 20  # refusals one after the other that are worth a word
UNREADABLE = "unreadable"  # beside the flaws of quality.py: a file of the camera's that is no picture
SIZE = "size"  # of another size or format, or cut elsewhere, than what is kept: one calibration sees one kind
_QUIET_NS = 10_000 * clock.MS  # without a picture

U8 = npt.NDArray[np.uint8]


@dataclass
class Tally:
    """How a capture stands."""

    kept: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by flaw
    lost: int = 0  # came faster than they were kept

    def __str__(self) -> str:
        flaws = ", ".join(f"{flaw} {count}" for flaw, count in self.refused.most_common())
        parts = [f"refused {self.refused.total()}: {flaws}" if flaws else "", f"lost {self.lost}" if self.lost else ""]
        return "; ".join(filter(None, parts))


class Told(Protocol):
    """Who shows how far a capture is."""

    def kept(self, tally: Tally) -> None:
        """One more picture is kept."""

    def refused(self, name: str, flaw: str, why: str, tally: Tally) -> None:
        """One more is not."""

    def note(self, text: str) -> None:
        """Something that people should know now."""


class Kind(NamedTuple):
    """What all pictures of a calibration have in common."""

    shape: tuple[int, ...]
    cut: Cut | None

    def __str__(self) -> str:
        of = f" at x {self.cut.x}, y {self.cut.y} of {self.cut.camera_width} x {self.cut.camera_height}" if self.cut else ""
        return f"{self.shape[1]} x {self.shape[0]} {'mono8' if len(self.shape) == 2 else 'rgb8'}{of}"


class Capture:
    """What is captured into one folder for one station, and by which pictures it is judged."""

    def __init__(self, station: str, album: Album, judge: Judge, mask: Mask | None) -> None:
        self._station, self._album, self._judge, self._mask = station, album, judge, mask
        self._kind: Kind | None = None
        self.tally = Tally()

    def know(self, path: Path) -> None:
        """Take in a picture that is there already; BadImage if it cannot be read, BadInput if it is of another kind."""
        picture = image.read(path)
        pixels, cut = picture.pixels, None
        if picture.roi:
            x, y, width, height = picture.roi
            pixels, cut = pixels[y : y + height, x : x + width], Cut(x, y, picture.width, picture.height)
        self._judge.keep(self._see(pixels, cut), path.name)

    def collect(self, source: Source, count: int, told: Told, wait_s: float) -> None:
        """Keep so many pictures; whatever ends it before leaves what was kept.

        CameraError if none was kept for `wait_s`.
        """
        row, said, last_ns = 0, ROW, clock.now_ns()
        kept_ns, kept = last_ns, 0
        while self.tally.kept < count:
            taken, now = source.take(), clock.now_ns()
            if self.tally.kept > kept:
                kept_ns, kept = now, self.tally.kept
            elif now - kept_ns > wait_s * 1e9:
                raise CameraError(f"no picture was kept for {wait_s:g} s, {self._ended(count)}")
            if taken is None:
                if now - last_ns > _QUIET_NS:
                    told.note("no picture for 10 s: does the station take any? `inspectd status` tells; Ctrl-C ends this")
                    last_ns = now
                continue
            self.tally.lost, last_ns = source.lost, now
            row = 0 if self._offer(taken, told) else row + 1
            if row < ROW:
                said = ROW
            elif row == said:
                told.note(self._why_none(row))
                said *= 2

    def _offer(self, taken: Taken, told: Told) -> bool:
        """Keep a picture if it is worth it; tell whether it is."""
        name = taken.name or f"{self._station}-{clock.utc_text(clock.utc_ns()).replace(':', '')}.png"
        if taken.pixels is None:
            self._refuse(name, UNREADABLE, taken.why, told)
            return False
        kind = Kind(taken.pixels.shape, taken.cut)
        if self.tally.kept and kind != self._kind:
            self._refuse(name, SIZE, f"{kind}, those in {self._album.folder.name} are {self._kind}", told)
            return False
        seen = self._see(taken.pixels, taken.cut)
        if refusal := self._judge.refuse(seen):
            self._refuse(name, refusal.flaw, refusal.why, told)
            return False
        kept = self._album.add(image.encode_png(taken.pixels, taken.cut), name)
        self._judge.keep(seen, kept)
        self.tally.kept += 1
        told.kept(self.tally)
        return True

    def _see(self, pixels: U8, cut: Cut | None) -> quality.Seen:
        kind = Kind(pixels.shape, cut)
        if self._kind not in (None, kind):
            raise BadInput(f"{self._album.folder}: holds pictures of {self._kind}, got {kind}; name another with --into")
        if self._mask is not None and self._mask.shape != pixels.shape[:2]:
            got = f"{self._mask.shape[1]} x {self._mask.shape[0]}"
            raise BadInput(f"station {self._station}: mask: expected one of the picture's size, {kind}, got {got}")
        self._kind = kind
        return quality.see(pixels, self._mask)

    def _refuse(self, name: str, flaw: str, why: str, told: Told) -> None:
        self.tally.refused[flaw] += 1
        told.refused(name, flaw, why, self.tally)

    def _ended(self, count: int) -> str:
        refused = f"; {self.tally}" if str(self.tally) else ""
        then = f"when other parts come, --count {count - self.tally.kept} keeps the rest (--wait S waits longer)"
        return f"{self.tally.kept} of {count} are{refused}; {then}"

    def _why_none(self, row: int) -> str:
        flaw = self.tally.refused.most_common(1)[0][0]
        off = "" if flaw in (UNREADABLE, SIZE) else f"; if they are as they should be: --allow {flaw}"
        look = f"look which are right, these or those in {self._album.folder}" if flaw == SIZE else "look at camera and light"
        return f"the last {row} pictures were all refused, most so far as {flaw}: {look}{off}"


def mask_of(config: Config, station: str) -> Mask | None:
    """Read a station's mask [H,W], True where it is judged; BadImage if it cannot be read."""
    named = config.stations[station].mask
    if named is None:
        return None
    inside: Mask = np.any(image.rgb(image.read(Path(config.files[station]).parent / named).pixels), axis=2)
    return inside
