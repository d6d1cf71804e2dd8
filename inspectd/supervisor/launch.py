"""The one home of multiprocessing, and the one door into every child.

Children are spawned, never forked: sockets, threads and CUDA contexts do not survive a fork. The main is imported in the
child only, so that the supervisor stays small and one process's imports cannot break another.
"""

import ctypes
import faulthandler
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

import setproctitle

from inspectd import log
from inspectd.errors import InspectdError
from inspectd.supervisor.processes import Row
from inspectd.wire.child import Seat

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the supervisor's alone; children stop by order
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_END_S = 1.0  # for the safe state
# NumPy's OpenBLAS starts a pool at import, whose threads spin: 0.15 s of processor time a process. A worker sets its own number
_NO_POOL = ("OPENBLAS_NUM_THREADS", "1")
_ORPHAN = 3  # exit code of a child whose supervisor died before the child had begun


class Launched:
    """A started child: its pid, a descriptor that becomes readable when it ends, and its end."""

    def __init__(self, row: Row, seat: Seat, cores: AbstractSet[int] = frozenset()) -> None:
        """`cores`: where it may run; none: where its supervisor may."""
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_enter, args=(row, seat, cores, os.getpid()), name=row.name)
        os.environ.setdefault(*_NO_POOL)
        with _blocked(), _without_main():
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self._orphaned = row.kind.orphaned
        self.sentinel = self._process.sentinel

    def exit_code(self) -> int | None:
        """The exit code, negative for the signal that ended it; None while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def orphan(self) -> None:
        """Send what the kernel would send if the supervisor died."""
        os.kill(self.pid, self._orphaned)

    def release(self) -> None:
        """Wait for its end, by SIGKILL if that does not come, and close its descriptor."""
        self._process.join(_END_S)
        self._process.kill()
        self._process.join()
        self._process.close()


def name_process(name: str, run_dir: Path) -> None:
    """Set what `ps` shows: the process and, by its run directory, the line that it belongs to."""
    setproctitle.setproctitle(f"{name} {run_dir}")


@contextmanager
def _blocked() -> Iterator[None]:
    """Hold the stop signals back: the child inherits the mask, so that a Ctrl-C cannot hit it before it ignores them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the parent's __main__: spawn would import it (the whole command line) into every child."""
    ours = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = ours


def keep_to(cores: AbstractSet[int]) -> None:
    """Have this process, and each thread that it starts from now on, run on these cores alone."""
    os.sched_setaffinity(0, cores)


def _enter(row: Row, seat: Seat, cores: AbstractSet[int], supervisor: int) -> None:
    """Be the child: title, fate, cores, signals, log, main; what escapes the main becomes one log line and an exit code."""
    name_process(row.name, seat.run_dir)
    _die_with(supervisor, row.kind.orphaned)
    if cores:
        keep_to(cores)
    for stop in STOP_SIGNALS:
        signal.signal(stop, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    faulthandler.enable()  # a crash in native code leaves a traceback
    log.configure(row.name)
    # never an orderly exit, which takes the interpreter down under threads that are in native code, as a worker's loader is
    # for seconds: CPython unwinds one that then asks for the GIL (take_gil, up to 3.13), and C++ answers with SIGABRT. What
    # the main was to close is closed, and log lines are written as they come.
    os._exit(_main(row, seat))


def _main(row: Row, seat: Seat) -> int:
    try:
        module, function = row.kind.main.split(":")
        getattr(import_module(module), function)(seat)
    except InspectdError as error:
        log.get(__name__).error("process gave up", error=type(error).__name__, text=str(error))
        return error.exit_code
    except Exception:  # noqa: BLE001 (the last resort: nothing may escape without a line)
        log.get(__name__).exception("process crashed")
        return 1
    return 0


def _die_with(supervisor: int, by: signal.Signals) -> None:
    """Have the kernel send `by` when the supervisor dies (prctl(2)); leave at once if it died before that was arranged."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    if os.getppid() != supervisor:
        os._exit(_ORPHAN)
