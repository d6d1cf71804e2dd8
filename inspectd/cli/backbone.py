"""Commands about backbones: the networks whose features are compared."""

import typer

from inspectd.cli import options, screen
from inspectd.cli.options import CONFIG

backbone = typer.Typer(no_args_is_help=True, help="The networks whose features are compared.")


@backbone.callback()
def group() -> None:
    """Keep `list` a word of its own: a group of one command would swallow it."""


@backbone.command("list")
def list_(config: options.Config = CONFIG, state: options.State = None) -> None:
    """Name the backbones that stations can use, and their layers."""
    from inspectd.cli.learning import need_extra

    need_extra()
    from calibration import graphs

    own = options.state_directory(config, state).backbones
    table = screen.grid(
        "", ("backbone", "from", "MB", "layer", "channels", "stride px"), ("MB", "layer", "channels", "stride px")
    )
    for folder, origin in ((graphs.SHIPPED, "shipped"), (own, "added")):
        for path in sorted(path for path in folder.glob("*.onnx") if len(path.stem) < 64):  # longer: cut graphs, by sha256
            head = (path.stem, origin, f"{path.stat().st_size / 1e6:.1f}")
            for number, tap in graphs.layers_of(path).items():
                table.add_row(*head, str(number), str(tap.channels), str(tap.stride))
                head = ("", "", "")
    screen.show(table)
