"""Commands that change how a line judges: threshold, product, mode, while it runs or not; reload, while it runs."""

from enum import StrEnum
from typing import Annotated

import typer

from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG, option

Value = Annotated[float, typer.Argument(metavar="VALUE", help="FAIL from this score on.", show_default=False)]
Who = Annotated[str, option("--who", "NAME", "Who decided it.")]
Why = Annotated[str, option("--why", "TEXT", "Why, for those who ask in a year.")]
Mode = StrEnum("Mode", {"INSPECT": "inspect", "PAUSE": "pause"})
ModeName = Annotated[Mode, typer.Argument(metavar="inspect|pause", help="Judge parts, or do not.", show_default=False)]
ProductName = Annotated[str, typer.Argument(metavar="NAME", help="One of its products.", show_default=False)]


def threshold(
    station: options.StationName, value: Value, who: Who, why: Why,
    product: options.Product = None, sign: options.Sign = None,
    config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None,
) -> None:  # fmt: skip
    """Judge by another threshold, under somebody's name.

    Writes a new bundle, with a fingerprint of its own, that says who, why and when; the old one stays. The running line takes
    it between two batches. A threshold by which the golden pictures are not told apart is refused.
    """
    from inspectd.cli.versions import rethreshold
    from inspectd.station.load import load

    options.need_key(sign)
    loaded = load(config, cameras=False)
    where = options.places(config, state, run_dir, loaded.line)
    product = options.product(options.station(loaded, station), product, where.state)
    screen.say(rethreshold(loaded, where, station, product, value, who, why, sign))


def product(
    station: options.StationName, name: ProductName,
    config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None,
) -> None:  # fmt: skip
    """Change a station over to another of its products.

    Parts that are triggered from now on are judged by its bundle; those in flight by the one before. It holds over restarts.
    """
    from inspectd.cli.activation import select
    from inspectd.station.load import load

    loaded = load(config, cameras=False)
    where = options.places(config, state, run_dir, loaded.line)
    screen.say(select(where, options.station(loaded, station), name))


def mode(
    station: options.StationName, mode: ModeName,
    config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None,
) -> None:  # fmt: skip
    """Pause the inspection of a station, or go on.

    While it is paused every part is UNDECIDED(maintenance), and rejected. It holds over restarts.
    """
    from inspectd.cli.activation import set_mode
    from inspectd.station.load import load

    loaded = load(config, cameras=False)
    where = options.places(config, state, run_dir, loaded.line)
    screen.say(set_mode(where, options.station(loaded, station).station, mode))


def reload(
    station: options.StationName,
    config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None,
) -> None:  # fmt: skip
    """Have the running line take a station file that was edited.

    Its camera starts anew; parts that have no verdict yet are UNDECIDED(maintenance). Another roi or mask needs a bundle that
    was made for it: calibrate first. deadline_ms, trigger, products, plc and others cannot change while the line runs.
    """
    from inspectd.cli.activation import command

    reply = command(options.run_directory(config, state, run_dir), "reload", {"station": station})
    screen.say(reply.text)
