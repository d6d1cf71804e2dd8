"""TABLE 2: every process. A newcomer reads this beside TABLE 1 (wire/channels.py).

Processes start in the order of `start` and stop in the order of `stop`, one stage after the other: intake first, then the
ledger, then those that served it, the journal last. Every process is restarted for as long as the daemon runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from signal import SIGKILL, SIGUSR2, Signals
from typing import Literal

from inspectd.station.schema import Config

OnePer = Literal["line", "worker", "plc", "station"]


@dataclass(frozen=True)
class Restart:
    """When a process that died comes back, and when its deaths are a fault of the line."""

    first_s: float = 0.2  # the first pause; each further one is twice as long
    most_s: float = 10.0
    forget_s: float = 30.0  # a life this long starts the pauses anew
    fault_deaths: int = 5  # that many deaths ...
    fault_window_s: float = 60.0  # ... within this time are health FAULT; restarts go on


@dataclass(frozen=True)
class Process:
    """One kind of process: what runs, how many, when it starts and stops, and how long its silence is borne."""

    name: str
    main: str  # module:function, called with a Seat; imported in the child only
    one_per: OnePer
    start: int
    stop: int
    stop_s: float  # from the order `stop` to SIGKILL
    hurry_s: float  # the same after a second signal
    finishes_parts: bool = False  # `stop_s` counts from the longest deadline: parts in flight get their verdict first
    intake: bool = False  # told to close its intake when the end begins, though its own turn comes later
    orphaned: Signals = SIGKILL  # what the kernel sends it when the supervisor dies; SIGUSR2: it writes its safe state first
    silent_s: float = 5.0  # without Health for so long it is hung, and killed
    grace_s: float = 60.0  # the same before its first Health: a worker loads bundles
    restart: Restart = Restart()


# A worker is silent during a batch and while a library loads a graph, which big pictures on a slow machine make long; that
# an answer is overdue dispatch sees by itself, and sends the frames elsewhere.
TABLE_2 = (
    #       name         main                                 one per    start stop stop_s hurry_s
    Process("journald",  "inspectd.journal.journald:main",    "line",    1,    4,   30.0,  5.0),
    Process("dispatchd", "inspectd.dispatch.dispatchd:main",  "line",    2,    2,   5.0,   5.0, finishes_parts=True),
    Process("workerd",   "inspectd.worker.workerd:main",      "worker",  3,    3,   10.0,  1.0, silent_s=15.0),
    Process("plcd",      "inspectd.plc.plcd:main",            "plc",     4,    3,   10.0,  2.0, intake=True, orphaned=SIGUSR2),
    Process("ingestd",   "inspectd.ingest.ingestd:main",      "station", 5,    1,   10.0,  1.0),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One process of this line: a kind of TABLE 2 and what it serves."""

    kind: Process
    subject: str  # the station, the PLC connection or the worker's number; empty for one-of-a-kind processes
    stop_s: float

    @property
    def name(self) -> str:
        """Its name in logs, in `ps` and in `inspectd status`."""
        return f"{self.kind.name}-{self.subject}" if self.subject else self.kind.name


def rows(config: Config, table: Sequence[Process] = TABLE_2) -> list[Row]:
    """Expand TABLE 2 for one configuration, in start order."""
    longest_s = max((station.deadline_ms for station in config.stations.values()), default=0.0) / 1000
    return [
        Row(kind, subject, kind.stop_s + (longest_s if kind.finishes_parts else 0.0))
        for kind in sorted(table, key=lambda kind: kind.start)
        for subject in _subjects(kind.one_per, config)
    ]


def _subjects(one_per: OnePer, config: Config) -> Iterator[str]:
    match one_per:
        case "line":
            yield ""
        case "worker":
            yield from (str(number + 1) for number in range(config.line.workers.count))
        case "plc":
            used = {station.plc.name for station in config.stations.values() if station.plc}
            yield from (name for name in config.line.plcs if name in used)  # the others have nothing to serve
        case "station":
            yield from config.stations
