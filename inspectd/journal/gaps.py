"""Which keys are missing. Pure: a source counts its triggers from 1 without gaps, so a hole in seq names what was lost."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from inspectd.wire.messages import Checkpoint, Closed, Key, Opened, Outcome


class Gap(NamedTuple):
    """Keys of one run of one station that are missing, first to last."""

    station: str
    run: int
    first: int
    last: int

    def __str__(self) -> str:
        first = str(Key(self.station, self.run, self.first))
        return first if self.first == self.last else f"{first} to {self.last}"

    @property
    def keys(self) -> int:
        """How many keys are missing."""
        return self.last - self.first + 1


def in_records(records: Iterable[Any]) -> list[Gap]:
    """Keys that must have been in these spool records and are not: holes in seq, and what a later Checkpoint had counted.

    Keys behind the last record are not known here: their source tells dispatch its last seq.
    """
    walk = _Walk()
    for record in records:
        match record:
            case Checkpoint():
                walk.checkpoint(record)
            case Opened(key=key) | Closed(key=key) | Outcome(key=key):
                walk.key(key)
    return walk.gaps()


class Span(NamedTuple):
    """Keys of one run of one station that are there, first to last."""

    station: str
    run: int
    first: int
    last: int


def between(spans: Iterable[Span], cut_runs: set[tuple[str, int]]) -> Iterator[Gap]:
    """Yield what is missing between spans; runs in `cut_runs` may begin anywhere (older days are deleted), others at 1."""
    station, run, last = "", 0, 0
    for span in sorted(spans):
        if (span.station, span.run) != (station, run):
            station, run = span.station, span.run
            last = span.first - 1 if (station, run) in cut_runs else 0
        if span.first > last + 1:
            yield Gap(station, run, last + 1, span.first - 1)
        last = max(last, span.last)


@dataclass
class _Run:
    """What is known of one run: seqs in (after, last] must all have been seen; `after` None: from the first one seen."""

    after: int | None
    last: int = 0
    seen: set[int] = field(default_factory=set)

    def holes(self) -> Iterator[tuple[int, int]]:
        expected = min(self.seen, default=self.last + 1) if self.after is None else self.after + 1
        for seq in [*sorted(s for s in self.seen if s >= expected), self.last + 1]:
            if seq > expected:
                yield expected, seq - 1
            expected = seq + 1


class _Walk:
    """Goes through records in the order of writing."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, int], _Run] = {}
        self._first_run: dict[str, int] = {}  # by station; keys of older runs may still close, but began before our time
        self._has_checkpoint = False

    def key(self, key: Key) -> None:
        run = self._run(key.station, key.run)
        if run:
            run.seen.add(key.seq)
            run.last = max(run.last, key.seq)

    def checkpoint(self, point: Checkpoint) -> None:
        for station, (number, last) in point.sources.items():
            if not self._has_checkpoint and (station, number) not in self._runs:
                self._runs[station, number] = _Run(after=last)
                self._first_run.setdefault(station, number)
            run = self._run(station, number)
            if run:
                run.last = max(run.last, last)
        self._has_checkpoint = True
        for opened in point.opened:
            if (opened.key.station, opened.key.run) in self._runs:
                self.key(opened.key)

    def _run(self, station: str, number: int) -> _Run | None:
        if number < self._first_run.setdefault(station, number):
            return None
        # after a Checkpoint every run is known from its beginning, and so is a newer run of a known station
        from_one = self._has_checkpoint or number > self._first_run[station]
        return self._runs.setdefault((station, number), _Run(after=0 if from_one else None))

    def gaps(self) -> list[Gap]:
        return [Gap(*name, *hole) for name, run in sorted(self._runs.items()) for hole in run.holes()]
