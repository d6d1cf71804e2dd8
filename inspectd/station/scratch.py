"""A place beside the state to make things in, gone at the end; and one maker at a time where a number is given.

What is made there is moved into the state as a whole. A maker that was killed leaves a directory that nobody holds: the next
one removes it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inspectd.errors import BadInput
from inspectd.station.state import StateDir

_PREFIX = ".work-"


@contextmanager
def scratch(state: StateDir) -> Iterator[Path]:
    """Lend a directory in the state directory, gone at the end; BadInput if the state directory cannot be written.

    What one that was killed has left goes too: nobody holds its lock any more.
    """
    try:
        state.root.mkdir(parents=True, exist_ok=True)
        with alone(state.root):
            for left in state.root.glob(f"{_PREFIX}*"):
                _remove_left(left)
            folder = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=state.root)
            held = _lock(Path(folder.name), wait=False)
    except OSError as error:
        raise BadInput(
            f"{state.root}: expected a state directory that can be written, got {error.strerror}; "
            "check its rights, or give another with --state"
        ) from error
    try:
        with folder as path:
            yield Path(path)
    finally:
        os.close(held)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep others out of a directory for a moment."""
    held = _lock(folder, wait=True)
    try:
        yield
    finally:
        os.close(held)


def _lock(folder: Path, wait: bool) -> int:
    """Lock a directory until the handle is closed or its process is gone; OSError if it is locked and we do not wait."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(handle)
        raise
    return handle


def _remove_left(folder: Path) -> None:
    try:
        held = _lock(folder, wait=False)
    except OSError:  # another one is at work in it
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)
