"""Commands that measure and show: demo, benchmark line, benchmark accuracy."""

from pathlib import Path
from typing import Annotated

import typer

from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG, option

benchmark = typer.Typer(no_args_is_help=True, help="Measure the line, or accuracy on a labelled data set.")


def demo(
    directory: Annotated[Path, option("--dir", "DIR", "Where the demo keeps everything.")] = Path("demo"),
    seed: Annotated[int | None, option("--seed", "S", "Other cells. (default: the station file's)", min=0)] = None,
    parts: Annotated[int | None, option("--parts", "N", "At most so many parts. (default: all)", min=2)] = None,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="kill -9 a worker, dispatch and the PLC process while parts pass.")
    ] = False,
    config: options.Config = CONFIG,
) -> None:
    """A whole line on real solar cells: calibrate, run, read the verdicts as a PLC does, check the ledger."""
    from inspectd.cli.learning import learn
    from inspectd.demo.main import Demo, Options
    from inspectd.demo.terminal import Terminal

    asked = Options(directory=directory, config=config, seed=seed, parts=parts, chaos=chaos)
    raise typer.Exit(Demo(asked, Terminal(screen.out)).run(learn))


@benchmark.command()
def line(
    json: options.Json = None,
    rounds: Annotated[int, option("--rounds", "N", "Turns of each side; the median counts.", min=1)] = 5,
    good: Annotated[Path | None, option("--good", "DIR", "Pictures of good parts. (default: made ones)")] = None,
) -> None:
    """Throughput and latency of the line beside the detector alone, in turns."""
    from inspectd.bench import line as bench
    from inspectd.cli.learning import learn

    figures = bench.run(learn, screen.note, bench.Size(rounds=rounds), good)
    if json:
        screen.write_json(json, figures)
    if str(json) != "-":
        for name, value in figures.items():
            if name != "rounds":
                screen.say(f"{name}: {value}")
