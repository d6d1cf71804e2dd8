"""What a calibration takes of the memory, worked out before it starts.

An estimate of the arrays that are held at once; libraries and pictures in hand come to a few hundred megabytes beside it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from calibration import bank
from calibration.features import MEMORY, Extractor
from calibration.job import Job
from calibration.progress import Progress
from inspectd.errors import ConfigError, Problem
from inspectd.station.document import Key
from inspectd.station.schema import Method

_FLOAT = 4
_LESS = {"padim": "channels", "spade": "pictures"}
_SHARES = [step * 10**power for power in (-2, -1, 0, 1) for step in (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)] + [100]  # per cent


def check(job: Job, extractors: Sequence[Extractor], pictures: int, progress: Progress) -> None:
    """Tell what each member takes; ConfigError for every one that does not fit beside those before it."""
    free, problems = available(), list[Problem]()
    for extractor, (key, method) in zip(extractors, job.methods, strict=True):
        kept = pictures * extractor.grid[0] * extractor.grid[1] * extractor.backbone.channels * _FLOAT
        kept = kept if kept <= MEMORY // len(extractors) else 0  # else computed twice, see features
        sizes = pictures, extractor.patches, extractor.backbone.channels, job.options.threads
        needs = partial(needed, sizes=sizes)
        progress.note(f"memory: about {gigabytes(kept + needs(method))} of {gigabytes(free)} that are free")
        if kept + needs(method) > free:
            problems.append(job.problem(*_too_large(key, method, needs, free - kept)))
        free = max(0, free - kept - needs(method))
    if problems:
        raise ConfigError(problems)


def needed(method: Method, sizes: tuple[int, int, int, int]) -> int:
    """Bytes that fitting a method takes, given pictures, patches of each, channels, and threads with a fold each."""
    pictures, patches, channels, threads = sizes
    match method.kind:
        case "patchcore":
            size = bank.size(method, pictures * patches)
            drawn = bank.candidates(method, pictures * patches) * channels * _FLOAT
            # the reservoir; for each fit its share of it, standardised, and two floats per vector; the bank thrice: chosen,
            # as codes and centred for the search
            return drawn + threads * (drawn + 3 * size * channels * _FLOAT)
        case "padim":
            k = min(method.channels, channels)
            return threads * patches * k * k * (2 * 8 + _FLOAT)  # sums and one batch's products in float64, factors
        case "spade":
            return threads * 2 * pictures * patches * channels * _FLOAT  # as they are gathered, and as they are judged by


def available() -> int:
    """Bytes that this process may still take: what the machine has left, or its control group."""
    free = next(int(line.split()[1]) * 1024 for line in _lines("/proc/meminfo") if line.startswith("MemAvailable:"))
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    return free if limit is None or used is None else min(free, max(0, limit - used))


def gigabytes(number: int) -> str:
    """Write bytes for people."""
    return f"{number / 1e9:.2g} GB" if number < 1e10 else f"{number / 1e9:.0f} GB"


def _too_large(key: Key, method: Method, needs: Callable[[Method], int], free: int) -> tuple[Key, str, str, str]:
    """Say where, what was expected, what came and what to do."""
    got = f"about {gigabytes(needs(method))}"
    expected = f"what fits into {gigabytes(max(0, free))} of free memory"
    if method.kind != "patchcore":
        hint = "less is taken by a smaller input_px, a larger stride, or fewer " + _LESS[method.kind]
        return (*key, "kind"), expected, f"{method.kind}, {got}", hint
    shares = (f"{number:g}%" for number in reversed(_SHARES))
    share = next((share for share in shares if needs(replace(method, bank=share)) <= free), None)
    hint = f"write bank: {share}" if share else "less is taken by a smaller input_px, a larger stride, or fewer pictures"
    return (*key, "bank"), expected, f"{method.bank}, {got}", hint


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="ascii").splitlines()


def _number(path: str) -> int | None:
    """Read a limit of the control group; None where there is none (`max`), or no such group."""
    try:
        return int(_lines(path)[0])
    except (OSError, ValueError, IndexError):
        return None
