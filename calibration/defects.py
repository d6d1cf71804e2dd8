"""Seeded synthetic defects on pictures of good parts: for golden pictures, and wherever no real defect is at hand. Pure.

They show that a bundle reacts at all. They do not foretell how well it finds the defects of a real line.
"""

import itertools
import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

T = TypeVar("T", np.uint8, np.bool_)

_Painted = tuple[Floats, Floats]  # opacity [H,W] from 0 to 1, and the levels [H,W,C] painted with it


def add(image: U8, kind: str, seed: int, inside: Mask | None = None) -> tuple[U8, Mask]:
    """Paint one defect on a copy of a picture [H,W] or [H,W,3]; return it and where [H,W] it differs.

    `kind` is one of KINDS. Nothing outside the mask `inside` [H,W] changes. ValueError for a kind that is none, or if there
    is no place inside the mask.
    """
    if kind not in _PAINTERS:
        raise ValueError(f"defect: expected one of {', '.join(KINDS)}, got {kind}")
    inside = np.ones(image.shape[:2], bool) if inside is None else inside
    if not inside.any():
        raise ValueError("defect: expected a mask with some place inside, got an empty one")
    levels = _channels(image).astype(np.float32)
    opacity, paint = _PAINTERS[kind](levels, inside, np.random.default_rng(seed))
    painted = levels + (paint - levels) * (opacity * inside)[..., None]
    out: U8 = np.clip(np.round(painted), 0, 255).astype(np.uint8).reshape(image.shape)
    where: Mask = np.any(_channels(np.not_equal(out, image)), axis=2)
    return out, where


def _cut_paste(levels: Floats, inside: Mask, rng: np.random.Generator) -> _Painted:
    """Return a piece of the picture, mirrored and shifted in brightness, to paste elsewhere (CutPaste, Li et al. 2021)."""
    height, width = (max(4, int(side * rng.uniform(0.12, 0.25))) for side in inside.shape)
    top, left = _corner(inside, height, width, rng)
    source_top, source_left = _corner(np.ones_like(inside), height, width, rng)
    paint = levels.copy()
    target = paint[top : top + height, left : left + width]
    piece = levels[source_top : source_top + height, source_left : source_left + width][::-1, ::-1]
    target[:] = _apart(piece[: target.shape[0], : target.shape[1]], rng.uniform(15, 45))
    opacity = np.zeros(inside.shape, np.float32)
    opacity[top : top + height, left : left + width] = 1
    return opacity, paint


def _scratch(levels: Floats, inside: Mask, rng: np.random.Generator) -> _Painted:
    """Return a thin line with two bends, lighter or darker than what it crosses."""
    side = min(inside.shape)
    points = [_centre(inside, rng)]
    heading = rng.uniform(0, 2 * math.pi)
    for _ in range(3):
        step = side * rng.uniform(0.1, 0.2)
        row, column = points[-1]
        points.append((row + step * math.sin(heading), column + step * math.cos(heading)))
        heading += rng.normal(0, 0.4)
    away = np.min([_to_segment(inside, a, b) for a, b in itertools.pairwise(points)], axis=0)
    half = max(0.75, side * rng.uniform(0.004, 0.01))
    return np.clip(half + 0.5 - away, 0, 1), _apart(levels, rng.uniform(60, 120))


def _blob(levels: Floats, inside: Mask, rng: np.random.Generator) -> _Painted:
    """Return a round stain with a soft rim, lighter or darker than what it covers."""
    return np.clip(3 * (1 - _oval(inside, rng)), 0, 1), _apart(levels, rng.uniform(50, 110))


def _missing(levels: Floats, inside: Mask, rng: np.random.Generator) -> _Painted:
    """Return a hole with a sharp rim in one level: the picture's darkest or lightest, the farther from what is lost."""
    opacity = (_oval(inside, rng) < 1).astype(np.float32)
    lost = levels[opacity > 0].mean(axis=0)
    dark, light = np.percentile(levels, 1, axis=(0, 1)), np.percentile(levels, 99, axis=(0, 1))
    flat = dark if np.abs(dark - lost).sum() > np.abs(light - lost).sum() else light
    if np.abs(flat - lost).max() < 20:  # a picture of one level: any other level will do
        flat = np.where(lost < 128, lost + 80, lost - 80)
    return opacity, np.broadcast_to(flat, levels.shape)


_PAINTERS: dict[str, Callable[[Floats, Mask, np.random.Generator], _Painted]] = {
    "cut_paste": _cut_paste,
    "scratch": _scratch,
    "blob": _blob,
    "missing": _missing,
}
KINDS = tuple(_PAINTERS)


def _channels(image: NDArray[T]) -> NDArray[T]:
    """View a picture as [H,W,C]."""
    return image.reshape(*image.shape[:2], -1)


def _apart(levels: Floats, by: float) -> Floats:
    """Shift levels to the side where there is room for it."""
    return levels + np.float32(by if levels.mean() < 128 else -by)


def _centre(inside: Mask, rng: np.random.Generator) -> tuple[float, float]:
    """Draw a point (row, column) inside the mask."""
    row, column = np.divmod(rng.choice(np.flatnonzero(inside)), inside.shape[1])
    return float(row), float(column)


def _corner(inside: Mask, height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw the corner of a rectangle whose centre is inside the mask and which stays in the picture."""
    row, column = _centre(inside, rng)
    top = np.clip(row - height // 2, 0, max(0, inside.shape[0] - height))
    left = np.clip(column - width // 2, 0, max(0, inside.shape[1] - width))
    return int(top), int(left)


def _oval(inside: Mask, rng: np.random.Generator) -> Floats:
    """Return the distance [H,W] from the centre of a drawn, turned oval, 1 at its rim."""
    rows, columns = _offsets(inside, _centre(inside, rng))
    long, short = (max(2.5, min(inside.shape) * rng.uniform(low, high)) for low, high in ((0.07, 0.14), (0.05, 0.1)))
    sine, cosine = math.sin(angle := rng.uniform(0, math.pi)), math.cos(angle)
    along, across = rows * sine + columns * cosine, rows * cosine - columns * sine
    distance: Floats = np.hypot(along / long, across / short)
    return distance


def _to_segment(inside: Mask, a: tuple[float, float], b: tuple[float, float]) -> Floats:
    """Return the distance [H,W] of each pixel from the segment a to b."""
    rows, columns = _offsets(inside, a)
    down, right = b[0] - a[0], b[1] - a[1]
    share = np.clip((rows * down + columns * right) / (down * down + right * right), 0, 1)
    return np.hypot(rows - share * down, columns - share * right)


def _offsets(inside: Mask, origin: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return rows [H,1] and columns [1,W] counted from a point."""
    height, width = inside.shape
    rows = np.arange(height, dtype=np.float32)[:, None] - np.float32(origin[0])
    columns = np.arange(width, dtype=np.float32)[None] - np.float32(origin[1])
    return rows, columns
