"""The commands, thin: each calls what others own. The only place that knows calibration."""

from inspectd.cli.app import app


def main() -> None:
    """Entry point of the command `inspectd`."""
    app(prog_name="inspectd")
