"""The one home of the compiled search, scan.c: exact nearest bank vectors by bounds in 8 bits.

On orthonormal axes two vectors are at most as far apart as they are in full, also if the norm of what the axes leave of each
counts as one more coordinate. The axes are the bank's first principal ones, turned at random so that all carry as much. Each
vector's coordinates are rounded to 8 bits by a step of its own and what is lost is measured, which gives

    distance >= distance of the codes - margin of the query - margin of the bank vector

The processor compares 16 codes at once. Only what may be nearer than the best vector so far (on real parts 1 to 5 of a
thousand) is compared in full, and the nearest of those is the answer: codes that fit badly cost time, never exactness.
"""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Way = Literal["vnni", "avx2"]

_WAYS: tuple[Way, ...] = ("avx2", "vnni")  # in the order of the library
_VERSION = 4  # of the library's interface
_CODES, _GROUP, _LEVELS = 64, 64, 127  # as in scan.c; a bank's codes lie in -127 … 127
_SHARE = 128  # queries that a thread takes at a time, at most, as in scan.c
_CACHE = 2**21  # bytes that stay near a core
_BLOCK = 4096  # bank vectors coded at a time, in double precision
_LONGEST = 1e15  # a bank with longer vectors is left to NumPy: squares of float32 end at 3e38
_HALF_ULP = 2.0**-24  # relative rounding error of float32


class Nearest(NamedTuple):
    """The nearest bank vector of n queries."""

    distances: F32
    indices: I64
    compared: int  # distances that were worked out in full


class _Bank(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("count", "d", "groups")),
        *((name, ctypes.c_void_p) for name in ("vectors", "centre", "axes", "codes", "sums", "steps", "squares", "margins")),
        *((name, ctypes.c_float) for name in ("margin", "rest", "rounding")),
    )


class _Asked(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("queries", "mean", "scale")),
        *((name, ctypes.c_int64) for name in ("n", "share")),
        *((name, ctypes.c_void_p) for name in ("next", "distances", "indices")),
    )


def ways() -> tuple[Way, ...]:
    """What this processor can run of the library, best first; nothing if it was not built (no compiler at the install)."""
    library = _library()
    found = 0 if library is None else library.scan_paths()
    return tuple(way for way in reversed(_WAYS) if found >> _WAYS.index(way) & 1)


