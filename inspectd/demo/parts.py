"""Pictures of parts that never were: turned steel flanges with six holes, good and defective, seeded, free of anybody's rights.

Grey, 256 x 256, laid out as MVTec AD. Each picture has a seed of its own (seed, folder, number), so that asking for more
pictures leaves the first ones as they were. Lengths are pixels, brightness is 0 … 1, angles are radians.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inspectd import image
from inspectd.errors import BadInput

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

SIDE = 256
_OUTER, _INNER, _BOLTS, _BOLT = 104.0, 38.0, 72.0, 9.0  # radii: rim, bore, circle of the bolt holes, one hole
_HOLES = 6
_CHAMFER = 3.0  # width of the bright bevel at every edge


class Pose(NamedTuple):
    """How one part lies under the camera: centre and turn vary as in a jig."""

    x: float
    y: float
    turn: float


@dataclass
class Scene:
    """One part being drawn: `light` is the picture, `mask` is 1 where a defect was put."""

    rng: np.random.Generator
    pose: Pose
    light: F32
    solid: F32  # 1 on metal, 0 on the belt, between at edges
    mask: F32

    @property
    def u(self) -> F32:
        """Columns from the part's centre, [H, W]."""
        return _X - np.float32(self.pose.x)

    @property
    def v(self) -> F32:
        """Rows from the part's centre, [H, W]."""
        return _Y - np.float32(self.pose.y)

    def spot(self, near: float, far: float) -> tuple[float, float]:
        """Draw a place on the metal between two radii, away from the bolt holes."""
        hole = self.rng.integers(_HOLES)
        angle = self.pose.turn + (hole + 0.5 + self.rng.uniform(-0.16, 0.16)) * 2 * np.pi / _HOLES
        radius = self.rng.uniform(near, far)
        return radius * np.cos(angle), radius * np.sin(angle)

    def paint(self, cover: F32, light: F32 | float) -> None:
        """Replace the picture by `light` where `cover` is 1, and mark it as defective."""
        self.light = self.light * (1 - cover) + np.float32(light) * cover
        self.mask = np.maximum(self.mask, cover)


_GRID: F32 = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
_Y: F32 = _GRID[0]
_X: F32 = _GRID[1]


def good(rng: np.random.Generator) -> U8:
    """Draw one good part, uint8 [256, 256]."""
    return _exposed(_part(rng, missing=None))


def defective(kind: str, rng: np.random.Generator) -> tuple[U8, U8]:
    """Draw one defective part and its mask (255 where the defect is), both uint8 [256, 256]."""
    missing = int(rng.integers(_HOLES)) if kind == "missing_hole" else None
    scene = _part(rng, missing)
    DEFECTS[kind](scene)
    return _exposed(scene), np.where(scene.mask > 0.3, 255, 0).astype(np.uint8)


def write(directory: Path, count: int, seed: int, advance: Callable[[int], None] = lambda _done: None) -> int:
    """Write `count` good parts to learn from and a quarter as many of each kind to test; returns how many pictures.

    BadInput if the directory holds something already or cannot be written.
    """
    try:
        if directory.exists() and any(directory.iterdir()):
            raise BadInput(f"{directory}: expected an empty or new directory, got one with files; name another")
        for path, pixels in _pictures(directory, count, seed):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image.encode_png(pixels))
            if "ground_truth" not in path.parts:
                advance(1)
    except OSError as error:
        raise BadInput(f"{directory}: cannot be written: {error.strerror}; name another directory") from error
    return total(count)


def total(count: int) -> int:
    """Return how many pictures `write` will write."""
    return count + (len(DEFECTS) + 1) * _tests(count)


def _pictures(directory: Path, count: int, seed: int) -> Iterator[tuple[Path, U8]]:
    for index in range(count):
        yield directory / "train" / "good" / f"{index:04}.png", good(np.random.default_rng([seed, 0, index]))
    for index in range(_tests(count)):
        yield directory / "test" / "good" / f"{index:04}.png", good(np.random.default_rng([seed, 1, index]))
        for number, kind in enumerate(DEFECTS):
            pixels, mask = defective(kind, np.random.default_rng([seed, 2 + number, index]))
            yield directory / "test" / kind / f"{index:04}.png", pixels
            yield directory / "ground_truth" / kind / f"{index:04}_mask.png", mask


