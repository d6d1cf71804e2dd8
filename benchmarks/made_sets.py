"""Draws three data sets of parts that never were, laid out as MVTec AD; seeded. Their defects are not those of calibration.

python benchmarks/made_sets.py TARGET [--good 200] [--seed 0]

boards    640 x 640, components on tracks; bridges, cuts, splashes, lost and turned components of 3 to 16 px
weave     320 x 320, cloth; loose, missing and thick threads, holes and stains of 10 to 60 px
castings  400 x 400, rough metal; pores, cold shuts and inclusions of 4 to 40 px
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inspectd import image

F32 = npt.NDArray[np.float32]
Rng = np.random.Generator
TESTS = 60  # good parts to test, and defective ones


def boards(rng: Rng, defect: bool) -> F32:
    """Draw a board: a fixed layout, everything a little moved, printed and lit otherwise on each."""
    side, plan = 640, np.random.default_rng(7)
    light = 0.25 + 0.02 * _cloud(rng, side, 40) + 0.03 * _cloud(rng, side, 4)
    shift = rng.normal(0, 0.8, 2)
    rows, columns = (np.arange(side, dtype=np.float32) - moved for moved in shift)
    wrong = rng.choice(("bridge", "cut", "lost", "turned", "splash")) if defect else ""
    size = rng.uniform(3, 16)
    tracks = [(16 + 26 * i, plan.uniform(30, 200), plan.uniform(420, 610)) for i in range(24)]
    hit = int(rng.integers(1, len(tracks) - 1))
    for i, (y, start, end) in enumerate(tracks):
        _box(light, rows, columns, (y, (start + end) / 2, 2.5, (end - start) / 2), 0.45 + rng.normal(0, 0.01))
        if i == hit and wrong in ("cut", "bridge"):
            x = rng.uniform(start + 20, end - 20)
            shape = (y, x, 3.2, min(size, 8) / 2) if wrong == "cut" else (y + 13, x, 11, min(size, 8) / 2)
            _box(light, rows, columns, shape, 0.26 if wrong == "cut" else 0.44)
    parts = [(*plan.uniform(30, 610, 2), *plan.uniform(4, 13, 2), plan.uniform(0.05, 0.8)) for _ in range(110)]
    small = min(range(110), key=lambda i: abs(2 * parts[i][2] - size) + rng.uniform(0, 3))
    for i, (y, x, *half, level) in enumerate(parts):
        at = np.array([y, x]) + rng.normal(0, 0.6, 2)
        if i == small and wrong == "lost":
            continue
        high, wide = reversed(half) if i == small and wrong == "turned" else half
        _box(light, rows, columns, (*at, high, wide), level + rng.normal(0, 0.015))
        for end in (-1, 1):
            _box(light, rows, columns, (at[0], at[1] + end * (wide + 1.5), high * 0.8, 2), 0.85 + rng.normal(0, 0.03))
    if wrong == "splash":
        _disc(light, rng.uniform(40, 600, 2), size / 3, 0.85)
    return light


def weave(rng: Rng, defect: bool) -> F32:
    """Draw a piece of cloth, whose threads wander."""
    side = 320
    rows, columns = np.indices((side, side)).astype(np.float32)
    wander = 1.2 * _cloud(rng, side, 8), 1.2 * _cloud(rng, side, 8)
    phase = rng.uniform(0, 2 * np.pi, 2)
    wrong = rng.choice(("thick", "missing", "hole", "stain", "loose")) if defect else ""
    size, at = rng.uniform(10, 60), rng.uniform(60, 260, 2)
    near = np.maximum(abs(rows - at[0]) - size / 2, abs(columns - at[1]) - 3) < 0
    if wrong == "loose":
        bump = np.exp(-(((rows - at[0]) / size) ** 2 + ((columns - at[1]) / size) ** 2) * 4)
        wander = wander[0] + 3 * bump, wander[1] - 2 * bump
    warp = np.sin((columns + wander[0]) * 2 * np.pi / 6 + phase[0])
    weft = np.sin((rows + wander[1]) * 2 * np.pi / 6 + phase[1])
    light = 0.5 + 0.16 * np.where(np.sin(columns * np.pi / 6) * np.sin(rows * np.pi / 6) > 0, warp, weft)
    light = (light + 0.04 * _cloud(rng, side, 5) + 0.03 * rng.normal(0, 1, (side, side))).astype(np.float32)
    match wrong:
        case "thick":
            light[near] += 0.14
        case "missing":
            light[near] = 0.42 + 0.05 * weft[near]
        case "hole":
            _disc(light, at, size / 4, 0.15)
        case "stain":
            ragged = np.hypot(rows - at[0], columns - at[1]) + 5 * _cloud(rng, side, 20)
            light *= 1 - 0.16 * np.clip((size / 2 - ragged) / 6, 0, 1)
    return light


def castings(rng: Rng, defect: bool) -> F32:
    """Draw a rough cast face with a boss in its middle."""
    side = 400
    rows, columns = np.indices((side, side)).astype(np.float32) - side / 2 - rng.normal(0, 2, (2, 1, 1))
    radius = np.hypot(rows, columns)
    grain = image.blur(rng.normal(0, 1, (side, side)).astype(np.float32), 1.3)
    light = 0.45 + 0.12 * grain + 0.03 * _cloud(rng, side, 6) + 0.12 * (abs(radius - 90) < 12)
    light = (light - 0.2 * (radius < 50)).astype(np.float32)
    if defect:
        angle, far, size = rng.uniform(0, 2 * np.pi), rng.uniform(110, 180), rng.uniform(4, 40)
        at = side / 2 + far * np.array([np.sin(angle), np.cos(angle)])
        match rng.choice(("pores", "shut", "inclusion")):
            case "pores":
                for _ in range(int(rng.integers(1, 5))):
                    _disc(light, at + rng.uniform(-size / 2, size / 2, 2), rng.uniform(1.5, 3.5), 0.18)
            case "shut":
                line = abs(rows * np.cos(angle) - columns * np.sin(angle) + 3 * np.sin(radius / 9))
                along = abs(rows * np.sin(angle) + columns * np.cos(angle) - far)
                light -= np.float32(0.2) * (np.clip(2 - line, 0, 1) * (along < size / 2)).astype(np.float32)
            case _:
                away = np.hypot(rows - at[0] + side / 2, columns - at[1] + side / 2)
                light += np.float32(rng.choice((-0.1, 0.12))) * np.clip((size / 2 - away) / 3, 0, 1).astype(np.float32)
    return light


SETS: dict[str, Callable[[Rng, bool], F32]] = {"boards": boards, "weave": weave, "castings": castings}


def write(target: Path, good: int, seed: int) -> None:
    """Draw all three; pictures are drawn one by one from seeds of their own."""
    for number, (name, draw) in enumerate(SETS.items()):
        folders = {"train/good": good, "test/good": TESTS, "test/bad": TESTS}
        for place, (folder, count) in enumerate(folders.items()):
            (target / name / folder).mkdir(parents=True)
            for i in range(count):
                picture = _exposed(draw, np.random.default_rng([seed, number, place, i]), folder == "test/bad")
                (target / name / folder / f"{i:04}.png").write_bytes(image.encode_png(picture))


def _exposed(draw: Callable[[Rng, bool], F32], rng: Rng, defect: bool) -> image.U8:
    """What the sensor makes of it: lamp, lens and noise."""
    seen = image.blur((draw(rng, defect) * rng.normal(1, 0.02)).astype(np.float32), 0.7)
    return np.clip(255 * seen + rng.normal(0, 2.5, seen.shape), 0, 255).astype(np.uint8)


def _cloud(rng: Rng, side: int, cells: int) -> F32:
    return image.upsample(rng.normal(0, 1, (cells, cells)).astype(np.float32), side, side)


def _box(light: F32, rows: F32, columns: F32, where: Sequence[float], level: float) -> None:
    """Cover a rectangle (y, x, half height, half width), its edges between two pixels blended."""
    y, x, high, wide = where
    down, right = (np.clip(half + 0.5 - abs(at - place), 0, 1) for half, at, place in ((high, rows, y), (wide, columns, x)))
    window = np.ix_(np.flatnonzero(down), np.flatnonzero(right))
    cover = np.outer(down[down > 0], right[right > 0]).astype(np.float32)
    light[window] += cover * (np.float32(level) - light[window])


def _disc(light: F32, at: npt.NDArray[np.float64], radius: float, level: float) -> None:
    rows, columns = (np.arange(side, dtype=np.float32) - place for side, place in zip(light.shape, at, strict=True))
    cover = np.clip(radius + 0.5 - np.hypot(rows[:, None], columns[None]), 0, 1)
    light += cover * (np.float32(level) - light)


def main() -> None:
    """Read the command line and draw."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("target", type=Path)
    asked.add_argument("--good", type=int, default=200)
    asked.add_argument("--seed", type=int, default=0)
    options = asked.parse_args()
    write(options.target, options.good, options.seed)


if __name__ == "__main__":
    main()
