"""`inspectd status` on the terminal: health first, then processes, the ledger, what the line saw, and the channels."""

from rich.table import Table

from inspectd.cli import screen
from inspectd.supervisor.status import Counts, Status
from inspectd.wire.enums import HealthState, LineOutcome

_COLOURS = {HealthState.OK: "green", HealthState.DEGRADED: "yellow", HealthState.FAULT: "red"}
_VERDICTS = ("triggers", "pass", "fail", "undecided", "in_flight")
_WHY = "why / last end"
_COUNTS = ("sent", "received", "refused", "bad")
_CHANNELS = "Channels, in messages (refused: not sent, the channel was full or nobody there; bad: received, and not understood)"


def show(status: Status) -> None:
    """Print every figure of a status."""
    print_health(status)
    for table in (processes(status), ledger(status), outcomes(status), channels(status)):
        screen.show(table)


def print_health(status: Status) -> None:
    """Print one line on the whole, and one for every reason that it is not OK."""
    state = status.health.state
    how = "stopping" if status.stopping else "all processes are up" if status.ready else "not all processes are up"
    screen.out.print(f"[{_COLOURS[state]}]{state}[/], {how}, pid {status.pid}, up {_time(status.up_s)}")
    for reason in status.health.reasons:
        screen.say(f"  {reason}")
    for name, station in status.stations.items():
        words = station.fault or station.degraded or ("ready" if station.ready else "not ready")
        screen.say(f"  station {name}: {words}; product {station.product}, bundle {station.fingerprint or 'none'}")


def processes(status: Status) -> Table:
    """One row a process."""
    table = screen.grid(
        "\nProcesses", ("process", "pid", "state", "up", "restarts", "health", _WHY), ("pid", "restarts"), [_WHY]
    )
    for row in status.processes:
        health = f"[{_COLOURS[row.health]}]{row.health}[/]" if row.health else ""
        why = "; ".join(row.reasons) or row.last_end or ("nothing left to do" if row.done else "")
        table.add_row(row.name, str(row.pid or ""), row.state, _time(row.up_s), str(row.restarts), health, screen.cell(why))
    return table


def ledger(status: Status) -> Table:
    """One row a station: every trigger has exactly one verdict, or is in flight."""
    reasons = sorted({name for counts in status.ledger.values() for name in counts if name.startswith("reason.")})
    names = [*_VERDICTS, *(name.removeprefix("reason.") for name in reasons)]
    table = screen.grid("\nLedger", ["station", *names], names)
    for station, counts in status.ledger.items():
        table.add_row(station, *(_count(counts, name) for name in (*_VERDICTS, *reasons)))
    return table


def outcomes(status: Status) -> Table:
    """One row a station: what the PLC took, and what it did not get in time."""
    names = [str(outcome) for outcome in LineOutcome]
    heads = [name.removeprefix("fail_safe(").removesuffix(")") for name in names]
    table = screen.grid("\nLine outcomes (late to plc_down: the line saw the fail-safe state)", ["station", *heads], heads)
    for station, counts in status.outcomes.items():
        table.add_row(station, *(_count(counts, name) for name in names))
    return table


def channels(status: Status) -> Table:
    """One row an end of a channel."""
    table = screen.grid(f"\n{_CHANNELS}", ("channel", "process", *_COUNTS), _COUNTS)
    for channel, ends in status.channels.items():
        for process, counts in ends.items():
            table.add_row(channel, process, *(str(counts.get(name, 0)) for name in _COUNTS))
    return table


def _count(counts: Counts, name: str) -> str:
    return f"{counts.get(name, 0):.0f}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
