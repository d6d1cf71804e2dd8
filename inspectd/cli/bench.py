"""Commands that measure and show: demo, benchmark line, benchmark accuracy."""

from pathlib import Path
from typing import Annotated

import typer

from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG, option
from inspectd.station.schema import Method

_METHOD = Method()
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


@benchmark.command()
def accuracy(
    data: Annotated[
        Path, option("--data", "DIR", "Folder with train/good, test/good, test/DEFECT, ground_truth/DEFECT (MVTec AD).")
    ],
    json: options.Json = None,
    seeds: Annotated[int, option("--seeds", "N", "Seeds over which figures are averaged.", min=1)] = 1,
    backbone: Annotated[str, option("--backbone", "NAME", "See: inspectd backbone list.")] = _METHOD.backbone,
    layers: Annotated[str, option("--layers", "A,B", "Layers of the backbone.")] = ",".join(map(str, _METHOD.layers)),
    input_px: Annotated[int, option("--input-px", "PX", "Side to which pictures are resized.")] = _METHOD.input_px,
    bank: Annotated[int, option("--bank", "N", "Vectors in the memory bank.")] = _METHOD.bank,
    sampler: Annotated[str, option("--sampler", "NAME", "greedy or random.")] = _METHOD.sampler,
    score: Annotated[str, option("--score", "NAME", "smoothed_max, max or eq7.")] = _METHOD.score,
    threads: Annotated[int, option("--threads", "N", "Threads of the backbone.", min=1, max=64)] = 2,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Accuracy on a labelled data set, as in the papers.

    Learnt from train/good, judged at the threshold of the best F1.
    """
    from inspectd.cli import learning

    learning.need_extra()
    screen.need_place(json)
    from calibration.bench.accuracy import accuracy as measure

    method = learning.method(backbone=backbone, layers=layers, input_px=input_px, bank=bank, sampler=sampler, score=score)
    own = options.state_directory(config, state).backbones
    with screen.Bars() as bars:
        figures = measure(data, range(seeds), method, own, threads, bars)
    learning.show_figures(figures, json)
