"""The run directory and its lock: one daemon on it, known by its pid.

The lock is flock(2) on a file: the kernel drops it with its holder, so a file left behind by kill -9 blocks nobody. The file
itself is never removed: a daemon that holds the lock of a removed file would not be seen by the next one.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from inspectd.errors import DaemonError

RUN_DIR_MAX = 80  # characters; socket paths end at 107 and channels have names


def prepare(run_dir: Path) -> None:
    """Make the run directory with mode 0700; DaemonError if it is too long, or open to others: they could give orders."""
    if len(str(run_dir)) > RUN_DIR_MAX:
        raise DaemonError(f"run directory {run_dir}: expected at most {RUN_DIR_MAX} characters, got {len(str(run_dir))}")
    try:
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = run_dir.stat()
    except OSError as error:
        raise DaemonError(f"run directory {run_dir}: cannot be made: {error.strerror}; name another with --run-dir") from error
    if found.st_mode & 0o077 or found.st_uid != os.getuid():
        got = f"mode {found.st_mode & 0o777:04o} of uid {found.st_uid}"
        raise DaemonError(
            f"run directory {run_dir}: expected mode 0700 of uid {os.getuid()}, got {got}: whoever can write there can stop "
            f"the line; `chmod 700 {run_dir}`, or name a directory that does not exist yet"
        )


def holder(run_dir: Path) -> int | None:
    """Pid of the daemon on this run directory, 0 if it has not said it yet, None if there is no daemon."""
    try:
        descriptor = os.open(run_dir / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DaemonError(f"run directory {run_dir}: cannot be read: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(os.pread(descriptor, 32, 0))
    finally:
        os.close(descriptor)
    return None


class Lock:
    """Holds the run directory; DaemonError naming the other daemon's pid if there is one."""

    def __init__(self, run_dir: Path) -> None:
        prepare(run_dir)
        self._descriptor = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = _pid(os.pread(self._descriptor, 32, 0))
            os.close(self._descriptor)
            raise DaemonError(
                f"run directory {run_dir}: a daemon runs there already, pid {pid or 'not yet known'}; "
                "stop it, or give this one another --run-dir"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)


def _pid(text: bytes) -> int:
    return int(text) if text.strip().isdigit() else 0
