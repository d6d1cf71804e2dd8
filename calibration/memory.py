"""What a calibration takes of memory and disk, worked out before it starts.

An upper estimate of the arrays that are held at once, and of what libraries and pictures in hand take beside them.
"""

import shutil
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from calibration import bank, stream
from calibration.features import BATCH, MEMORY, Extractor, kept
from calibration.progress import Progress
from inspectd.errors import BadInput, ConfigError, Problem, StateError
from inspectd.station.document import Key
from inspectd.station.schema import Method
from inspectd.vision import likeness

_FLOAT, _WIDE = 4, 8
_LIBRARIES = 150 << 20  # what matplotlib and others take that come later, and the report
_ACTIVATIONS = 250  # bytes for each pixel of a batch in the backbone: lite0 160 measured, wider networks more
PER_VECTOR = 28  # bytes of greedy selection's own numbers for each vector, and of their order
_COPIES = 3  # of a bank: chosen, as codes, and centred for the search
_SHARES = 5  # coresets that banks are put together from: one a fold
_LESS = "less is taken by a smaller input_px, a larger stride"
_FEWER = {"padim": "channels", "spade": "pictures"}
_SHARES_TRIED = [step * 10**power for power in (-2, -1, 0, 1) for step in (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)] + [100]  # per cent


class Size(NamedTuple):
    """How much there is to learn from, and whether the patch vectors lie on disk."""

    pictures: int
    patches: int  # of each picture
    channels: int
    threads: int  # with a fold each
    streamed: bool = False


class Asked(Protocol):
    """What is to be learnt: its members with their keys, and how to say what is wrong with one of them."""

    @property
    def methods(self) -> Sequence[tuple[Key, Method]]:
        """The members, each with the key under which it stands."""
        ...

    def problem(self, key: Key, expected: str, got: str, hint: str = "") -> Problem:
        """Return what is wrong at a key."""
        ...


def check(
    asked: Asked, extractors: Sequence[Extractor], pictures: int, folder: Path, progress: Progress,
    fitting: Callable[[Method, Size], int] | None = None,
) -> None:  # fmt: skip
    """Tell what learning takes; ConfigError for every member that does not fit beside those before it that do.

    `fitting` says what a fit takes, by default `needed`. StateError if patch vectors that do not fit into memory do not fit
    into `folder` either.
    """
    free, problems, on_disk, threads = available(), list[Problem](), 0, max(one.threads for one in extractors)
    taken, spare, most = resident(), free - beside(extractors, pictures, threads), 0
    for extractor, (key, method) in zip(extractors, asked.methods, strict=True):
        vectors = kept(pictures, extractor)
        streamed = vectors > MEMORY // len(extractors)
        size = Size(pictures, extractor.patches, extractor.backbone.channels, threads, streamed)
        held = 0 if streamed else vectors

        def needs(one: Method, size: Size = size) -> int:
            return (fitting or needed)(one, size)

        on_disk += vectors - held
        most = max(most, taken + free - spare + held + needs(method))
        if held + needs(method) > spare:
            problems.append(asked.problem(*_too_large(key, method, needs, spare - held, free)))
        else:
            spare -= held + remaining(method, size)
    _tell(most, taken, free, progress)
    if problems:
        raise ConfigError(problems)
    if on_disk:
        _check_disk(on_disk, folder, progress)


class Taken(NamedTuple):
    """Bytes that a step takes."""

    memory: int
    disk: int = 0


class Knob(NamedTuple):
    """An option by which a command takes more or less, and the least that it can be."""

    name: str
    number: int
    least: int = 1


