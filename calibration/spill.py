"""Arrays of many pictures, in memory or, where they are too many, spilled to disk."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from inspectd.errors import StateError

F32 = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


class Store(Protocol):
    """Holds an array float32 of one shape for each of n pictures; threads may use it side by side, each its own pictures."""

    def put(self, picture: int, array: F32) -> None:
        """Keep a picture's array."""
        ...

    def get(self, pictures: Sequence[int] | Indices) -> F32:
        """Return the arrays [n,*shape] of some pictures."""
        ...


class Memory:
    """In memory."""

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        self._arrays = np.empty((count, *shape), np.float32)

    def put(self, picture: int, array: F32) -> None:
        """Keep a picture's array."""
        self._arrays[picture] = array

    def get(self, pictures: Sequence[int] | Indices) -> F32:
        """Return the arrays of some pictures, a copy."""
        return self._arrays[np.asarray(pictures, np.int64)]


class Disk:
    """In a file without a name, which is gone with the process, however that ends.

    Read and written by calls, not mapped: mapped pages would count as the process's memory.
    """

    def __init__(self, count: int, shape: tuple[int, ...], folder: Path) -> None:
        """Take the room at once; StateError if the disk has too little."""
        self._shape, self._size = shape, int(np.prod(shape)) * 4
        wanted = count * self._size
        free = shutil.disk_usage(folder).free
        try:
            self._file, name = tempfile.mkstemp(dir=folder)
            weakref.finalize(self, os.close, self._file)
            Path(name).unlink()
            if wanted:
                os.posix_fallocate(self._file, 0, wanted)
        except OSError as error:
            raise StateError(
                f"{folder}: expected room for {wanted / 1e9:.2g} GB of patch vectors, got {error.strerror} "
                f"({free / 1e9:.2g} GB free); free some, give a state directory on another disk, or give fewer pictures"
            ) from error

    def put(self, picture: int, array: F32) -> None:
        """Keep a picture's array; StateError if the disk fails."""
        left = np.ascontiguousarray(array, np.float32).data.cast("B")
        place = picture * self._size
        try:
            while left:
                written = os.pwrite(self._file, left, place)
                left, place = left[written:], place + written
        except OSError as error:
            raise StateError(f"patch vectors cannot be written: {error.strerror}; check the state directory's disk") from error

    def get(self, pictures: Sequence[int] | Indices) -> F32:
        """Return the arrays of some pictures; StateError if the disk fails."""
        arrays = np.empty((len(pictures), *self._shape), np.float32)
        for array, picture in zip(arrays, pictures, strict=True):
            self._fill(array.data.cast("B"), int(picture) * self._size)
        return arrays

    def _fill(self, left: memoryview, place: int) -> None:
        try:
            while left:
                read = os.preadv(self._file, [left], place)
                if not read:
                    raise StateError("patch vectors cannot be read back: the file ends early; check the state directory's disk")
                left, place = left[read:], place + read
        except OSError as error:
            raise StateError(f"patch vectors cannot be read: {error.strerror}; check the state directory's disk") from error
