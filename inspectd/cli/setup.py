"""Commands that prepare a line: init, check, calibrate, activate, demo-parts, backbone."""

from pathlib import Path
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


def demo_parts(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty directory.", show_default=False)],
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, max=9999, help="Good parts to learn from.")] = 200,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Other seeds give other parts.")] = 0,
) -> None:
    """Write pictures of made-up steel flanges, good and defective, to try everything out with."""
    from inspectd.demo import parts

    with screen.Bars() as bars:
        written = parts.write(directory, count, seed, bars.stage("drawing parts", parts.total(count)))
    screen.say(f"{written} pictures in {directory}: train/good to calibrate with, test to evaluate on")
