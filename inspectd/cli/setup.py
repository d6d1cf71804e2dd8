"""Commands that prepare a line: init, check, calibrate, activate, demo-parts, backbone."""

from typing import Annotated

import typer

from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG
from inspectd.errors import ConfigError


def init(station: options.StationName, config: options.Config = CONFIG) -> None:
    """Write a commented file for a new station, and line.yaml if there is none."""
    from inspectd.station import init as files

    for path in files.init(config, station):
        screen.say(f"wrote {path}")
    screen.say(f"Edit them, then: inspectd check --config {config}")


def check(config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None) -> None:
    """Check all files and this machine, start nothing; every problem is told at once."""
    from inspectd.cli.machine import check_machine
    from inspectd.station.load import load

    loaded = load(config)
    where = options.places(config, state, run_dir, loaded.line)
    findings = check_machine(loaded, where.state, where.run_dir)
    for warning in findings.warnings:
        screen.warn(warning)
    if findings.problems:
        raise ConfigError(findings.problems)
    screen.say(f"{config}: {len(loaded.stations)} stations, {len(loaded.line.plcs)} PLC connections, nothing wrong")


def activate(
    station: options.StationName,
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="Number of the bundle.", show_default=False)],
    product: options.Product = None,
    config: options.Config = CONFIG,
    state: options.State = None,
    run_dir: options.RunDir = None,
) -> None:
    """Judge a station's parts by another of its bundles, from now on."""
    from inspectd.cli.activation import activate as switch
    from inspectd.station.load import load

    loaded = load(config, cameras=False)
    where = options.places(config, state, run_dir, loaded.line)
    station_file = options.station(loaded, station)
    screen.say(switch(where, station, options.product(station_file, product), number))