class Scan:
    """A bank [N,d], N at least 1, coded so that the processor can search it."""

    def __init__(self, bank: F32, way: Way) -> None:
        """`bank` is contiguous and `codable`."""
        count, d = bank.shape
        groups = -(-count // _GROUP)
        axes, centre = _axes(bank)
        on_axes = np.zeros((count, _CODES))
        for rows in _blocks(count):
            on_axes[rows] = _coordinates(bank[rows], centre, axes)
        rest = float(np.float32(on_axes[:, -1].mean())) if d >= _CODES else -1.0
        on_axes[:, -1] -= rest if d >= _CODES else 0
        codes, steps, squares, margins = _code(on_axes, groups)
        self._arrays = {  # held here for the library
            "vectors": bank, "centre": centre, "axes": axes.astype(np.float32),
            # 16 vectors side by side, four codes of each at a time, as the processor multiplies them
            "codes": np.ascontiguousarray(codes.reshape(groups * 4, 16, _CODES // 4, 4).transpose(0, 2, 1, 3)),
            "sums": codes.sum(axis=1, dtype=np.int32), "steps": steps, "squares": squares, "margins": margins,
        }  # fmt: skip
        rounding = 8 * (d + 8) * _HALF_ULP  # of a sum of d products on each of 64 axes
        addresses = {name: array.ctypes.data for name, array in self._arrays.items()}
        self._bank = _Bank(
            count=count, d=d, groups=groups, margin=float(margins.max()), rest=rest, rounding=rounding, **addresses
        )
        # half a share reads all codes: small ones spread a picture evenly over threads, large ones read memory less often
        self._share = _SHARE if codes.nbytes > _CACHE else _SHARE // 2
        self.way: Way = way

    def nearest(self, queries: F32, standard: tuple[F32, F32] | None = None) -> Nearest:
        """Nearest bank vector of each query [n,d], the first of equals; a distance that is not finite comes out as such.

        `standard`: mean and scale [d] of the bank, if queries are still to be standardised: (q - mean) / scale.
        """
        found = Nearest(np.empty(len(queries), np.float32), np.empty(len(queries), np.int64), 0)
        given = (np.ascontiguousarray(one, np.float32) for one in (queries, *(standard or ())))
        arrays: dict[str, npt.NDArray[Any]] = dict(zip(("queries", "mean", "scale"), given, strict=False))
        arrays |= {"next": np.zeros(1, np.int64), "distances": found.distances, "indices": found.indices}
        asked = _Asked(n=len(queries), share=self._share, **{name: array.ctypes.data for name, array in arrays.items()})
        arguments = ctypes.byref(self._bank), _WAYS.index(self.way), ctypes.byref(asked)
        compared = crew.run(lambda: int(_library().scan_run(*arguments)), len(queries) // self._share)
        if min(compared) < 0:
            raise MemoryError("the search of the memory bank got no memory")
        return found._replace(compared=sum(compared))


def codable(bank: F32) -> bool:
    """Whether a bank is finite, and float32 can hold the squares of its distances."""
    return bool(np.abs(bank).max() * np.sqrt(bank.shape[1]) < _LONGEST)  # which NaN is not


def _blocks(count: int) -> list[slice]:
    return [slice(at, at + _BLOCK) for at in range(0, count, _BLOCK)]


def _axes(bank: F32) -> tuple[F64, F32]:
    """Orthonormal axes [d,64], the last one zero and kept for the rest if d >= 64 (unused ones are zero too); centre [d]."""
    d = bank.shape[1]
    centre = bank.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = bank - centre
    principal = np.linalg.eigh((centred.T @ centred).astype(np.float64))[1][:, ::-1]
    used = min(d, _CODES - 1)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(used, used)))[0]
    axes = np.zeros((d, _CODES))
    axes[:, :used] = principal[:, :used] @ turn
    return axes, centre


def _coordinates(vectors: F32, centre: F32, axes: F64) -> F64:
    """Vectors [n,d] on the axes [n,64]; the last coordinate is the norm of what they leave."""
    centred = vectors.astype(np.float64) - centre
    on_axes = centred @ axes
    rest = np.einsum("nd,nd->n", centred, centred) - np.einsum("nk,nk->n", on_axes, on_axes)
    on_axes[:, -1] = np.sqrt(np.maximum(rest, 0))
    return np.asarray(on_axes, np.float64)


def _code(on_axes: F64, groups: int) -> tuple[npt.NDArray[np.int8], F32, F32, F32]:
    """Coordinates [N,64] to codes [groups*64,64], steps and squares of the coded vectors, and margins of the groups."""
    count, padded = len(on_axes), groups * _GROUP
    codes, steps = np.zeros((padded, _CODES), np.int8), np.zeros(groups, np.float32)
    squares, margins = np.full(padded, np.inf), np.zeros(padded)  # what fills up the last group is never near
    for rows in _blocks(count):
        values = on_axes[rows]
        largest = np.abs(values).max(axis=1)
        firsts = np.arange(0, len(values), _GROUP)
        step = (np.maximum.reduceat(largest, firsts) / _LEVELS).astype(np.float32)
        step[step < 1e-30] = 0  # of float32; such vectors are the centre
        steps[rows.start // _GROUP : rows.start // _GROUP + len(step)] = step
        step = np.repeat(step, _GROUP)[: len(values)]
        code = np.rint(values / np.where(step > 0, step, np.inf)[:, None]).clip(-_LEVELS, _LEVELS)
        coded = code * step[:, None].astype(np.float64)
        norms = np.linalg.norm(values, axis=1)
        at = slice(rows.start, rows.start + len(values))
        codes[at] = code
        squares[at] = np.einsum("nk,nk->n", coded, coded) * (1 - 2e-6)  # room for the rounding of scan.h's `apart`
        margins[at] = np.linalg.norm(values - coded, axis=1) + 1e-6 * norms
    return codes, steps, squares.astype(np.float32), (margins.reshape(groups, -1).max(axis=1) * (1 + 1e-6)).astype(np.float32)


@cache
def _library() -> Any:
    """The compiled scan.c beside this file; None if there is none, or another version's."""
    for path in (Path(__file__).with_name(f"_scan{suffix}") for suffix in EXTENSION_SUFFIXES):
        try:
            library = ctypes.CDLL(str(path))
            if library.scan_version() == _VERSION:
                return _typed(library)
        except (OSError, AttributeError):  # there is none; or it is for another machine, or no library of ours
            continue
    return None


def _typed(library: ctypes.CDLL) -> ctypes.CDLL:
    library.scan_run.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    library.scan_run.restype = ctypes.c_int64
    return library


class _Crew:
    """The thread that asks, and those that help it: one crew a process, as large as it was told."""

    def __init__(self) -> None:
        self.size, self._helpers = 1, ThreadPoolExecutor(1)

    def resize(self, threads: int) -> None:
        """Work with so many threads from now on; helpers start when they are first needed."""
        if threads != self.size:
            self.size, self._helpers = threads, ThreadPoolExecutor(max(1, threads - 1), "scan")

    def run(self, work: Callable[[], int], helpers: int) -> list[int]:
        """What each thread returns that took part; at most so many helpers, and none that begins when the work is done."""
        pool = self._helpers
        others = [pool.submit(work) for _ in range(min(self.size - 1, helpers))]
        return [work(), *(other.result() for other in others if not other.cancel())]


crew = _Crew()
