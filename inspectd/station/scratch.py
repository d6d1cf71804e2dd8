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

from inspectd.errors import StateError
from inspectd.station.state import StateDir

_PREFIX = ".work-"


@contextmanager
def scratch(state: StateDir, *goals: Path) -> Iterator[Path]:
    """Lend a directory in the state directory, gone at the end; StateError if the state directory cannot be written.

    `goals` are directories, there already or not, that are to take what is made: StateError now if one does not. What one
    that was killed has left goes too: nobody holds its lock any more.
    """
    with _writing(state.root):
        state.root.mkdir(parents=True, exist_ok=True)
        with alone(state.root):
            for left in state.root.glob(f"{_PREFIX}*"):
                _remove_left(left)
            folder = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=state.root)
            held = _lock(Path(folder.name), wait=False)
    try:
        with folder as path:
            for goal in goals:
                _try(goal)
            yield Path(path)
    finally:
        os.close(held)


def _try(goal: Path) -> None:
    """Make a directory where there is one already, and remove it: rights alone do not tell whether a disk takes it."""
    there = next(place for place in (goal, *goal.parents) if place.exists())
    with _writing(there), tempfile.TemporaryDirectory(prefix=_PREFIX, dir=there):
        pass


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(
            f"{place}: expected a state directory that can be written, got {error.strerror}; "
            "check its rights and the free space, or give another with --state"
        ) from error


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
