"""The same work on many things, some at a time.

Threads that each do one thing from end to end, not matrix products that are split: on a PC whose cores are busy, OpenBLAS
waits at every split for the thread that has no core (a calibration took twice as long with two threads in each product as
with one). NumPy, OpenCV and ONNX Runtime let other threads run while they compute.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from calibration.progress import Advance

Thing = TypeVar("Thing")
Made = TypeVar("Made")


class _Stopped(Exception):  # noqa: N818 (never leaves this file)
    """Another thing failed, or somebody pressed Ctrl-C."""


def each(work: Callable[[Thing, Advance], Made], things: Iterable[Thing], threads: int, advance: Advance) -> list[Made]:
    """Return what `work` makes of each thing, in order; it tells its progress by the `Advance` that it is given.

    The first error, or Ctrl-C, stops the others at the next progress they tell, and is raised.
    """
    stop, lock = threading.Event(), threading.Lock()
    errors: list[BaseException] = []

    def told(done: int) -> None:
        if stop.is_set():
            raise _Stopped
        with lock:
            advance(done)

    def guarded(thing: Thing) -> Made:
        try:
            return work(thing, told)
        except BaseException as error:
            errors.append(error)
            stop.set()
            raise

    with ThreadPoolExecutor(threads) as pool:
        try:  # Ctrl-C may come while things are still handed out
            futures = [pool.submit(guarded, thing) for thing in things]
            return [future.result() for future in futures]
        except _Stopped:
            raise errors[0] from None
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