def check_knobs(needs: Callable[..., Taken], knobs: Sequence[Knob], progress: Progress) -> None:
    """Tell what a command takes, of which `needs` is asked with a number for each knob, before it starts.

    BadInput if that does not fit into the memory, with the most of each knob that would, the others being as they are.
    StateError if patch vectors fit neither there nor on the disk.
    """
    free, taken, wanted = available(), resident(), needs(*(knob.number for knob in knobs))
    _tell(taken + wanted.memory, taken, free, progress)
    if wanted.memory > free:
        most = [_most(needs, knobs, i, free) for i in range(len(knobs))]
        fits = " or ".join(f"{knob.name} {number}" for knob, number in zip(knobs, most, strict=True) if number >= knob.least)
        asked = " ".join(f"{knob.name} {knob.number}" for knob in knobs)
        told = f"{fits} fits" if fits else f"{_LESS}, or less of each"
        got = f"about {gigabytes(wanted.memory)}"
        raise BadInput(f"{asked}: expected what fits into {gigabytes(free)} of free memory, got {got} ({told})")
    if wanted.disk:
        _check_disk(wanted.disk, Path(tempfile.gettempdir()), progress)


def needed(method: Method, size: Size) -> int:
    """Bytes that fitting a method takes, beside patch vectors in memory."""
    pictures, patches, channels, threads, streamed = size
    match method.kind:
        case "patchcore":
            row, count = channels * _FLOAT, bank.size(method, pictures * patches)
            copies = 5 if method.search == "ivfpq" else _COPIES  # an index has residuals and tables while it is trained
            chosen = copies * count * row
            if method.sampler != "greedy":
                drawn = bank.candidates(method, pictures * patches) * row  # and for each fit its share of it, standardised
                return drawn + threads * (drawn + chosen)
            if streamed:
                return _streamed(count, size, chosen)
            return threads * (pictures * patches * (row + PER_VECTOR) + chosen)  # a copy of the others' patches, standardised
        case "padim":
            k = min(method.channels, channels)
            return threads * patches * k * k * (2 * 8 + _FLOAT)  # sums and one batch's products in float64, factors
        case "spade":
            return threads * 2 * pictures * patches * channels * _FLOAT  # as they are gathered, and as they are judged by


def remaining(method: Method, size: Size) -> int:
    """Bytes that stay taken once a method has learnt, beside patch vectors in memory: what it judges by, and samples."""
    pictures, patches, channels, _, streamed = size
    match method.kind:
        case "patchcore":
            row, count = channels * _FLOAT, bank.size(method, pictures * patches)
            drawn = bank.candidates(method, pictures * patches) * row
            return _COPIES * count * row + drawn + (_coresets(count, size) if streamed and method.sampler == "greedy" else 0)
        case "padim":
            return patches * min(method.channels, channels) ** 2 * _FLOAT
        case "spade":
            return pictures * patches * channels * _FLOAT


def _streamed(count: int, size: Size, chosen: int) -> int:
    """Bytes taken by coresets of the shares, while they are made or while banks are chosen from them."""
    row, share = size.channels * _FLOAT, _share(size)
    chunk = min(stream.chunk(count), share) * (row + PER_VECTOR)
    making = (2 + stream.levels(share, count)) * chunk  # a chunk a level, merged, and a scaled copy
    coresets = _coresets(count, size)
    return coresets + size.threads * max(making, 2 * coresets + chosen)


def _coresets(count: int, size: Size) -> int:
    return _SHARES * min(count, _share(size)) * size.channels * _FLOAT


