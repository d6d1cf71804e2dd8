"""Commands that prepare a line: init, check, calibrate, activate, demo-parts."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG, option


class Rule(StrEnum):
    """How a threshold is found; as in the station file."""

    F1 = "f1"
    FULL_RECALL = "full_recall"
    MAX_FALSE_REJECT = "max_false_reject"


Good = Annotated[Path, option("--good", "DIR", "Pictures of good parts, some 150 or more.")]
Bad = Annotated[Path | None, option("--bad", "DIR", "Pictures of bad parts, to place the threshold by.")]
RuleName = Annotated[Rule | None, option("--rule", "RULE", f"How the threshold is found: {', '.join(Rule)}.")]
MaxFalseReject = Annotated[
    str | None,
    option("--max-false-reject", "SHARE", "Most good parts rejected, e.g. 0.02; best: the least that the pictures support."),
]
Holdout = Annotated[
    float | None,
    option("--holdout", "SHARE", "Keep this share of good parts out of the bank and judge by it.", min=0.05, max=0.5),
]
Activate = Annotated[bool, typer.Option(help="Judge parts by the new bundle.")]
Number = Annotated[int, typer.Argument(metavar="N", min=1, help="Number of the bundle.", show_default=False)]
NewDirectory = Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty directory.", show_default=False)]


def init(station: options.StationName, config: options.Config = CONFIG) -> None:
    """Write a commented file for a new station, and line.yaml if there is none."""
    from inspectd.station import init as files

    for path in files.init(config, station):
        screen.say(f"wrote {path}")
    screen.say(f"Edit them, then: inspectd check --config {config}")


def check(config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None) -> None:
    """Check all files and this machine, start nothing; every problem is told at once."""
    loaded, where = options.ready(config, state, run_dir, bundles=True)
    count = len(loaded.stations)
    screen.say(f"{config}: {count} station{'s' * (count > 1)}, {len(loaded.line.plcs)} PLC connection(s): nothing wrong")
    screen.say(f"state in {where.state.root}, sockets in {where.run_dir}")


def calibrate(
    station: options.StationName,
    good: Good,
    bad: Bad = None,
    product: options.Product = None,
    max_false_reject: MaxFalseReject = None,
    rule: RuleName = None,
    holdout: Holdout = None,
    activate: Activate = True,
    json: options.Json = None,
    config: options.Config = CONFIG,
    state: options.State = None,
    run_dir: options.RunDir = None,
) -> None:
    """Learn what good parts look like: writes a bundle with thresholds and a report, and makes it the active one."""
    from inspectd.cli import learning
    from inspectd.cli.activation import activate as switch
    from inspectd.station.load import load

    learning.need_extra()
    screen.need_place(json)
    loaded = load(config, cameras=False)
    where = options.places(config, state, run_dir, loaded.line)
    product = options.product(options.station(loaded, station), product)
    asked = learning.options(loaded, rule, max_false_reject, holdout)
    result = learning.calibrate(loaded, station, product, good, bad, where.state, asked)
    learning.show(result)
    if json:
        screen.write_json(json, learning.figures(result))
    if activate:
        screen.say(switch(where, station, product, result.number))
    else:
        screen.say(f"not active; to judge by it: inspectd activate {station} {result.number}")


def activate(
    station: options.StationName,
    number: Number,
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
    screen.say(switch(where, station, options.product(options.station(loaded, station), product), number))


def demo_parts(
    directory: NewDirectory,
    count: Annotated[int, option("--count", "N", "Good parts to learn from.", min=1, max=9999)] = 200,
    seed: Annotated[int, option("--seed", "S", "Other seeds give other parts.", min=0)] = 0,
) -> None:
    """Write pictures of made-up steel flanges, good and defective, to try everything out with."""
    from inspectd.demo import parts

    with screen.Bars() as bars:
        written = parts.write(directory, count, seed, bars.stage("drawing parts", parts.total(count)))
    screen.say(f"{written} pictures in {directory}: train/good to calibrate with, test to evaluate on")
