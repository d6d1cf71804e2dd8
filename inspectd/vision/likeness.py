"""Which pictures show the same part in the same place, taken twice or saved twice. Numbers alone.

A picture is shrunk to a few cells, where the camera's noise averages out; two pictures are alike if their cells hardly
differ once their mean brightness is taken out. Cells that are black in every picture (a mask) count for nothing.

Only neighbours are compared, in the order given (pictures of one part often follow each other) and along the directions in
which the pictures differ most: what is alike lies close together in all of them (sorted neighbourhood: Hernandez and Stolfo
1995). So n pictures take n comparisons times a constant; up to that constant of pictures, every pair is compared.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from inspectd import image

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

SIDE = 32  # cells in height and width
ALIKE = 1.0  # grey levels, root mean square. Solar cells, 800 different ones: the two most alike 1.1 apart, made flanges 5.2;
# the same picture with other noise (3 levels a pixel), 1 % other gain and saved as JPEG: half of them within 0.6
_NEIGHBOURS = 64  # compared with each picture in every order
_ORDERS = 4  # directions along which pictures are put in order
_DIRECTIONS = 16  # in which two pictures are compared before all cells are
_SAMPLE = 500  # pictures by which directions are chosen
_PAIRS = 4096  # compared at a time: 16 MiB


def small(pixels: U8, mask: Mask | None = None) -> U8:
    """Shrink a picture as ingest sends it to uint8 [SIDE * SIDE] cells of grey, black where it is not judged."""
    judged = pixels if mask is None else np.where(mask if pixels.ndim == 2 else mask[:, :, None], pixels, np.uint8(0))
    cells = image.resize(judged, SIDE, SIDE)
    return (cells if cells.ndim == 2 else cells.mean(axis=2).round().astype(np.uint8)).reshape(-1)


def alike(one: U8, other: U8) -> bool:
    """Whether two shrunk pictures show the same part."""
    return bool(_far(_levelled(np.stack([one, other])), np.array([0]), np.array([1]))[0] <= ALIKE)


def groups(shrunk: U8) -> list[list[int]]:
    """Put pictures [n, cells] that are alike together: lists of two or more indices, rising, by their first."""
    cells = _levelled(shrunk)
    first = list(range(len(cells)))
    for a, b in _near(cells):
        for i, j in zip(a.tolist(), b.tolist(), strict=True):
            low, high = sorted((_root(first, i), _root(first, j)))
            first[high] = low
    together: dict[int, list[int]] = {}
    for i in range(len(first)):
        together.setdefault(_root(first, i), []).append(i)
    return [members for members in together.values() if len(members) > 1]


def _levelled(shrunk: U8) -> F32:
    """Return the cells that are lit in any picture, float32 [n,k], each picture with mean 0."""
    cells = shrunk[:, shrunk.any(axis=0)].astype(np.float32)
    if not cells.size:
        return np.zeros((len(shrunk), 1), np.float32)
    cells -= cells.mean(axis=1, keepdims=True)
    return cells


def _near(cells: F32) -> Iterator[tuple[Indices, Indices]]:
    """Yield pairs of pictures [m], [m] that are alike."""
    sketch = cells @ _directions(cells).T  # distances in it are at most those of all cells
    for order in _orders(sketch):
        for step in range(1, min(_NEIGHBOURS, len(cells) - 1) + 1):
            a, b = order[:-step], order[step:]
            gap = sketch[a] - sketch[b]
            close = np.flatnonzero(np.einsum("ij,ij->i", gap, gap) <= ALIKE * ALIKE * cells.shape[1])
            for start in range(0, len(close), _PAIRS):
                some = close[start : start + _PAIRS]
                found = some[_far(cells, a[some], b[some]) <= ALIKE]
                yield a[found], b[found]


def _directions(cells: F32) -> F32:
    """Return the directions [m,k] in which pictures differ most, at right angles, by some of the pictures."""
    some = cells[np.unique(np.linspace(0, max(0, len(cells) - 1), min(len(cells), _SAMPLE)).astype(np.int64))]
    if not len(some):
        return some
    found: F32 = np.linalg.svd(some - some.mean(axis=0), full_matrices=False)[2][:_DIRECTIONS]
    return found


def _orders(sketch: F32) -> Iterator[Indices]:
    """Yield the order given; where not every pair is compared in it, those along the first directions too."""
    yield np.arange(len(sketch))
    if len(sketch) > _NEIGHBOURS + 1:
        for along in sketch.T[:_ORDERS]:
            yield np.argsort(along, kind="stable")


def _far(cells: F32, a: Indices, b: Indices) -> F32:
    """Return the root mean square difference [m] of pairs."""
    gap = cells[a] - cells[b]
    apart: F32 = np.sqrt(np.einsum("ij,ij->i", gap, gap) / cells.shape[1])
    return apart


def _root(first: Sequence[int], i: int) -> int:
    while first[i] != i:
        i = first[i]
    return i
