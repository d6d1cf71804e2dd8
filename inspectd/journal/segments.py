"""Segments, the files of the spool: `spool-00000001.seg`, `spool-00000002.seg`, … in the order of writing.

    | Checkpoint | record | record | … | zeros, reserved beforehand |

dispatch is the only writer. A segment is finished when a newer one begins with a whole Checkpoint: dispatch writes that
head only after it has written its last byte to the older one. A segment of zeros alone is the reserve.
"""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple, Self

from inspectd.errors import JournalError, WireError
from inspectd.journal import records
from inspectd.wire import codec
from inspectd.wire.messages import Checkpoint

SIZE = 16 << 20  # about 30,000 parts
_CHUNK = 64 << 10  # read at once; a longer record is read whole
_NAME = re.compile(r"spool-(\d{8,})\.seg")


class Position(NamedTuple):
    """A place in the spool: number of the segment and offset in it. Places order as they were written."""

    segment: int
    offset: int


def path_of(directory: Path, number: int) -> Path:
    """Path of one segment."""
    return directory / f"spool-{number:08d}.seg"


def numbers(directory: Path) -> list[int]:
    """Numbers of the segments on disk, oldest first; none where the directory is missing. JournalError if it cannot be read."""
    try:
        names = os.listdir(directory)  # noqa: PTH208 (asked every few milliseconds: no Path per file)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(f"{directory}: cannot be read: {error.strerror}; check its rights and the disk") from error
    return sorted(int(match[1]) for match in map(_NAME.fullmatch, names) if match)


class Segment:
    """One segment open for reading, while dispatch may still append to it."""

    def __init__(self, path: Path) -> None:
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise JournalError(f"{path}: cannot be opened: {error.strerror}; check its rights and the disk") from error
        self.path = path

    def bodies(self, offset: int, at_most: int) -> list[records.Body]:
        """Whole records from `offset` on, at most so many; none where nothing, or nothing whole, is written there yet."""
        found: list[records.Body] = []
        while len(found) < at_most and (chunk := self._chunk(offset)):
            start = offset
            for body, end in records.bodies(chunk):
                offset = start + end
                found.append(records.Body(body, offset))
                if len(found) == at_most:
                    break
            if offset == start:
                break
        return found

    def _chunk(self, offset: int) -> bytes:
        """Bytes from `offset` on, beginning with one record of any length; empty where none is written."""
        wanted = records.frame_bytes(self._read(offset, records.HEAD_BYTES))
        if wanted == 0 or wanted > os.fstat(self.fd).st_size - offset:
            return b""
        return self._read(offset, max(wanted, _CHUNK))

    def _read(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self.fd, size, offset)
        except OSError as error:
            raise JournalError(f"{self.path}: cannot be read at {offset}: {error.strerror}; check the disk") from error

    def head(self) -> Checkpoint | None:
        """Return the Checkpoint at its head, None if there is no whole one."""
        for body, _ in self.bodies(0, 1):
            try:
                record = codec.decode(body)
            except WireError:
                return None
            return record if isinstance(record, Checkpoint) else None
        return None

    def has_boundary(self, offset: int) -> bool:
        """Tell whether a record ends (or the first begins) at this offset."""
        here = 0
        while here < offset and (found := self.bodies(here, 1_000)):
            if any(body.end == offset for body in found):
                return True
            here = found[-1].end
        return offset == 0

    def is_written_at(self, offset: int) -> bool:
        """Tell whether anything stands behind this offset; where it does not scan, it is a torn record."""
        return bool(self._read(offset, records.HEAD_BYTES).strip(b"\0"))

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def checkpoint_of(path: Path) -> Checkpoint | None:
    """Return the Checkpoint at a segment's head; None if there is no whole one, or the file is gone."""
    if not path.exists():
        return None
    with Segment(path) as segment:
        return segment.head()


class Tail:
    """Reads record after record and segment after segment, while dispatch appends."""

    def __init__(self, directory: Path, start: Position) -> None:
        self._directory = directory
        self._segment: Segment | None = None
        self._is_last_look = False
        self.position = Position(0, 0)
        self.torn: list[Position] = []  # where finished segments ended in a record that is not whole
        self._resume(start)

    def read(self, at_most: int) -> list[memoryview]:
        """Return the bodies behind the position, at most so many, and move behind them."""
        found: list[memoryview] = []
        while len(found) < at_most:
            here = self._segment.bodies(self.position.offset, at_most - len(found)) if self._segment else []
            if here:
                self.position = self.position._replace(offset=here[-1].end)
                found += [body for body, _ in here]
            elif not self._move_on():
                break
        return found

    def close(self) -> None:
        """Close the segment."""
        if self._segment:
            self._segment.close()
            self._segment = None

    def _resume(self, start: Position) -> None:
        """Go to a place; where it is gone (drained and deleted, or another spool was put here), to the next that is there."""
        there = numbers(self._directory)
        number = next((n for n in there if n >= start.segment), there[0] if there else None)
        if number is None:
            return
        self._open(number)
        assert self._segment
        if number == start.segment and self._segment.has_boundary(start.offset):
            self.position = start

    def _move_on(self) -> bool:
        """Go to the next segment once this one is finished; False while it may still grow."""
        following = [n for n in numbers(self._directory) if n > self.position.segment]
        if self._segment is None:
            return bool(following) and self._open(following[0])
        if not any(checkpoint_of(path_of(self._directory, n)) for n in reversed(following)):
            return False
        if not self._is_last_look:  # what came between the last read and the newer head
            self._is_last_look = True
            return True
        if self._segment.is_written_at(self.position.offset):
            self.torn.append(self.position)
        return self._open(following[0])

    def _open(self, number: int) -> bool:
        self.close()
        self._segment = Segment(path_of(self._directory, number))
        self._is_last_look = False
        self.position = Position(number, 0)
        return True


def decode(bodies: list[memoryview]) -> tuple[list[Any], int]:
    """Decode bodies; those of another version are left out and counted."""
    found: list[Any] = []
    for body in bodies:
        try:
            found.append(codec.decode(body))
        except WireError:
            continue
    return found, len(bodies) - len(found)
