"""Where things lie under the state directory, and the two small files that are replaced whole: `current` and run counters."""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inspectd.errors import BadBundle, DaemonError, StateError

_REMEMBERED = 50  # bundles that can be gone back through


class Current(msgspec.Struct, frozen=True):
    """The bundle by which a station's product is judged; read at start only, replaced by whoever activates."""

    bundle: int
    fingerprint: str
    threshold: float
    before: tuple[int, ...] = ()  # bundles that were active before it, the latest first: where a rollback goes

    def following(self, old: "Current | None", back: bool = False) -> "Current":
        """Return it as the next one after `old`, or (`back`) as the one to which `old` is rolled back."""
        if old is None:
            return self
        on = old.before if old.bundle == self.bundle else (old.bundle, *old.before)[:_REMEMBERED]
        return msgspec.structs.replace(self, before=old.before[1:] if back else on)


@dataclass(frozen=True)
class StateDir:
    """Paths under the state directory. `next_run` and the `write_…` functions replace small files whole."""

    root: Path

    @property
    def backbones(self) -> Path:
        """Graphs cut for stations, and base graphs that were added: `<sha256>.onnx`."""
        return self.root / "backbones"

    @property
    def journal(self) -> Path:
        """One SQLite file a day."""
        return self.root / "journal"

    @property
    def spool(self) -> Path:
        """Segments that dispatch appends to and journald drains."""
        return self.root / "spool"

    @property
    def pictures(self) -> Path:
        """Kept pictures and heat maps: `<day>/<station>/<run>-<seq>.png` and `….map.png`."""
        return self.root / "pictures"

    def captured(self, station: str, product: str) -> Path:
        """Pictures that `inspectd capture` collected to calibrate with."""
        return self.root / "captured" / station / product

    def product(self, station: str, product: str = "default") -> Path:
        """All of one station's product: bundles and `current`."""
        return self.root / "stations" / station / product

    def bundle(self, station: str, product: str, number: int) -> Path:
        """Directory of one bundle."""
        return self.product(station, product) / "bundles" / str(number)

    def goals(self, station: str, product: str) -> tuple[Path, Path]:
        """Directories that take a new bundle, and the new `current`."""
        return self.bundle(station, product, 0).parent, self.product(station, product)

    def bundles(self, station: str, product: str = "default") -> list[int]:
        """Numbers of the bundles on disk, oldest first."""
        folder = self.product(station, product) / "bundles"
        return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit()) if folder.is_dir() else []

    def read_current(self, station: str, product: str = "default") -> Current | None:
        """Read the active bundle, None if there is none; BadBundle if the file is damaged."""
        path = self.product(station, product) / "current"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Current)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, OSError) as error:
            raise BadBundle(f"{path}: cannot be read: {error}; activate a bundle again") from error

    def write_current(self, station: str, product: str, current: Current) -> None:
        """Replace the active bundle of a station's product, whole or not at all."""
        replace(self.product(station, product) / "current", msgspec.json.encode(current))

    def read_product(self, station: str) -> str:
        """Read the product that was selected last; empty if none ever was."""
        try:
            return (self.root / "stations" / station / "product").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def write_product(self, station: str, product: str) -> None:
        """Keep the selected product over restarts."""
        replace(self.root / "stations" / station / "product", product.encode())

    def is_paused(self, station: str) -> bool:
        """Tell whether a person has paused a station's inspection."""
        return (self.root / "stations" / station / "paused").exists()

    def write_paused(self, station: str, paused: bool) -> None:
        """Keep it paused over restarts, or let it go on; StateError if the disk does not take it."""
        path = self.root / "stations" / station / "paused"
        if paused:
            replace(path, b"by inspectd mode\n")
            return
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StateError(f"{path}: cannot be removed: {error.strerror}; check the rights there") from error

    def bookmark(self, station: str) -> Path:
        """Where a replay of pictures notes how far it is; beside the run counter."""
        return self.root / "runs" / f"{station}.picture"

    def next_run(self, station: str) -> int:
        """Count one more start of a station's trigger source, whichever process that is; on disk before it returns."""
        path = self.root / "runs" / station
        try:
            run = int(path.read_text(encoding="ascii")) + 1
        except FileNotFoundError:
            run = 1
        except ValueError as error:
            raise DaemonError(f"{path}: expected a number, the count of starts: {error}; keys could repeat") from error
        except OSError as error:
            raise StateError(f"{path}: cannot be read: {error.strerror}; check the rights there") from error
        replace(path, str(run).encode())
        return run


def replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and have it on disk before returning; StateError if the disk does not take it."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with new.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(path)
        except BaseException:  # a full disk needs the room back, and Ctrl-C leaves nothing half-written either
            new.unlink(missing_ok=True)
            raise
        to_disk(path.parent)
    except OSError as error:
        why = error.strerror or str(error)
        raise StateError(f"{path}: cannot be written: {why}; check the rights and the free space there") from error


def to_disk(path: Path) -> None:
    """Have a file, or the names in a directory, on disk before returning."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