def _tests(count: int) -> int:
    return max(1, count // 4)


# --- a good part ------------------------------------------------------------------------------------------------------


def _part(rng: np.random.Generator, missing: int | None) -> Scene:
    """Draw the belt and the part on it, with one bolt hole left undrilled if asked."""
    middle = SIDE / 2 - 0.5
    pose = Pose(middle + rng.uniform(-2, 2), middle + rng.uniform(-2, 2), rng.uniform(-0.03, 0.03))
    scene = Scene(rng, pose, _belt(rng), np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32))
    distance = _distance(scene, missing)
    scene.solid = _inside(distance)
    shadow = _inside(_distance(scene, missing, shift=4.0) - 3) * 0.5
    bevel = np.clip(1 + distance / _CHAMFER, 0, 1)
    metal = _turned(scene) + 0.22 * bevel
    scene.light = scene.light * (1 - shadow) * (1 - scene.solid) + metal * scene.solid
    return scene


def _distance(scene: Scene, missing: int | None, shift: float = 0.0) -> F32:
    """Signed distance to the part's edge, negative on metal."""
    u, v = scene.u - shift, scene.v - shift
    radius = np.hypot(u, v)
    distance = np.maximum(radius - _OUTER, _INNER - radius)
    for hole in range(_HOLES):
        if hole != missing:
            x, y = _hole(scene, hole)
            distance = np.maximum(distance, _BOLT - np.hypot(u - x, v - y))
    drawn: F32 = distance.astype(np.float32)
    return drawn


def _hole(scene: Scene, number: int) -> tuple[float, float]:
    angle = scene.pose.turn + number * 2 * np.pi / _HOLES
    return _BOLTS * np.cos(angle), _BOLTS * np.sin(angle)


def _turned(scene: Scene) -> F32:
    """Turned steel: grooves of the lathe in rings, two fans of reflected light, and a slow unevenness of the bar stock."""
    rng, radius, angle = scene.rng, np.hypot(scene.u, scene.v), np.arctan2(scene.v, scene.u)
    profile = rng.normal(0, 1, 2 * SIDE).astype(np.float32)
    grooves = np.interp(radius * 1.5 + rng.uniform(0, 8), np.arange(2 * SIDE), profile).astype(np.float32)
    fans = np.cos(2 * (angle - np.float32(0.7 + rng.normal(0, 0.05)))).astype(np.float32)
    drawn: F32 = 0.52 + 0.035 * grooves + 0.10 * fans + 0.03 * _cloud(rng, 5)
    return drawn


def _belt(rng: np.random.Generator) -> F32:
    """Draw the dark woven belt under the part."""
    weave = 0.012 * (np.sin(_X * np.float32(1.9)) * np.sin(_Y * np.float32(1.9)))
    drawn: F32 = 0.13 + weave.astype(np.float32) + 0.02 * _cloud(rng, 9)
    return drawn


def _cloud(rng: np.random.Generator, cells: int) -> F32:
    """Smooth noise [H, W] of unit strength whose grain is 1/cells of the picture."""
    return image.upsample(rng.normal(0, 1, (cells, cells)).astype(np.float32), SIDE, SIDE)


def _exposed(scene: Scene) -> U8:
    """What the sensor makes of it: lamp that wavers by some percent, lens blur, noise, 8 bits."""
    lamp = scene.rng.normal(1, 0.015) * (1 + 0.04 * (_X - SIDE / 2) / SIDE)
    seen = image.blur((scene.light * lamp).astype(np.float32), 0.7)
    return np.clip(255 * seen + scene.rng.normal(0, 2.2, seen.shape), 0, 255).astype(np.uint8)


def _inside(distance: F32) -> F32:
    """Cover of a pixel by a shape, from the signed distance to its edge: 1 inside, 0 outside, between on the edge."""
    drawn: F32 = np.clip(0.5 - distance, 0, 1).astype(np.float32)
    return drawn


