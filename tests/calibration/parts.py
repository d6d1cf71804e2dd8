"""Small synthetic parts and a station for them: enough to calibrate in a second."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration import defects
from calibration.pictures import Sample, read
from inspectd import image
from inspectd.station.schema import Camera, Config, Line, Method, Station

SIDE = 64
METHOD = Method(backbone="lite0", layers=(4, 10), input_px=SIDE, bank=100)  # 8 x 8 patches


def part(seed: int, side: int = SIDE) -> NDArray[np.uint8]:
    """A plate with a ring, a little noise, and brightness that varies."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((side, side)) - side / 2 + rng.normal(0, 0.5, (2, 1, 1))
    ring = 50 * (np.abs(np.hypot(rows, columns) - side / 4) < side / 16)
    return np.clip(110 + rng.normal(0, 6) + ring + rng.normal(0, 3, (side, side)), 0, 255).astype(np.uint8)


def bad_part(seed: int, side: int = SIDE) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A part with a stain or a hole, and where."""
    return defects.make(("blob", "missing")[seed % 2], part(seed, side), None, side / 4, np.random.default_rng(seed))


def write(folder: Path, pictures: dict[str, NDArray[np.uint8]]) -> Path:
    """Write pictures by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in pictures.items():
        (folder / name).write_bytes(image.encode_png(pixels))
    return folder


def good_folder(folder: Path, count: int = 12, first: int = 0) -> Path:
    """Write good parts 0000.png …"""
    return write(folder, {f"{i:04}.png": part(i) for i in range(first, first + count)})


def bad_folder(folder: Path, count: int = 4) -> Path:
    """Write bad parts."""
    return write(folder, {f"{i:04}.png": bad_part(500 + i)[0] for i in range(count)})


def samples(folder: Path, group_by: str | None = None) -> list[Sample]:
    """Read a folder's samples, all sound."""
    found, problems = read(image.pictures_in(folder), "good", group_by, lambda _done: None)
    assert problems == []
    return found


def config(directory: Path, **changes: object) -> Config:
    """One station, `lid`, whose file would lie in the directory."""
    fields = {"station": "lid", "camera": Camera(kind="folder", path="in"), "deadline_ms": 200.0, "method": METHOD, "seed": 5}
    station = Station(**{**fields, **changes})
    return Config(str(directory), Line(), {"lid": station}, {"lid": str(directory / "lid.yaml")})


class Watch:
    """A progress that keeps what it is told, and does something when a stage begins."""

    def __init__(self, at: Callable[[str], None] = lambda _name: None) -> None:
        self.at = at
        self.stages: dict[str, list[int]] = {}
        self.notes: list[str] = []

    def stage(self, name: str, total: int) -> Callable[[int], None]:
        self.stages[name] = [total, 0]
        self.at(name)

        def advance(done: int) -> None:
            self.stages[name][1] += done

        return advance

    def note(self, text: str) -> None:
        self.notes.append(text)
