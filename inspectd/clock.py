"""The only file that reads a clock.

`_ns` values are CLOCK_MONOTONIC of the host named beside them and order everything; wall clock is kept once per
trigger, for people, and never compared. A boot id stands for the host, since monotonic clocks restart at boot.
"""

import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

MS = 1_000_000  # nanoseconds


def now_ns() -> int:
    """Nanoseconds of CLOCK_MONOTONIC, the same clock in every process of this host."""
    return time.monotonic_ns()


def utc_ns() -> int:
    """Nanoseconds since 1970 UTC: for people only."""
    return time.time_ns()


def utc_text(ns: int) -> str:
    """A UTC stamp as people write it, to the millisecond."""
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_day(ns: int) -> str:
    """The UTC day of a stamp, as the journal names its files: 2026-11-21."""
    return datetime.fromtimestamp(ns / 1e9, UTC).date().isoformat()


@cache
def host() -> str:
    """This host since its last boot: the first 12 hex digits of the kernel's boot id."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").replace("-", "")[:12]


def sleep(seconds: float) -> None:
    """Wait; only for tools that have nothing to poll."""
    time.sleep(seconds)
