"""Rows and lives for tests of pure decisions."""

from dataclasses import replace
from typing import Any

from inspectd.supervisor.life import Life, S
from inspectd.supervisor.processes import TABLE_2, Row
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import Health


def row(name: str, subject: str = "", **changes: Any) -> Row:
    """Return a row of TABLE 2, changed."""
    kind = replace(next(kind for kind in TABLE_2 if kind.name == name), **changes)
    return Row(kind, subject, kind.stop_s)


def health(life: Life, state: HealthState = HealthState.OK, reasons: tuple[str, ...] = (), **more: Any) -> Health:
    """Return what this life's process would report."""
    fields = {"counters": {}, "channels": {}} | more
    return Health(process=life.name, pid=life.pid, state=state, reasons=list(reasons), **fields)


def waiting() -> list[Life]:
    """Return one life of each kind."""
    subjects = {"workerd": "1", "plcd": "line1", "ingestd": "cell"}
    return [Life(row(kind.name, subjects.get(kind.name, ""))) for kind in TABLE_2]


def up(now: int = 0) -> list[Life]:
    """Return one life of each kind, all of which run and have reported."""
    lives = waiting()
    for pid, life in enumerate(lives, start=100):
        life.started(pid, now)
        life.close_told = life.row.kind.intake
        life.heard(health(life, done=life.row.kind.intake), now)
    return lives


def seconds(value: float) -> int:
    """Nanoseconds."""
    return round(value * S)