# --- defects ----------------------------------------------------------------------------------------------------------


def _scratch(scene: Scene) -> None:
    """Draw a thin bent score across the face: bright metal with a dark lip."""
    x, y = scene.spot(52, 90)
    angle, length, bend = scene.rng.uniform(0, np.pi), scene.rng.uniform(22, 46), scene.rng.uniform(-0.006, 0.006)
    along = (scene.u - x) * np.cos(angle) + (scene.v - y) * np.sin(angle)
    across = (scene.v - y) * np.cos(angle) - (scene.u - x) * np.sin(angle) + bend * along**2
    ends = _inside((np.abs(along) - length / 2).astype(np.float32)) * scene.solid
    width = scene.rng.uniform(0.7, 1.3)
    scene.paint(_inside((np.abs(across - 1.6) - width).astype(np.float32)) * ends, 0.28)
    scene.paint(_inside((np.abs(across) - width).astype(np.float32)) * ends, scene.rng.uniform(0.85, 1.0))


def _dent(scene: Scene) -> None:
    """Press a round dent into the face: lit on one flank, dark on the other."""
    x, y = scene.spot(54, 90)
    size = scene.rng.uniform(5, 9)
    u, v = (scene.u - x) / size, (scene.v - y) / size
    depth = np.exp(-(u**2 + v**2)).astype(np.float32)
    slope = (u + v) * depth * np.float32(scene.rng.uniform(0.35, 0.5))
    scene.light = scene.light + slope * scene.solid
    scene.mask = (depth > 0.2).astype(np.float32) * scene.solid


def _stain(scene: Scene) -> None:
    """Leave a ragged film of oil or rust: darker, with soft edges."""
    x, y = scene.spot(50, 92)
    size = scene.rng.uniform(9, 17)
    ragged = np.hypot(scene.u - x, scene.v - y) + 5 * _cloud(scene.rng, 24)
    cover = image.blur(_inside((ragged - size).astype(np.float32)), 1.5) * scene.solid
    scene.light = scene.light * (1 - scene.rng.uniform(0.3, 0.5) * cover)
    scene.mask = (cover > 0.4).astype(np.float32)


def _chip(scene: Scene) -> None:
    """Break a piece out of the rim, so that the belt shows."""
    angle = scene.rng.uniform(0, 2 * np.pi)
    x, y = (_OUTER + 1) * np.cos(angle), (_OUTER + 1) * np.sin(angle)
    ragged = np.hypot(scene.u - x, scene.v - y) + 2.5 * _cloud(scene.rng, 40)
    scene.paint(_inside((ragged - scene.rng.uniform(6, 12)).astype(np.float32)) * scene.solid, 0.1)


def _missing_hole(scene: Scene) -> None:
    """Mark the hole that was not drilled: the one place on the bolt circle that shows metal."""
    for number in range(_HOLES):
        x, y = _hole(scene, number)
        inside = _inside((np.hypot(scene.u - x, scene.v - y) - _BOLT).astype(np.float32))
        if (inside * scene.solid).sum() > 0.5 * inside.sum():
            scene.mask = np.maximum(scene.mask, inside)


def _burr(scene: Scene) -> None:
    """Leave chips of the drill at a bolt hole: small bright flakes over its edge."""
    x, y = _hole(scene, int(scene.rng.integers(_HOLES)))
    start = scene.rng.uniform(0, 2 * np.pi)
    for flake in range(int(scene.rng.integers(3, 6))):
        angle = start + 0.35 * flake
        reach = _BOLT + scene.rng.uniform(-1.5, 1.5)
        u, v = scene.u - x - reach * np.cos(angle), scene.v - y - reach * np.sin(angle)
        size = scene.rng.uniform(1.4, 2.6)
        scene.paint(_inside((np.hypot(u, v) - size).astype(np.float32)), scene.rng.uniform(0.8, 1.0))


DEFECTS: dict[str, Callable[[Scene], None]] = {
    "scratch": _scratch,
    "dent": _dent,
    "stain": _stain,
    "chip": _chip,
    "missing_hole": _missing_hole,
    "burr": _burr,
}
