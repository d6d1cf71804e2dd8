"""Seeded synthetic defects on pictures of good parts: for golden pictures, and wherever no real defect is at hand. Pure.

They show that a bundle reacts at all, and to what sizes. How little they foretell of real defects: benchmarks/RESULTS.md.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

_TRIES = 50
_Painted = tuple[Floats, Floats]  # opacity [h,w] from 0 to 1, and the levels [h,w,C] painted with it


def make(kind: str, picture: U8, mask: Mask | None, size_px: float, rng: np.random.Generator) -> tuple[U8, Mask]:
    """Paint one defect on a copy of a picture [H,W] or [H,W,3]; return it and where [H,W] it differs.

    `kind` is one of KINDS, `size_px` its longest extent. It lies inside the part's mask [H,W] (None: anywhere): as a whole
    where there is room for it, and nothing outside the mask changes. ValueError for a kind that is none, a size below 1, or
    an empty mask.
    """
    inside = np.ones(picture.shape[:2], bool) if mask is None else mask
    _check(kind, size_px, inside)
    for _ in range(_TRIES):
        out, where = _painted(_PAINTERS[kind], picture, inside, size_px, rng)
        if where.any():  # a piece that is pasted may be just like what it covers
            return out, where
    raise ValueError(f"defect: expected a place where {kind} can be seen, got none in {_TRIES} tries; is the mask too small?")


@dataclass(frozen=True)
class _Spot:
    """Where a defect is painted: levels [h,w,C] of a window around it, the picture [H,W,C], and half the defect's size."""

    levels: Floats
    picture: U8
    radius: float
    rng: np.random.Generator

    @property
    def offsets(self) -> tuple[Floats, Floats]:
        """Rows [h,1] and columns [1,w] counted from the window's centre."""
        height, width = (np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2) for side in self.levels.shape[:2])
        return height[:, None], width[None]

    @property
    def from_centre(self) -> Floats:
        """Distance [h,w] of each pixel from the window's centre."""
        return np.hypot(*self.offsets)

    def turned(self) -> tuple[Floats, Floats]:
        """Draw an angle; return how far [h,w] each pixel lies along it and across it, from the centre."""
        rows, columns = self.offsets
        sine, cosine = math.sin(angle := self.rng.uniform(0, math.pi)), math.cos(angle)
        return rows * sine + columns * cosine, rows * cosine - columns * sine

    def apart(self, opacity: Floats, low: float, high: float) -> _Painted:
        """Paint lighter or darker by a drawn number of grey levels, where there is room for it, with a drawn tint."""
        return opacity, self.levels + self._step(opacity, low, high)

    def piece(self, opacity: Floats, low: float, high: float) -> _Painted:
        """Paint another piece of the picture, mirrored, lighter or darker than what it covers (CutPaste, Li et al. 2021)."""
        height, width, _ = self.levels.shape
        top, left = (self.rng.integers(0, a - b + 1) for a, b in zip(self.picture.shape, (height, width), strict=False))
        cut = self.picture[top : top + height, left : left + width][::-1, ::-1].astype(np.float32)
        covered = _covered(opacity)
        same = self.levels[covered].mean(axis=0) - cut[covered].mean(axis=0)
        return opacity, cut + same + self._step(opacity, low, high)

    def _step(self, opacity: Floats, low: float, high: float) -> Floats:
        """Draw a change of the levels [C]."""
        tint = self.rng.uniform(0.4, 1, (self.levels.shape[2],))
        by, mean = self.rng.uniform(low, high), float(self.levels[_covered(opacity)].mean())
        sign = self.rng.choice((-1, 1))
        sign = sign if 0 <= mean + sign * by <= 255 else -sign  # one of both fits, as `by` is below 128
        return np.asarray(sign * by * tint / tint.max(), np.float32)


