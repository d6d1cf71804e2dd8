"""Options that commands share, and where they say that things lie."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from inspectd.errors import BadInput
from inspectd.station import schema
from inspectd.station.state import StateDir

_SYSTEM_RUN_DIR = Path("/run/inspectd")  # made by the service manager

Config = Annotated[
    Path, typer.Option("--config", metavar="DIR", envvar="INSPECTD_CONFIG", help="Directory of line.yaml and station files.")
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        envvar="INSPECTD_STATE",
        help="Directory of bundles, journal and counters.  [default: as line.yaml says, else state beside the configuration]",
        show_default=False,
    ),
]
RunDir = Annotated[
    Path | None,
    typer.Option(
        "--run-dir",
        metavar="DIR",
        envvar="INSPECTD_RUN_DIR",
        help="Directory of sockets and lock file.  [default: as line.yaml says, else /run/inspectd if it is ours, else run in "
        "the state directory]",
        show_default=False,
    ),
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to FILE as JSON; - prints them.")]
StationName = Annotated[str, typer.Argument(metavar="STATION", help="A station's name, as in its file.", show_default=False)]
Product = Annotated[
    str | None,
    typer.Option("--product", metavar="NAME", help="A product of the station.  [default: its first]", show_default=False),
]
CONFIG = Path("stations")


@dataclass(frozen=True)
class Places:
    """Where the daemon writes and where it is spoken to; absolute, since children and sockets know no working directory."""

    state: StateDir
    run_dir: Path


def places(config: Path, state: Path | None, run_dir: Path | None, line: schema.Line | None = None) -> Places:
    """Options first, then line.yaml (relative to it), then defaults; ConfigError if line.yaml is asked and wrong."""
    if line is None:
        from inspectd.station.load import load_line

        line = load_line(config) if state is None or run_dir is None else schema.Line()
    root = state or (config / line.state_dir if line.state_dir else config.absolute().parent / "state")
    runs = run_dir or (config / line.run_dir if line.run_dir else _default_run_dir(root))
    return Places(StateDir(_absolute(root)), _absolute(runs))


def _default_run_dir(state: Path) -> Path:
    return _SYSTEM_RUN_DIR if os.access(_SYSTEM_RUN_DIR, os.W_OK) else state / "run"


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (removes .. and keeps links, which Path.resolve would not)


def station(config: schema.Config, name: str) -> schema.Station:
    """Return a station of the configuration; BadInput naming those that there are."""
    if name not in config.stations:
        raise BadInput(f"{config.directory}: expected one of the stations {', '.join(config.stations)}, got {name}")
    return config.stations[name]


def product(of: schema.Station, name: str | None) -> str:
    """Return the product that is meant, the station's first by default; BadInput naming those that there are."""
    if name is None:
        return of.products[0]
    if name not in of.products:
        raise BadInput(f"station {of.station}: expected one of the products {', '.join(of.products)}, got {name}")
    return name
