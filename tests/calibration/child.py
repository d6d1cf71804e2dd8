"""A calibration in a process of its own: python -m tests.calibration.child DIR MEMORY [STAGE].

DIR holds good/ and gets state/. Patch vectors stay in memory up to MEMORY bytes. It kills itself as -9 does in the middle of
STAGE, if one is given; else it prints what was told, and the bytes of memory that it took at most.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from calibration import build, memory
from calibration.job import Options
from inspectd.station.schema import Method
from inspectd.station.state import StateDir
from tests.calibration import parts


class Told:
    """A progress that prints notes, and kills its process in a stage."""

    def __init__(self, deadly: str) -> None:
        self._deadly = deadly

    def stage(self, name: str, total: int) -> Callable[[int], None]:
        """Begin a stage; the deadly one ends with the first step."""

        def advance(_done: int) -> None:
            if name == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)

        return advance

    def note(self, text: str) -> None:
        """Print it."""
        print(text)


def main(directory: Path, limit: int, deadly: str = "") -> None:
    """Calibrate."""
    build.MEMORY = memory.MEMORY = limit  # type: ignore[misc]
    config = parts.config(directory, method=Method(bank=1000, input_px=160))
    state = StateDir(directory / "state")
    made = build.calibrate(config, "lid", "default", directory / "good", None, state, Options(), Told(deadly))
    print(made.fingerprint, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
