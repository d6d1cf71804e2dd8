"""Commands about backbones: the networks whose features are compared."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG, option
from inspectd.errors import BadInput, MissingExtra

backbone = typer.Typer(no_args_is_help=True, help="The networks whose features are compared.")
_COLUMNS = ("backbone", "from", "MB", "layer", "channels", "stride px")
_CUT = 64  # letters of a sha256, the name of a graph cut for a station


@backbone.command("list")
def list_(config: options.Config = CONFIG, state: options.State = None) -> None:
    """Name the backbones that stations can use, and their layers."""
    from inspectd.cli.learning import need_extra

    need_extra()
    from calibration import catalogue, graphs

    own = options.state_directory(config, state).backbones
    table = screen.grid("", _COLUMNS, ("MB", "layer", "channels", "stride px"))
    listed = set()
    for folder, source in ((graphs.SHIPPED, "shipped"), (own, "added")):
        for path in sorted(path for path in folder.glob("*.onnx") if len(path.stem) < _CUT):
            listed.add(path.stem)
            said = f"{source}, random weights" if graphs.origin(path).startswith("random") else source
            head = (screen.cell(path.stem), said, f"{path.stat().st_size / 1e6:.1f}")
            for number, tap in graphs.layers_of(path).items():
                table.add_row(*head, str(number), str(tap.channels), str(tap.stride))
                head = ("", "", "")
    screen.show(table)
    if more := [name for name in catalogue.ADDABLE if name not in listed]:
        screen.note(f"inspectd backbone add NAME adds one of {', '.join(more)}")


Name = Annotated[str, typer.Argument(metavar="NAME", help="As in torchvision, or lite1.", show_default=False)]
Weights = Annotated[
    Path | None,
    option("--weights", "FILE", "Its weights, a state_dict. (default: those in torchvision's cache, TORCH_HOME)"),
]
Random = Annotated[
    bool, typer.Option("--random-weights", help="Random weights, for tests: the backbone is called NAME-random.")
]
Seed = Annotated[int, option("--seed", "N", "Of the random weights.", min=0, max=2**31 - 1)]


@backbone.command()
def add(
    name: Name, weights: Weights = None, random_weights: Random = False, seed: Seed = 0,
    config: options.Config = CONFIG, state: options.State = None,
) -> None:  # fmt: skip
    """Make a backbone out of a network of torchvision, or lite1.

    Nothing is downloaded. The big networks take some minutes. Stations that are calibrated keep what they have.
    """
    from calibration import catalogue

    if name not in catalogue.ADDABLE:
        why = "is shipped" if name in catalogue.SHIPPED else "is not known"
        raise BadInput(f"backbone {name} {why}: expected one of {', '.join(catalogue.ADDABLE)}")
    if weights and random_weights:
        raise BadInput("--weights and --random-weights: expected one of them, got both; drop one")
    own = options.state_directory(config, state).backbones
    _need_export(catalogue.PACKAGES)
    from calibration import backbones, graphs

    path = backbones.add(name, own, weights, seed if random_weights else None)
    numbers = catalogue.ADDABLE[name].numbers
    screen.say(f"backbone {path.stem} added: {path}, {path.stat().st_size / 1e6:.1f} MB, weights {graphs.origin(path)}")
    screen.say(f"layers {numbers[0]} to {numbers[-1]} stand for {catalogue.ADDABLE[name].layers}")
    if random_weights:
        screen.warn(f"{path.stem} never learnt to see: for tests alone")


def _need_export(packages: tuple[str, ...]) -> None:
    """Stop before any work if what writes backbones is not installed; MissingExtra names the extra."""
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        what = f"adding a backbone needs {', '.join(missing)}, of the extra `export`"
        raise MissingExtra(
            f"{what}: pip install 'inspectd[cpu,export]', on any machine: the file that it writes is all that a line needs"
        )
