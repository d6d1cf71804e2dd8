"""What `inspectd status` shows: typed, pure, sent as JSON. Figures are those that the processes last reported."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from msgspec import Struct

from inspectd.supervisor.life import Life, S
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import StationBeat

Counts = dict[str, float]


class Overall(Struct, frozen=True):
    """How the line is, and everything that is not as it should be."""

    state: HealthState
    reasons: list[str]


class ProcessStatus(Struct, frozen=True):
    """One process."""

    name: str
    pid: int  # 0: none runs
    state: str  # waiting, starting, up, back-off, stopped
    up_s: float
    restarts: int
    health: HealthState | None  # what it says of itself; None: nothing yet
    reasons: list[str]
    last_end: str  # how the process before this one ended; empty: there was none
    done: bool  # has nothing left to do
    counters: Counts


class SourceStatus(Struct, frozen=True):
    """One station's ingestd."""

    done: bool  # its camera is at its end
    counters: Counts


class Status(Struct, frozen=True):
    """The whole line."""

    pid: int  # of the supervisor
    up_s: float
    ready: bool  # every process has reported, and dispatch beats
    stopping: bool
    health: Overall
    processes: list[ProcessStatus]
    channels: dict[str, dict[str, dict[str, int]]]  # channel -> process -> sent, received, refused (full), bad
    ledger: dict[str, Counts]  # station -> triggers, pass, fail, undecided, reason.<why> ...; empty while dispatchd restarts
    outcomes: dict[str, Counts]  # station -> line outcome -> count
    dispatch: Counts  # of the whole line: in_flight, unsettled ...
    sources: dict[str, SourceStatus]  # station -> its ingestd
    stations: dict[str, StationBeat]  # as dispatch last said
    latency: dict[str, dict[str, Counts]] = {}  # station -> verdict or outcome -> ms -> so many took so long at most; sum


def processes(lives: Iterable[Life], now: int) -> list[ProcessStatus]:
    """Tell of every process, in start order."""
    return [_process(life, now) for life in lives]


def _process(life: Life, now: int) -> ProcessStatus:
    health = life.health
    return ProcessStatus(
        name=life.name,
        pid=life.pid if life.running else 0,
        state=life.phase,
        up_s=round((now - life.started_ns) / S, 3) if life.running else 0.0,
        restarts=life.restarts,
        health=health.state if health else None,
        reasons=health.reasons if health else [],
        last_end=life.last_end,
        done=bool(health and health.done),
        counters=health.counters if health else {},
    )


def channels(lives: Iterable[Life], own: Mapping[str, dict[str, int]]) -> dict[str, dict[str, dict[str, int]]]:
    """Turn each process's traffic by channel into each channel's traffic by process; `own` is the supervisor's."""
    table = {channel: {"supervisord": dict(counts)} for channel, counts in own.items()}
    for life in lives:
        for channel, counts in (life.health.channels if life.health else {}).items():
            table.setdefault(channel, {})[life.name] = counts
    return table


class Ledger(TypedDict):
    """The fields of Status that dispatch's counters fill."""

    ledger: dict[str, Counts]
    outcomes: dict[str, Counts]
    dispatch: Counts
    latency: dict[str, dict[str, Counts]]


def ledger(dispatch: Life, stations: Sequence[str]) -> Ledger:
    """Take apart `station.<name>.<what>`, `….outcome.<what>` and `….latency.<step>.<ms>`; every station is there, if empty."""
    rest = dispatch.health.counters if dispatch.health else {}
    counts, outcomes, latency = {}, {}, {}
    for station in stations:
        rest, of_station = _split(rest, f"station.{station}.")
        of_station, times = _split(of_station, "latency.")
        counts[station], outcomes[station] = _split(of_station, "outcome.")
        latency[station] = {step: found for step in ("verdict", "outcome") if (found := _split(times, f"{step}.")[1])}
    return Ledger(ledger=counts, outcomes=outcomes, dispatch=rest, latency=latency)


def _split(counts: Counts, prefix: str) -> tuple[Counts, Counts]:
    """Part counters into those without and those with a prefix (taken off)."""
    without = {name: value for name, value in counts.items() if not name.startswith(prefix)}
    within = {name.removeprefix(prefix): value for name, value in counts.items() if name.startswith(prefix)}
    return without, within


def sources(lives: Sequence[Life]) -> dict[str, SourceStatus]:
    """Tell of every station's ingestd; run and seq of triggers that a PLC gives come from plcd, which numbers them."""
    plcds = [life.health.counters for life in lives if life.row.kind.one_per == "plc" and life.health]
    return {
        life.row.subject: SourceStatus(
            done=bool(life.health and life.health.done),
            counters=(life.health.counters if life.health else {}) | _numbered(life.row.subject, plcds),
        )
        for life in lives
        if life.row.kind.one_per == "station"
    }


def _numbered(station: str, plcds: Iterable[Counts]) -> Counts:
    names = {f"station.{station}.{what}": what for what in ("run", "seq")}
    return {names[name]: value for counters in plcds for name, value in counters.items() if name in names}
