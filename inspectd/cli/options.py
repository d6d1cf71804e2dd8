"""Options that commands share, and where they say that things lie."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from inspectd.errors import BadBundle, BadInput, ConfigError
from inspectd.station import schema
from inspectd.station.state import StateDir

CONFIG = Path("stations")
_SYSTEM_RUN_DIR = Path("/run/inspectd")  # made by the service manager


def option(name: str, metavar: str, help_: str, **more: Any) -> Any:
    """One option with a value; its default stands in the help where it says something."""
    return typer.Option(name, metavar=metavar, help=help_, show_envvar=False, **more)


Config = Annotated[Path, option("--config", "DIR", "Directory of line.yaml and station files.", envvar="INSPECTD_CONFIG")]
State = Annotated[
    Path | None,
    option(
        "--state", "DIR", "Directory of bundles, journal and counters. (default: as line.yaml says, else state beside the "
        "configuration)", envvar="INSPECTD_STATE",
    ),
]  # fmt: skip
RunDir = Annotated[
    Path | None,
    option(
        "--run-dir", "DIR", "Directory of sockets and lock file. (default: as line.yaml says, else /run/inspectd if it is "
        "ours, else run in the state directory)", envvar="INSPECTD_RUN_DIR",
    ),
]  # fmt: skip
Json = Annotated[Path | None, option("--json", "FILE", "Write the figures to FILE as JSON; - prints them.")]
Sign = Annotated[Path | None, option("--sign", "KEY", "Sign the bundle by a private key, of `inspectd bundle keygen`.")]
Product = Annotated[str | None, option("--product", "NAME", "A product of the station. (default: the one judged now)")]
StationName = Annotated[str, typer.Argument(metavar="STATION", help="A station's name, as in its file.", show_default=False)]


@dataclass(frozen=True)
class Places:
    """Where the daemon writes and where it is spoken to; absolute, since children and sockets know no working directory."""

    state: StateDir
    run_dir: Path


def places(config: Path, state: Path | None, run_dir: Path | None, line: schema.Line | None = None) -> Places:
    """Options first, then line.yaml (relative to it), then defaults; BadInput if line.yaml is asked and does not say."""
    if line is None:
        line = schema.Line() if state and run_dir else _line(config)
    root = state or (config / line.state_dir if line.state_dir else config.absolute().parent / "state")
    runs = run_dir or (config / line.run_dir if line.run_dir else _default_run_dir(root))
    return Places(StateDir(_absolute(root)), _absolute(runs))


def run_directory(config: Path, state: Path | None, run_dir: Path | None) -> Path:
    """Where the daemon is spoken to; with --run-dir, line.yaml is not even read."""
    return _absolute(run_dir) if run_dir else places(config, state, None).run_dir


def state_directory(config: Path, state: Path | None) -> StateDir:
    """Where the daemon writes; with --state, line.yaml is not even read."""
    return StateDir(_absolute(state)) if state else places(config, None, None).state


def ready(config: Path, state: Path | None, run_dir: Path | None) -> tuple[schema.Config, Places]:
    """Load all files and check the machine for a start; BadInput with every problem, warnings on the terminal.

    A damaged bundle is a warning, since the other stations can run.
    """
    from inspectd.cli import screen
    from inspectd.cli.machine import check_machine
    from inspectd.station.load import load

    loaded = load(config)
    where = places(config, state, run_dir, loaded.line)
    findings = check_machine(loaded, where.state, where.run_dir)
    for warning in findings.unused + findings.missing + findings.damaged:
        screen.warn(warning)
    if findings.problems:
        raise BadInput("\n".join(map(str, findings.problems)))
    return loaded, where


def station(config: schema.Config, name: str) -> schema.Station:
    """Return a station of the configuration; BadInput naming those that there are."""
    if name not in config.stations:
        raise BadInput(f"{config.directory}: expected one of the stations {', '.join(config.stations)}, got {name}")
    return config.stations[name]


def judged(of: schema.Station, state: StateDir) -> str:
    """Return the product by which a station judges: the one that was selected last, at first its first."""
    selected = state.read_product(of.station)
    return selected if selected in of.products else of.products[0]


def product(of: schema.Station, name: str | None, state: StateDir) -> str:
    """Return the product that is meant, by default the one that is judged; BadInput naming those that there are."""
    if name is None:
        return judged(of, state)
    if name not in of.products:
        raise BadInput(f"station {of.station}: expected one of the products {', '.join(of.products)}, got {name}")
    return name


def naming(product: str) -> str:
    """Return the option that names a product behind a command, with a space before it; empty where none need be named."""
    return "" if product == "default" else f" --product {product}"


def active_bundle(state: StateDir, station: str, product: str) -> int:
    """Return the number of the active bundle; BadBundle if there is none."""
    current = state.read_current(station, product)
    if current is None:
        raise BadBundle(f"station {station}, product {product}: no active bundle; inspectd calibrate {station} --good DIR")
    return current.bundle


def need_key(key: Path | None) -> None:
    """Refuse what cannot sign before any work; BadInput, or MissingExtra without the extra `sign`."""
    if key:
        from inspectd.vision import signing

        signing.read_key(key)


def sign(bundle: Path, key: Path) -> str:
    """Sign a bundle; returns the public key. MissingExtra without the extra `sign`."""
    from inspectd.vision import signing

    return signing.sign(bundle, key)


def _line(config: Path) -> schema.Line:
    from inspectd.station.load import load_places

    try:
        return load_places(config)
    except ConfigError as error:
        why = "so it cannot be known where the line's directories are: name them with --run-dir DIR and --state DIR"
        raise BadInput(f"{error}\n{why}") from error


def _default_run_dir(state: Path) -> Path:
    return _SYSTEM_RUN_DIR if os.access(_SYSTEM_RUN_DIR, os.W_OK) else state / "run"


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (removes .. and keeps links, which Path.resolve would not)