def _share(size: Size) -> int:
    return -(-size.pictures * size.patches // (_SHARES - 1))  # patches of one; a hold-out has one less


def beside(extractors: Sequence[Extractor], pictures: int, threads: int) -> int:
    """Bytes taken beside what methods need: libraries, pictures in the backbones, and what is known of each picture."""
    distances = [pictures * one.grid[0] * one.grid[1] * _FLOAT for one in extractors]
    sums = [pictures * (2 * _WIDE * one.backbone.channels + likeness.SIDE**2) for one in extractors]
    return _LIBRARIES + sum(distances) + max(distances) + sum(sums) + threads * max(map(_batch, extractors))


def _batch(one: Extractor) -> int:
    """Bytes of a batch of pictures in the backbone, and of its patch vectors as they come, laid together, and sampled."""
    inputs = min(one.at_once, BATCH * one.lens.tiles[0] * one.lens.tiles[1])
    return inputs * one.input_px[0] * one.input_px[1] * _ACTIVATIONS + 3 * kept(BATCH, one)


def tell(wanted: int, progress: Progress) -> None:
    """Tell what a step takes beside what is taken already."""
    taken = resident()
    _tell(taken + wanted, taken, available(), progress)


def _tell(total: int, taken: int, free: int, progress: Progress) -> None:
    told = f"memory: at most about {gigabytes(total)}, {gigabytes(taken)} of it taken already"
    progress.note(f"{told}; {gigabytes(free)} are free")


def _most(needs: Callable[..., Taken], knobs: Sequence[Knob], which: int, free: int) -> int:
    """Return how large one of the knobs may be, in two digits that are not zero."""
    numbers = [knob.number for knob in knobs]

    def needs_with(number: int) -> int:
        taken: Taken = needs(*numbers[:which], number, *numbers[which + 1 :])
        return taken.memory

    fits = bisect_right(range(1, knobs[which].number), free, key=needs_with)
    unit: int = 10 ** max(0, len(str(fits)) - 2)
    return fits // unit * unit


def _check_disk(wanted: int, folder: Path, progress: Progress) -> None:
    free = shutil.disk_usage(folder).free
    progress.note(f"disk: about {gigabytes(wanted)} while it runs, of {gigabytes(free)} that are free")
    if wanted > free:
        raise StateError(
            f"{folder}: expected {gigabytes(wanted)} of free disk for patch vectors that do not fit into memory, got "
            f"{gigabytes(free)}; free some, name another disk (--state, or TMPDIR for a benchmark), or give fewer pictures"
        )


def resident() -> int:
    """Bytes of memory that this process takes now."""
    return next(int(line.split()[1]) * 1024 for line in _lines("/proc/self/status") if line.startswith("VmRSS:"))


def available() -> int:
    """Bytes that this process may still take: what the machine has left, or its control group."""
    free = next(int(line.split()[1]) * 1024 for line in _lines("/proc/meminfo") if line.startswith("MemAvailable:"))
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    return free if limit is None or used is None else min(free, max(0, limit - used))


def gigabytes(number: int) -> str:
    """Write bytes for people."""
    return f"{number / 1e9:.2g} GB" if number < 1e10 else f"{number / 1e9:.0f} GB"


def _too_large(key: Key, method: Method, needs: Callable[[Method], int], left: int, free: int) -> tuple[Key, str, str, str]:
    """Say where, what was expected, what came and what to do; pictures and patch vectors leave `left` of `free` bytes."""
    beside = "pictures and patch vectors" if "members" not in key else "pictures, patch vectors and the members before it"
    expected = f"what fits into the {gigabytes(left)} that {beside} leave of {gigabytes(free)} of free memory"
    got, least = f"about {gigabytes(needs(method))}", 0
    if method.kind == "patchcore":
        banks = [replace(method, bank=f"{number:g}%") for number in _SHARES_TRIED]
        if fit := [one.bank for one in banks if needs(one) <= left]:
            return (*key, "bank"), expected, f"{method.bank}, {got}", f"{fit[-1]} fits"
        least = needs(banks[0])
    elif left > 0:
        return (*key, "kind"), expected, f"{method.kind}, {got}", f"{_LESS}, or fewer {_FEWER[method.kind]}"
    expected = f"{beside} that fit into {gigabytes(free)} of free memory, whatever is learnt from them"
    got = f"{method.input_px} with layers {list(method.layers)}, at least about {gigabytes(free - left + least)}"
    return (*key, "input_px"), expected, got, f"{_LESS}, fewer layers, or fewer pictures"


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="ascii").splitlines()


def _number(path: str) -> int | None:
    """Read a limit of the control group; None where there is none (`max`), or no such group."""
    try:
        return int(_lines(path)[0])
    except (OSError, ValueError, IndexError):
        return None
