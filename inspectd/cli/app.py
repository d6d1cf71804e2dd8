"""The command `inspectd`: its commands and panels, and the one place where errors become messages and exit codes."""

import inspect
from collections.abc import Callable
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from inspectd.cli import backbone, bench, bundle, capture, change, line, look, screen, setup
from inspectd.errors import InspectdError, Interrupted

HELP = """Watches factory lines: PASS or FAIL for every part, learnt from pictures of good parts alone.

First inspectd init STATION, then inspectd calibrate STATION --good DIR, then inspectd run."""
EPILOG = """Exit codes: 0 ok, 1 failed, 2 bad input (a file, a picture or an option is wrong), 130 interrupted by Ctrl-C.

The variables INSPECTD_CONFIG, INSPECTD_STATE and INSPECTD_RUN_DIR stand for --config, --state and --run-dir."""


class Commands(TyperGroup):
    """Turns what inspectd raises on purpose into a message on stderr and an exit code; anything else is a bug, and shows."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except InspectdError as error:
            screen.fail(str(error))
            raise SystemExit(error.exit_code) from error
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # pydantic's word, which typer hands on
            raise
        except KeyboardInterrupt as error:
            screen.err.print("interrupted")
            raise SystemExit(Interrupted.exit_code) from error


app = typer.Typer(
    cls=Commands, help=HELP, epilog=EPILOG, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


def _version(asked: bool) -> None:
    if asked:
        try:
            screen.say(f"inspectd {metadata.version('inspectd')}")
        except metadata.PackageNotFoundError:
            screen.say("inspectd, not installed: run from its source")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")]


@app.callback()
def before_any_command(version: Version = False) -> None:
    """Take the options that stand before a command."""


def _prose(command: Callable[..., None]) -> str:
    """Let a docstring's lines flow: typer would break them on the terminal where the source does."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (inspect.getdoc(command) or "").split("\n\n"))


_PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Set up": (setup.init, setup.check, capture.capture, setup.calibrate, setup.activate, setup.demo_parts),
    "Run": (line.run, line.status, line.trigger, change.threshold, change.product, change.mode, change.reload, line.stop),
    "Look": (look.evaluate, look.replay, look.show, look.audit),
    "Measure": (bench.demo,),
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel, help=_prose(_command))(_command)
app.add_typer(backbone.backbone, name="backbone", rich_help_panel="Set up")
app.add_typer(bundle.bundle, name="bundle", rich_help_panel="Set up")
app.add_typer(bench.benchmark, name="benchmark", rich_help_panel="Measure")