def _cut_paste(spot: _Spot) -> _Painted:
    """A rectangle of the picture, pasted elsewhere."""
    rows, columns = spot.offsets
    high, wide = np.maximum(spot.radius * np.array([1, spot.rng.uniform(0.3, 1)])[spot.rng.permutation(2)], 0.5)
    return spot.piece(((abs(rows) <= high) & (abs(columns) <= wide)).astype(np.float32), 10, 45)


def _scar(spot: _Spot) -> _Painted:
    """A thin, turned strip of the picture, pasted elsewhere."""
    along, across = spot.turned()
    half = max(0.75, spot.radius * spot.rng.uniform(0.08, 0.25))
    return spot.piece(_soft(np.maximum(abs(along) - spot.radius, abs(across) - half)), 20, 60)


def _texture(spot: _Spot) -> _Painted:
    """Patches of grain, their shape and the grain from Perlin noise, as DRAEM has it (Zavrtanik et al. 2021)."""
    shape = spot.levels.shape[:2]
    disc = spot.from_centre <= max(spot.radius, 0.75)
    islands = _perlin(shape, max(2, spot.radius * 0.6), spot.rng)
    islands = abs(islands - islands[shape[0] // 2, shape[1] // 2])  # the centre belongs to one in any case
    opacity = (disc & (islands <= np.median(islands[disc]))).astype(np.float32)
    grain = _perlin(shape, max(1.5, spot.radius * 0.12), spot.rng)
    _, paint = spot.apart(opacity, 30, 90)
    return opacity, spot.levels + (paint - spot.levels) * (1 + grain[..., None])


def _blob(spot: _Spot) -> _Painted:
    """A round stain with a soft rim, lighter or darker than what it covers."""
    along, across = spot.turned()
    short = max(0.75, spot.radius * spot.rng.uniform(0.5, 1))
    distance = np.hypot(along / spot.radius, across / short)
    return spot.apart(np.maximum(np.clip(3 * (1 - distance), 0, 1), distance == distance.min()), 30, 100)


def _scratch(spot: _Spot) -> _Painted:
    """A thin line with two bends, lighter or darker than what it crosses."""
    along, across = spot.turned()
    bend = spot.rng.uniform(0, 0.15)
    points = [(spot.radius * x, spot.radius * y) for x, y in ((-1, 0), (-0.4, bend), (0.4, -bend), (1, 0))]
    away = np.min([_to_segment(along, across, a, b) for a, b in itertools.pairwise(points)], axis=0)
    return spot.apart(_soft(away - max(0.6, spot.radius * spot.rng.uniform(0.02, 0.05))), 40, 110)


def _missing(spot: _Spot) -> _Painted:
    """A ragged hole with a sharp rim in one level: the picture's darkest or lightest, the farther from what is lost."""
    rows, columns = spot.offsets
    round_about = np.arctan2(rows, columns)
    waves = np.mean([np.cos(n * round_about + spot.rng.uniform(0, 2 * math.pi)) for n in (2, 3, 5)], axis=0)
    opacity = (spot.from_centre <= np.maximum(0.75, spot.radius * (0.75 + 0.25 * waves))).astype(np.float32)
    lost = spot.levels[opacity > 0].mean(axis=0)
    dark, light = np.percentile(spot.picture[::4, ::4], (1, 99), axis=(0, 1))  # a sixteenth tells as much
    flat = dark if np.abs(dark - lost).sum() > np.abs(light - lost).sum() else light
    if np.abs(flat - lost).max() < 20:  # a picture of one level: any other level will do
        flat = np.where(lost < 128, lost + 80, lost - 80)
    return opacity, np.broadcast_to(flat.astype(np.float32), spot.levels.shape)


_PAINTERS: dict[str, Callable[[_Spot], _Painted]] = {
    "cut_paste": _cut_paste,
    "scar": _scar,
    "texture": _texture,
    "blob": _blob,
    "scratch": _scratch,
    "missing": _missing,
}
KINDS = tuple(_PAINTERS)


def _painted(
    painter: Callable[[_Spot], _Painted], picture: U8, inside: Mask, size_px: float, rng: np.random.Generator
) -> tuple[U8, Mask]:
    """Paint one defect around a place of the mask; return the copy and where it differs."""
    side = round(size_px)
    row, column = _centre(inside, side, rng)
    rim = ((side, side), (side, side))  # the defect may look over the picture's edge
    before = np.pad(picture.reshape(*inside.shape, -1), (*rim, (0, 0)), "symmetric")
    window = tuple(slice(at + side - side // 2, at + 2 * side - side // 2) for at in (row, column))
    levels = before[window].astype(np.float32)
    opacity, paint = painter(_Spot(levels, before, size_px / 2, rng))
    after = before.copy()
    painted = levels + (paint - levels) * (opacity * np.pad(inside, rim)[window])[..., None]
    after[window] = np.clip(np.round(painted), 0, 255)
    whole = slice(side, -side), slice(side, -side)
    where: Mask = np.any(after != before, axis=2)[whole]
    return np.ascontiguousarray(after[whole]).reshape(picture.shape), where


def _check(kind: str, size_px: float, inside: Mask) -> None:
    if kind not in _PAINTERS:
        raise ValueError(f"defect: expected one of {', '.join(KINDS)}, got {kind}")
    if size_px < 1:
        raise ValueError(f"defect: expected a size of at least 1 pixel, got {size_px:g}")
    if not inside.any():
        raise ValueError("defect: expected a mask with some place inside, got an empty one")


def _centre(inside: Mask, side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Draw a pixel (row, column) of the mask around which as much as possible of a square lies inside."""
    sums = np.pad(inside, (side // 2 + 1, side - side // 2 - 1)).cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    room = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    row, column = np.divmod(rng.choice(np.flatnonzero(inside & (room == room[inside].max()))), inside.shape[1])
    return int(row), int(column)


def _covered(opacity: Floats) -> Mask:
    covered: Mask = opacity >= opacity.max() / 2
    return covered


def _soft(beyond: Floats) -> Floats:
    """Return the opacity of a shape from how far [h,w] each pixel's centre lies beyond its edge, as a lens would blur it."""
    opacity: Floats = np.clip(0.5 - beyond, 0, 1)
    return opacity


def _to_segment(x: Floats, y: Floats, a: tuple[float, float], b: tuple[float, float]) -> Floats:
    """Return the distance [h,w] of each pixel from the segment a to b."""
    right, down = b[0] - a[0], b[1] - a[1]
    share = np.clip(((x - a[0]) * right + (y - a[1]) * down) / (right * right + down * down), 0, 1)
    away: Floats = np.hypot(x - a[0] - share * right, y - a[1] - share * down)
    return away


def _perlin(shape: tuple[int, ...], cell_px: float, rng: np.random.Generator) -> Floats:
    """Return Perlin noise [h,w], about -0.7 to 0.7, of gradients `cell_px` apart (Perlin 1985, with the fade of 2002)."""
    rows, columns = (np.arange(side) / cell_px + rng.uniform() for side in shape)
    low = rows.astype(int), columns.astype(int)
    angles = rng.uniform(0, 2 * math.pi, (low[0][-1] + 2, low[1][-1] + 2))
    y, x = (rows - low[0])[:, None], (columns - low[1])[None]
    noise = np.zeros(shape)
    for down, right in itertools.product((0, 1), repeat=2):
        angle = angles[np.ix_(low[0] + down, low[1] + right)]
        weight = (_fade(y) if down else 1 - _fade(y)) * (_fade(x) if right else 1 - _fade(x))
        noise += weight * (np.sin(angle) * (y - down) + np.cos(angle) * (x - right))
    return noise.astype(np.float32)


def _fade(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return t * t * t * (t * (6 * t - 15) + 10)
