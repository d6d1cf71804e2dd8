"""Solar cells of the ELPV data set as a station sees them: a folder of good ones to learn from, a folder for the line.

ELPV is CC BY-NC-SA 4.0: its pictures are unpacked into the run folder and nowhere else.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspectd import image
from inspectd.errors import MissingExtra

KIND = "mono"  # the other is "poly"
CALIBRATION_SHARE = 0.8  # of the cells with defect probability 0


@dataclass(frozen=True)
class Cells:
    """Where the pictures lie, and the truth about those for the line: part id -> defective?"""

    good: Path
    line: Path
    truth: dict[str, bool]


def unpack(folder: Path, seed: int, limit: int | None = None) -> Cells:
    """Write 80 % of the good cells into `good`, the rest and the defective ones (probability 1), mixed, into `line`."""
    pictures, probability, types = load()
    rng = np.random.default_rng(seed)
    wanted = np.asarray(types) == KIND
    sound = rng.permutation(np.flatnonzero(wanted & (probability == 0)))
    defective = np.flatnonzero(wanted & (probability == 1))
    split = round(CALIBRATION_SHARE * len(sound))
    cells = Cells(folder / "good", folder / "line", {})
    for index in sound[:split]:
        _write(cells.good / f"cell-{index:04d}.png", pictures[index])
    order = rng.permutation(np.concatenate([sound[split:], defective]))[:limit]
    for place, index in enumerate(order, start=1):
        part = f"{place:04d}-cell-{index:04d}"
        cells.truth[part] = bool(probability[index] == 1)
        _write(cells.line / f"{part}.png", pictures[index])
    (folder / "truth.json").write_text(json.dumps(cells.truth, indent=1), encoding="utf-8")
    return cells


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read all cells: pictures uint8 [n,300,300], defect probability [n], kind [n]; MissingExtra without the package."""
    try:
        from elpv_dataset.utils import load_dataset  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise MissingExtra("the demo needs the solar cells of the extra `demo`: pip install 'inspectd[demo]'") from error
    pictures, probability, types = load_dataset()
    return pictures, probability, types


def _write(path: Path, pixels: image.U8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image.encode_png(pixels))
