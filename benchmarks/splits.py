"""Lays data sets out as the accuracy targets split them: each split a category of MVTec AD, made of links to the pictures.

python benchmarks/splits.py mtd FOLDER TARGET    FOLDER: the magnetic tiles, with train/good, test/<kind>, ground_truth/<defect>
python benchmarks/splits.py elpv TARGET          the solar cells of the extra `demo`

inspectd benchmark accuracy --data TARGET/report then gives each split's figures, and their mean.

MTD: of the 952 good tiles 761 are learnt from and 191 tested, drawn by each split's seed. Settings are chosen on TARGET/choose
(seeds 0 to 4, and the defects whose stem has a sha256 that begins with an even byte) and reported on TARGET/report (seeds 5
to 9, and the other defects). ELPV: of the cells with defect probability 0, 80 % are learnt from; the others are tested beside
those with probability 1; TARGET/mono and TARGET/poly have seeds 0 to 4.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from inspectd import image
from inspectd.demo import cells
from inspectd.errors import InspectdError

LEARNT_TILES = 761
CHOOSE, REPORT, ELPV_SEEDS = range(5), range(5, 10), range(5)
GOOD = "good"


def mtd(folder: Path, target: Path) -> None:
    """Link every split of the tiles; BadInput if a folder of theirs cannot be read."""
    defects = sorted(kind.name for kind in (folder / "test").iterdir() if kind.name != GOOD)
    good = [*image.pictures_in(folder / "train" / GOOD), *image.pictures_in(folder / "test" / GOOD)]
    good.sort(key=lambda file: file.stem)
    for half, seeds in (("choose", CHOOSE), ("report", REPORT)):
        bad = {
            name: [file for file in image.pictures_in(folder / "test" / name) if chooses(file.stem) == (half == "choose")]
            for name in defects
        }
        masks = {name: [folder / "ground_truth" / name / f"{file.stem}.png" for file in bad[name]] for name in defects}
        for seed in seeds:
            lay(target / half / f"seed-{seed}", good, LEARNT_TILES, seed, bad, masks)


def elpv(target: Path) -> None:
    """Write the cells once, and link every split of them; MissingExtra without their package."""
    pictures, probability, types = cells.load()
    for kind in sorted(set(types)):
        files: dict[int, list[Path]] = {0: [], 1: []}
        for index in np.flatnonzero((np.asarray(types) == kind) & ((probability == 0) | (probability == 1))):
            file = target / "cells" / f"cell-{index:04d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(image.encode_png(pictures[index]))
            files[int(probability[index])].append(file)
        for seed in ELPV_SEEDS:
            learnt = round(cells.CALIBRATION_SHARE * len(files[0]))
            lay(target / kind / f"seed-{seed}", files[0], learnt, seed, {"defective": files[1]}, {})


def lay(
    category: Path, good: Sequence[Path], learnt: int, seed: int,
    bad: Mapping[str, Sequence[Path]], masks: Mapping[str, Sequence[Path]],
) -> None:  # fmt: skip
    """Link one split: so many good pictures to learn from, drawn by the seed, the others to test beside the defective ones."""
    drawn = [good[i] for i in np.random.default_rng(seed).permutation(len(good))]
    _link(category / "train" / GOOD, drawn[:learnt])
    _link(category / "test" / GOOD, drawn[learnt:])
    for name, files in bad.items():
        _link(category / "test" / name, files)
    for name, files in masks.items():
        _link(category / "ground_truth" / name, files)


def chooses(stem: str) -> bool:
    """Whether a defect belongs to the half on which settings are chosen."""
    return hashlib.sha256(stem.encode()).digest()[0] % 2 == 0


def _link(folder: Path, files: Sequence[Path]) -> None:
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.name).symlink_to(file.resolve())


if __name__ == "__main__":
    try:
        match sys.argv[1:]:
            case ["mtd", folder, target]:
                mtd(Path(folder), Path(target))
            case ["elpv", target]:
                elpv(Path(target))
            case _:
                sys.exit(__doc__)
    except (InspectdError, OSError) as error:
        sys.exit(str(error))
