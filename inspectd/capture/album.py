"""The folder in which captured pictures are kept: each whole or not at all, none in the place of another one."""

import fcntl
import os
from collections.abc import Callable, Iterator
from itertools import chain, count, islice
from pathlib import Path
from types import TracebackType
from typing import Self

from inspectd import image
from inspectd.errors import BadInput
from inspectd.station.state import replace
from inspectd.text import group_of

_STEM_BYTES = 200  # of the 255 of a file's name: the rest is for a number, a suffix, and the name while it is written
_TRIED = 6  # names with a number before or behind, until one tells the same part or lot


class Album:
    """A folder that one capture at a time adds to; BadInput if it cannot be written to, or if another one does."""

    def __init__(self, folder: Path, group_by: str | None) -> None:
        self.folder, self._group_by = folder, group_by
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            probe = folder / f".{os.getpid()}.new"  # only a real write tells
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            why = f"expected a folder that can be written to, got {error.strerror}"
            raise BadInput(f"{folder}: {why}; check its rights, or name another with --into") from error
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._held)
            raise BadInput(f"{folder}: another capture writes there; wait for its end, or name another with --into") from error

    def add(self, png: bytes, name: str) -> str:
        """Keep a picture under a name like the one it came with; returns it. StateError if the disk does not take it."""
        kept = free_name(name, self._group_by, lambda new: os.path.lexists(self.folder / new))
        replace(self.folder / kept, png)
        return kept

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._held)


def free_name(name: str, group_by: str | None, taken: Callable[[str], bool]) -> str:
    """Return the PNG's name for a picture that came as `name`: the same, or with a number where that is taken.

    It tells the same part or lot to `group_by`, if any name with a number does.
    """
    stem = _stem(name)
    free = list(islice((new for new in _names(stem) if not taken(new)), _TRIED))
    lot = group_of(name, group_by)
    return next((new for new in free if group_of(new, group_by) == lot), free[0])


def _names(stem: str) -> Iterator[str]:
    numbered = chain.from_iterable((f"{stem}~{number}.png", f"{number}~{stem}.png") for number in count(2))
    return chain([f"{stem}.png"], numbered)


def _stem(name: str) -> str:
    """Return a name without its suffix that any folder takes, and that `calibrate` does not pass over as hidden."""
    safe = Path(name.replace("/", "_").replace("\0", "_"))
    stem = safe.stem if safe.suffix.lower() in image.SUFFIXES else safe.name
    short = stem.encode(errors="surrogateescape")[:_STEM_BYTES].decode(errors="ignore")
    return short if short and not short.startswith(".") else f"_{short}"  # a name that is a dot alone has no stem
