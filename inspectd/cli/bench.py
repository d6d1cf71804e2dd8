"""Commands that measure and show: demo, benchmark line; those that need a data set are in measure.py."""

from pathlib import Path
from typing import Annotated

import typer

from inspectd.cli import measure, options, screen
from inspectd.cli.options import CONFIG, option

benchmark = typer.Typer(no_args_is_help=True, help="Measure the line, and accuracy and speed on a labelled data set.")


def demo(
    directory: Annotated[Path, option("--dir", "DIR", "Where the demo keeps everything.")] = Path("demo"),
    seed: Annotated[int | None, option("--seed", "S", "Other cells. (default: the station file's)", min=0)] = None,
    parts: Annotated[int | None, option("--parts", "N", "At most so many parts. (default: all)", min=2)] = None,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="kill -9 a worker, dispatch and the PLC process while parts pass.")
    ] = False,
    config: options.Config = CONFIG,
) -> None:
    """Run a whole line on real solar cells, and check its ledger.

    Calibrates, runs the line, reads the verdicts over Modbus TCP as a PLC does, and compares what four processes counted.
    """
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
    """Throughput and latency of the line and of the detector alone.

    In turns, so that what else the machine does disturbs both alike.
    """
    from inspectd.bench import line as bench
    from inspectd.cli import learning

    screen.need_place(json)
    figures = bench.run(learning.learn, screen.note, bench.Size(rounds=rounds), good)
    learning.show_figures(figures, json)


for _command in (measure.accuracy, measure.speed, measure.coreset, measure.peers):
    benchmark.command()(_command)
