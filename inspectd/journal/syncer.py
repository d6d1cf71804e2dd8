"""Has the spool on disk: fdatasync on every segment that grew. dispatch itself never waits for a disk."""

import os
from dataclasses import dataclass
from pathlib import Path

from inspectd.errors import JournalError
from inspectd.journal import segments
from inspectd.journal.segments import Position, Segment

_STRIDE = 1_000  # records looked at in one read


@dataclass
class _Known:
    segment: Segment
    end: int = 0  # behind the last whole record


class Syncer:
    """Syncs what was written since the last turn; knows where the spool ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[int, _Known] = {}
        self.syncs = 0
        self.trouble = ""  # why the last sync failed; what it should have synced may be lost by a power cut

    @property
    def written(self) -> Position:
        """Place behind the last whole record of the spool."""
        written = [Position(number, known.end) for number, known in self._known.items() if known.end]
        return max(written, default=Position(0, 0))

    def behind(self, drained: Position) -> int:
        """Bytes that are written and not drained yet."""
        ends = {number: known.end for number, known in self._known.items() if number >= drained.segment}
        return max(0, sum(ends.values()) - (drained.offset if drained.segment in ends else 0))

    def turn(self) -> None:
        """Sync every segment that grew, oldest first, and the directory when a segment is new in it."""
        there = segments.numbers(self._directory)
        for number in self._known.keys() - set(there):
            self._known.pop(number).segment.close()
        if there and there[-1] not in self._known:
            self._sync_directory()
        for number in there:
            known = self._known.get(number) or self._open(number)
            if known and self._grew(known):
                self._sync(known.segment.fd, known.segment.path)

    def close(self) -> None:
        """Close all segments."""
        for known in self._known.values():
            known.segment.close()
        self._known.clear()

    def _open(self, number: int) -> _Known | None:
        try:
            known = self._known[number] = _Known(Segment(segments.path_of(self._directory, number)))
        except JournalError:  # drained and deleted since the directory was read
            return None
        return known

    @staticmethod
    def _grew(known: _Known) -> bool:
        before = known.end
        while found := known.segment.bodies(known.end, _STRIDE):
            known.end = found[-1].end
        return known.end > before

    def _sync_directory(self) -> None:
        try:
            fd = os.open(self._directory, os.O_RDONLY)
        except OSError as error:
            self.trouble = f"spool not synced: {self._directory}: {error.strerror}"
            return
        self._sync(fd, self._directory)
        os.close(fd)

    def _sync(self, fd: int, path: Path) -> None:
        try:
            os.fdatasync(fd)
        except OSError as error:
            self.trouble = f"spool not synced: {path}: {error.strerror}"
        else:
            self.syncs += 1
            self.trouble = ""
