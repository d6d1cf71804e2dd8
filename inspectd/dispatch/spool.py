"""The spool: every fact on its way to the journal, written before dispatch acknowledges or hands on.

One write into a segment that was reserved beforehand: microseconds, no memory allocated by the disk, no disk waited for
(journald calls fdatasync). A kill of any process loses nothing that `append` said True to; a power cut, what journald
had not yet synced.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from inspectd.errors import JournalError
from inspectd.journal import gaps, records, segments
from inspectd.journal.gaps import Gap
from inspectd.journal.records import Record
from inspectd.wire.messages import Checkpoint

Checkpointer = Callable[[], Checkpoint]
_ROLL_AT = 7 / 8  # full: `prepare` starts the next segment, long before an append would have to


class _Live:
    """The segment that is written to."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.end = 0
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(self._fd, 0, size)  # reads as zeros; its blocks are ours, whoever fills the disk
        except OSError:
            os.close(self._fd)
            path.unlink()
            raise

    def write(self, frames: Sequence[bytes]) -> int:
        """Write records behind the last one; returns how many of them are whole on file.

        What a short write left of the next one is overwritten by the next write: journald reads whole records alone.
        """
        try:
            written = os.pwrite(self._fd, b"".join(frames), self.end)
        except OSError:
            return 0
        whole = 0
        for frame in frames:
            if written < len(frame):
                break
            written -= len(frame)
            self.end += len(frame)
            whole += 1
        return whole

    @property
    def is_full(self) -> bool:
        return self.end > self.size

    def seal(self) -> None:
        """Give back what was not used, and what a short write left behind the last record."""
        with suppress(OSError):
            os.ftruncate(self._fd, self.end)
        self.close()

    def close(self) -> None:
        os.close(self._fd)


class Spool:
    """dispatch's end of the spool. `open`, restore from `recovered`, `begin`, then `append`."""

    def __init__(self, directory: Path, size: int, recovered: list[Record]) -> None:
        self._directory = directory
        self._size = size
        self._checkpoint: Checkpointer | None = None
        self._live: _Live | None = None
        self._spare: _Live | None = None
        self._next = 1 + max(segments.numbers(directory), default=0)
        self.recovered = recovered
        self.unwritten = 0  # records that could not be written: their verdicts went on all the same

    @classmethod
    def open(cls, directory: Path, size: int = segments.SIZE) -> Self:
        """Read back what an earlier dispatch wrote, from its newest whole Checkpoint on; JournalError if it cannot be read."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(f"{directory}: cannot be made: {error.strerror}; check rights and disk") from error
        spool = cls(directory, size, _recover(directory))
        spool._take_reserve()
        return spool

    def begin(self, checkpoint: Checkpointer) -> bool:
        """Start a new segment (never behind a torn record), headed by the restored state; frees `recovered`.

        `checkpoint` gives the state as it is, and is asked again for the head of every later segment.
        """
        self.recovered = []
        self._checkpoint = checkpoint
        begun = self._roll()
        self._make_spare()
        return begun

    def append(self, record: Record) -> bool:
        """Write one record; False (and counted) if it cannot be written. Never raises, never waits for the disk."""
        return self.append_many((record,))

    def append_many(self, batch: Sequence[Record]) -> bool:
        """Write records one behind the other in one write; False if not all could be written, and those count as unwritten."""
        unwritten = self._write([records.pack(record) for record in batch])
        self.unwritten += unwritten
        return not unwritten

    def prepare(self) -> bool:
        """Get ready ahead of need: call it off the verdict path, with every beat, when no fact waits to be written.

        Rolls over to the next segment when this one is nearly full, and reserves the one after it. False while the disk
        has no room for a reserve; the spool then lasts as long as the segments it holds.
        """
        if self._live and self._live.end > self._size * _ROLL_AT and self._spare:
            self._roll()
        return self._make_spare()

    def gaps(self) -> list[Gap]:
        """Keys that are missing in the segments present, as far as they tell: reads all of them."""
        return gaps.in_records(_all_records(self._directory))

    def close(self) -> None:
        """Close the files; what was written stays."""
        for segment in (self._live, self._spare):
            if segment:
                segment.close()
        self._live = self._spare = None

    def _write(self, frames: list[bytes]) -> int:
        """Write behind the last record; returns how many could not be written.

        Past its reserve a segment grows while the disk has room, and only then comes the next one: the caller's state
        knows these records already, and a head written before them would leave out what they finish, should a kill come
        between the two.
        """
        left = frames[self._live.write(frames) :] if self._live else frames
        if not left:
            if self._live and self._live.is_full:
                self._roll()
            return 0
        if self._roll() and self._live:
            left = left[self._live.write(left) :]
        return len(left)

    def _roll(self) -> bool:
        """Go on in the next segment; False if there is none or its head cannot be written, and nothing has changed."""
        if self._checkpoint is None or not self._make_spare() or self._spare is None:
            return False
        if not self._spare.write([records.pack(self._checkpoint())]):
            return False
        if self._live:
            self._live.seal()
        self._live, self._spare = self._spare, None
        return True

    def _make_spare(self) -> bool:
        if self._spare is None:
            try:
                self._spare = _Live(segments.path_of(self._directory, self._next), self._size)
            except OSError:
                return False
            self._next += 1
        return True

    def _take_reserve(self) -> None:
        """Use the reserve that an earlier dispatch left: on a full disk there may be no other."""
        last = self._next - 1
        path = segments.path_of(self._directory, last)
        if path.exists() and not _bytes(path).strip(b"\0"):  # a reserve has never been written to, anywhere
            self._next = last


def _recover(directory: Path) -> list[Record]:
    """Every whole record from the newest Checkpoint on."""
    found: list[Record] = []
    for number in reversed(segments.numbers(directory)):
        found[:0] = here = _records(segments.path_of(directory, number))
        if here and isinstance(here[0], Checkpoint):
            break
    return found


def _all_records(directory: Path) -> list[Record]:
    return [record for number in segments.numbers(directory) for record in _records(segments.path_of(directory, number))]


def _records(path: Path) -> list[Record]:
    return [scanned.record for scanned in records.scan(_bytes(path))]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # drained and deleted meanwhile
        return b""
    except OSError as error:
        raise JournalError(f"{path}: cannot be read: {error.strerror}; check its rights and the disk") from error
