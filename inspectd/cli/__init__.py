"""The commands, thin: each calls what others own. The only place that knows calibration."""

import signal
import sys
from types import FrameType

from inspectd.errors import Interrupted

_pressed: list[int] = []


def main() -> None:
    """Entry point of the command `inspectd`; Ctrl-C while modules load is told as it is later, in one line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not so where somebody had it ignored
        signal.signal(signal.SIGINT, _interrupt)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # whoever ends a command so wants it to tidy up, too
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        from inspectd.cli.app import app

        app(prog_name="inspectd")
    except (KeyboardInterrupt, ImportError):  # a C extension that is interrupted says that it cannot be imported
        if not _pressed:
            raise
        sys.stderr.write("interrupted\n")
        sys.exit(Interrupted.exit_code)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it has ended, and how it did is told: nothing changes that


def _interrupt(number: int, _: FrameType | None) -> None:
    _pressed.append(number)
    raise KeyboardInterrupt
