"""`calibrate --auto`: has a station's settings found where nobody wrote them, and shows what was tried."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from inspectd.cli import screen
from inspectd.errors import BadInput
from inspectd.station import load
from inspectd.station.schema import Config, Ensemble, Method, Weighted
from inspectd.station.state import StateDir

if TYPE_CHECKING:
    from calibration.choice import Choice, Tried
    from calibration.job import Options


def wanted(config: Config, station: str, auto: bool | None, budget_ms: float | None) -> bool:
    """Whether settings are to be found: as asked, else where the station file names no method; BadInput for a vain budget."""
    data = load.read_yaml(Path(config.files[station])).data
    found = "method" not in data if auto is None else auto
    if budget_ms is not None and not found:
        why = "--no-auto" if auto is False else f"a method in {config.files[station]}; add --auto to have another one found"
        raise BadInput(f"--budget-ms: expected settings that are to be found, got {why}")
    return found


def settle(
    config: Config, station: str, product: str, good: Path, bad: Path | None, state: StateDir, asked: "Options",
    budget_ms: float | None,
) -> tuple[Config, "Options"]:  # fmt: skip
    """Return the configuration with the settings found for a station, and the options with what was tried."""
    from calibration import auto

    with screen.Bars() as bars:
        chosen = auto.choose(config, station, product, good, bad, state, asked, budget_ms, bars)
    if chosen.choice is None:
        screen.warn(chosen.note)
    else:
        show(chosen.choice)
        screen.note(
            f"To keep these settings without trying again, write into {config.files[station]}:\n{as_yaml(chosen.method)}"
        )
    one = structs.replace(config.stations[station], method=chosen.method)
    asked = dataclasses.replace(asked, choice=chosen.choice, files=chosen.files)
    return structs.replace(config, stations=config.stations | {station: one}), asked


def show(choice: "Choice") -> None:
    """Print what was tried, and how sure the choice is."""
    table = screen.grid(f"settings, at most {choice.budget_ms:g} ms a part", _HEAD, right=_HEAD[1:4])
    for one in choice.tried:
        table.add_row(*map(screen.cell, _row(one)))
    screen.show(table)
    screen.say(f"score: {choice.score}")
    screen.say(choice.sure)


def as_yaml(method: Ensemble | Method) -> str:
    """Write what a station file would say of a method or several: what is not as by default."""
    members = [_said(one) for one in method.members]
    said = members[0] if isinstance(method, Method) else {"members": members}
    return f"method: {msgspec.json.encode(said).decode()}"  # JSON is YAML


def _said(method: Method) -> dict[str, Any]:
    default = msgspec.to_builtins(Weighted())
    return {name: value for name, value in msgspec.to_builtins(method).items() if name in _NAMED or value != default[name]}


_NAMED = ("backbone", "layers", "input_px")  # by which people know a setting, as by default or not
_HEAD = ("settings", "score", "95 %", "ms", "")


def _row(one: "Tried") -> tuple[str, ...]:
    known = one.score is not None
    interval = f"{one.low:.3f} to {one.high:.3f}" if known else ""
    return one.settings, f"{one.score:.3f}" if known else "", interval, f"{one.ms:g}", one.fate
