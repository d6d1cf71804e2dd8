"""Which processor cores a process runs on. Pure.

A worker computes without a pause. The others wake hundreds of times a second, and the kernel, which places a process that wakes
beside the one that woke it, takes a worker's core for half a millisecond each time, though another one idles: on two cores a
worker waited a fifth of its time. So where cores are left over, workers and the others do not share any.
"""

from collections.abc import Iterable
from typing import NamedTuple

from inspectd.station.schema import Workers
from inspectd.supervisor.processes import Row


class Cores(NamedTuple):
    """Numbers of cores: those of each worker, and those of everybody else."""

    of_workers: tuple[frozenset[int], ...]
    of_others: frozenset[int]

    def of(self, row: Row) -> frozenset[int]:
        """Cores on which a process may run."""
        return self.of_workers[int(row.subject) - 1] if row.kind.one_per == "worker" else self.of_others


def divide(there: Iterable[int], workers: Workers) -> Cores:
    """Give each worker a core a thread, the last ones: the first ones have most of the interrupts.

    All share all cores if none would be left for the others, or if the line file says so.
    """
    cores = sorted(there)
    left = len(cores) - workers.count * workers.threads
    if left < 1 or workers.cores == "shared":
        return Cores((frozenset(cores),) * workers.count, frozenset(cores))
    starts = range(left, len(cores), workers.threads)
    return Cores(tuple(frozenset(cores[at : at + workers.threads]) for at in starts), frozenset(cores[:left]))
