"""Commands that prepare a line: init, check, calibrate, activate, demo-parts."""

import shlex
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


_RULES = (
    "How the threshold is found: f1 (fewest mistakes of both kinds), full_recall (no known bad part passes) or "
    "max_false_reject. (default: as the station file says, else f1 with --bad)"
)
Good = Annotated[Path, option("--good", "DIR", "Pictures of good parts: 150 or more promise at most 2 % false rejects.")]
Bad = Annotated[
    Path | None, option("--bad", "DIR", "Pictures of bad parts, if there are any: the threshold goes between the two.")
]
RuleName = Annotated[Rule | None, option("--rule", "RULE", _RULES)]
MaxFalseReject = Annotated[
    str | None,
    option(
        "--max-false-reject",
        "SHARE",
        "Share of good parts that may be rejected, like 2% or 0.02; best: the least that the pictures support.",
    ),
]
Holdout = Annotated[
    str | None,
    option("--holdout", "SHARE", "Do not learn from this share of the good parts, like 20%; find the threshold by them."),
]
Drop = Annotated[
    list[str] | None,
    option("--drop", "FILE", "Leave out this good picture, by its file name; again for each. Reports name those to look at."),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out files that are no sound pictures, instead of refusing them all.")
]
Auto = Annotated[
    bool | None,
    typer.Option(
        "--auto/--no-auto",
        help="Try settings for these parts, or take the default. (default: --auto where the station file names no method)",
    ),
]
BudgetMs = Annotated[
    float | None,
    option("--budget-ms", "MS", "What --auto lets a part take. (default: half of deadline_ms - delivery_ms)", min=0.1),
]
NoActivate = Annotated[bool, typer.Option("--no-activate", help="Go on judging by the bundle that is active now.")]
Number = Annotated[int, typer.Argument(metavar="N", min=1, help="Number of the bundle.", show_default=False)]
NewDirectory = Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty directory.", show_default=False)]


def init(station: options.StationName, config: options.Config = CONFIG) -> None:
    """Write commented files for a new station, to be edited.

    Every key is in them with what it takes and its default. The file of the whole line, line.yaml, is written if there is
    none; nothing is overwritten.
    """
    from inspectd.station import init as files

    for path in files.init(config, station):
        screen.say(f"wrote {path}")
    screen.say(f"Edit them, then: inspectd check --config {shlex.quote(str(config))}")


def check(config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None) -> None:
    """Check all files and this machine; nothing is started.

    Every problem is told at once, with file, line, key, what was expected and what came. The line may be running.
    """
    from inspectd.cli import checking
    from inspectd.cli.machine import running

    loaded, where = checking.check(config, state, run_dir)
    count = len(loaded.stations)
    screen.say(f"{config}: {count} station{'s' * (count > 1)}, {len(loaded.line.plcs)} PLC connection(s): nothing wrong")
    screen.say(f"state in {where.state.root}, sockets in {where.run_dir}")
    if pid := running(where.run_dir):
        screen.say(f"runs now, pid {pid}: with the files as they were at its start")


def calibrate(
    station: options.StationName,
    good: Good,
    bad: Bad = None,
    product: options.Product = None,
    max_false_reject: MaxFalseReject = None,
    rule: RuleName = None,
    holdout: Holdout = None,
    drop: Drop = None,
    skip_bad: SkipBad = False,
    auto: Auto = None,
    budget_ms: BudgetMs = None,
    no_activate: NoActivate = False,
    sign: options.Sign = None,
    json: options.Json = None,
    config: options.Config = CONFIG,
    state: options.State = None,
    run_dir: options.RunDir = None,
) -> None:
    """Learn what good parts look like; write and activate a bundle.

    A bundle holds all that the station judges by: memory bank, threshold, settings, and a report to read and sign. Take the
    pictures with the station's own camera. Nothing is written if anything goes wrong or Ctrl-C is pressed.
    """
    from inspectd.cli import activation, choosing, learning
    from inspectd.station.load import load

    learning.need_extra()
    screen.need_place(json)
    options.need_key(sign)
    loaded = load(config, cameras=False)
    where = options.places(config, state, run_dir, loaded.line)
    product = options.product(options.station(loaded, station), product, where.state)
    if loaded.stations[station].require_signed and not sign and not no_activate:
        screen.warn(f"{station} judges only by signed bundles (require_signed): without --sign KEY this one will not be active")
    asked = learning.options(loaded, rule, max_false_reject, holdout, drop or (), skip_bad)
    settled = loaded
    if choosing.wanted(loaded, station, auto, budget_ms):
        settled, asked = choosing.settle(loaded, station, product, good, bad, where.state, asked, budget_ms)
    result = learning.calibrate(settled, station, product, good, bad, where.state, asked)
    made = (station, product, result.number)
    with activation.written(*made):
        signed = f", signed by {options.sign(result.directory, sign)}" if sign else ""
        activation.done(where, "calibrate", made, f"bundle {result.number} ({result.fingerprint}) was made{signed}")
        learning.show(result, where.state, station, product)
        if json:
            screen.write_json(json, learning.figures(result))
        if no_activate:
            screen.say(f"not active; to judge by it: {activation.how(*made)}")
        else:
            screen.say(activation.activate(loaded, where, *made))


def activate(
    station: options.StationName,
    number: Number,
    product: options.Product = None,
    config: options.Config = CONFIG,
    state: options.State = None,
    run_dir: options.RunDir = None,
) -> None:
    """Judge a station's parts by another of its bundles.

    At once if the line runs, else from its next start. The numbers are the names of the folders
    STATE/stations/STATION/PRODUCT/bundles/N.
    """
    from inspectd.cli.activation import activate as switch
    from inspectd.station.load import load

    loaded = load(config, cameras=False)
    where = options.places(config, state, run_dir, loaded.line)
    screen.say(switch(loaded, where, station, options.product(options.station(loaded, station), product, where.state), number))


def demo_parts(
    directory: NewDirectory,
    count: Annotated[int, option("--count", "N", "Good parts to learn from.", min=1, max=9999)] = 200,
    seed: Annotated[int, option("--seed", "S", "Other seeds give other parts.", min=0)] = 0,
) -> None:
    """Write made-up pictures of parts, to try everything out with.

    Steel flanges, good and defective: train/good to calibrate with, test/ to evaluate on, ground_truth/ where the defects are.
    """
    from inspectd.demo import parts

    with screen.Bars() as bars:
        written = parts.write(directory, count, seed, bars.stage("drawing parts", parts.total(count)))
    screen.say(f"{written} pictures in {directory}: train/good to calibrate with, test to evaluate on")
