"""Kept pictures and heat maps on disk: `<day>/<station>/<run>-<seq>.png` and `….map.png`, each written whole or not at all.

Pictures are the first to go when the disk fills: below `min_free_mb` none is kept, and rows go on.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from inspectd import clock, image, log
from inspectd.errors import BadImage
from inspectd.wire import codec
from inspectd.wire.messages import KeptPicture, Key
from inspectd.wire.sockets import Envelope

_MIB = 1 << 20
_log = log.get(__name__)


def picture_path(pictures: Path, day: str, key: Key) -> Path:
    """Path of the picture of one key."""
    return pictures / day / key.station / f"{key.run}-{key.seq}.png"


def map_path(picture: Path) -> Path:
    """Path of the heat map that belongs to a picture."""
    return picture.with_suffix(".map.png")


def find(pictures: Path, key: Key) -> Path | None:
    """Path of the picture of a key, whatever its day; None if none was kept."""
    return next((path for day in reversed(days(pictures)) if (path := picture_path(pictures, day, key)).is_file()), None)


def newest(pictures: Path, station: str) -> Iterator[tuple[Key, Path]]:
    """Yield the kept pictures of a station, the newest part first."""
    for day in reversed(days(pictures)):
        found = (path for path in (pictures / day / station).glob("*-*.png") if path.name.count(".") == 1)
        keys = [(Key(station, *map(int, path.stem.split("-"))), path) for path in found]
        yield from sorted(keys, reverse=True)


def days(pictures: Path) -> list[str]:
    """Every day that pictures were kept of, oldest first."""
    return sorted(path.name for path in pictures.iterdir()) if pictures.is_dir() else []


class PictureStore:
    """Encodes and writes pictures; called by one thread at a time."""

    def __init__(self, pictures: Path, min_free_mb: int) -> None:
        self._pictures = pictures
        self._min_free_mb = min_free_mb
        self.kept = 0
        self.refused = 0
        self._failed = ""

    @property
    def trouble(self) -> str:
        """Why pictures are not kept now; empty: they are."""
        return self._short_of_space() or self._failed

    def store(self, envelope: Envelope) -> None:
        """Keep one KeptPicture with its map; what cannot be kept is counted, and never an error."""
        if self._short_of_space():
            self.refused += 1
            return
        try:
            for path, png in _encode(self._pictures, envelope):
                _write_whole(path, png)
        except (OSError, BadImage) as error:
            self.refused += 1
            self._failed = f"pictures are not kept: {error}"
            _log.warning("picture not kept", key=str(envelope.message.key), error=str(error))
        else:
            self.kept += 1
            self._failed = ""

    def _short_of_space(self) -> str:
        place = next(path for path in (self._pictures, *self._pictures.parents) if path.exists())
        if shutil.disk_usage(place).free >= self._min_free_mb * _MIB:
            return ""
        return f"pictures are not kept: less than min_free_mb ({self._min_free_mb} MB) is free under {self._pictures}"


def _encode(pictures: Path, envelope: Envelope) -> Iterator[tuple[Path, bytes]]:
    """Yield the map first, so that a picture that is there has its map."""
    kept: KeptPicture = envelope.message
    path = picture_path(pictures, clock.utc_day(kept.utc_ns), kept.key)
    heat = codec.heat(envelope.parts[1], kept.map_shape)
    if heat is not None:
        yield map_path(path), image.encode_png(heat)
    yield path, image.encode_png(codec.pixels(envelope.parts[0], kept.shape))


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fdatasync(stream.fileno())  # before it gets its name: a power cut leaves no empty picture
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
