"""A calibration in a process of its own: python -m tests.calibration.child DIR MEMORY [STAGE [SIGNAL]].

DIR holds good/ and gets state/. Patch vectors stay in memory up to MEMORY bytes. It sends itself SIGNAL, by default 9, in the
middle of STAGE, if one is given; else it prints what was told, and the bytes of memory that it took at most.
"""

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from calibration import build, memory
from calibration.job import Options
from inspectd.errors import InspectdError
from inspectd.station.schema import Method
from inspectd.station.state import StateDir
from tests.calibration import parts


class Told:
    """A progress that prints notes, and sends its process a signal in a stage."""

    def __init__(self, deadly: str, number: int) -> None:
        self._deadly, self._number = deadly, number

    def stage(self, name: str, total: int) -> Callable[[int], None]:
        """Begin a stage; the signal comes with the first step of the deadly one."""

        def advance(_done: int) -> None:
            if name == self._deadly:
                os.kill(os.getpid(), self._number)

        return advance

    def note(self, text: str) -> None:
        """Print it."""
        print(text)


def main(directory: Path, limit: int, deadly: str = "", number: int = signal.SIGKILL) -> None:
    """Calibrate; an error is printed, and is the exit code."""
    build.MEMORY = memory.MEMORY = limit  # type: ignore[misc]
    config = parts.config(directory, method=Method(bank=1000, input_px=160))
    state = StateDir(directory / "state")
    try:
        made = build.calibrate(config, "lid", "default", directory / "good", None, state, Options(), Told(deadly, number))
    except InspectdError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    print(made.fingerprint, peak())


def peak() -> int:
    """Most memory that this process had, in bytes; ru_maxrss begins with what the process that started it had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4], *map(int, sys.argv[4:]))
