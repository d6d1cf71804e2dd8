"""A folder of test pictures as MVTec AD lays it out, read and checked; all problems come at once.

train/good/*.png
test/good/*.png   test/<defect>/*.png
ground_truth/<defect>/<stem>_mask.png  or  <stem>.png      white where defective; may be missing altogether
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration import metrics, pictures
from calibration.pictures import Sample
from calibration.progress import Progress
from inspectd import image
from inspectd.errors import BadImage, BadImages, BadInput, Problem

GOOD = "good"


@dataclass(frozen=True)
class Case:
    """One test picture: its defect's name or `good`, and where its mask lies, if there is one."""

    sample: Sample
    defect: str
    mask: Path | None

    @property
    def bad(self) -> bool:
        """Whether it is to be rejected."""
        return self.defect != GOOD

    def where(self) -> metrics.Mask:
        """Read where [H,W] it is defective; nowhere without a mask. BadImage if the mask cannot be decoded."""
        if self.mask is None:
            return np.zeros((self.sample.height, self.sample.width), bool)
        where: metrics.Mask = np.any(image.rgb(image.read(self.mask).pixels), axis=2)
        return where


@dataclass(frozen=True)
class Layout:
    """All test pictures, and whether masks come with the defective ones."""

    cases: Sequence[Case]
    masked: bool


def categories(root: Path, only: str | None) -> list[Path]:
    """Return the folders to learn and judge apart: `root` itself, or those of its folders that have a train/good.

    BadInput if `only` names none of them.
    """
    found = [root]
    if root.is_dir() and not any((root / kind).is_dir() for kind in ("train", "test")):
        found = sorted(path for path in root.iterdir() if (path / "train" / GOOD).is_dir()) or found
    chosen = [path for path in found if only in (None, path.name)]
    if not chosen:
        raise BadInput(f"{root}: expected one of the categories {', '.join(path.name for path in found)}, got {only}")
    return chosen


def train_good(root: Path, progress: Progress) -> list[Sample]:
    """Read train/good; BadInput or BadImages with all that is wrong in it."""
    folder = root / "train" / GOOD
    if not folder.is_dir():
        raise BadInput(f"{root}: expected a folder train/{GOOD}, as MVTec AD is laid out, got {_inside(root)}")
    files = image.pictures_in(folder)
    samples, problems = pictures.read(files, GOOD, None, progress.stage("good pictures", len(files)))
    if problems:
        raise BadImages(problems)
    if not samples:
        raise BadInput(f"{folder}: expected pictures, got none")
    return samples


def read(root: Path, progress: Progress) -> Layout:
    """Read test/ and find the masks in ground_truth/; BadInput or BadImages with all that is wrong."""
    folder = root / "test"
    kinds = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not kinds:
        raise BadInput(f"{root}: expected folders test/{GOOD} and test/<defect>, as MVTec AD is laid out, got {_inside(root)}")
    masked = (root / "ground_truth").is_dir()
    files = {kind: image.pictures_in(folder / kind) for kind in kinds}
    advance = progress.stage("test pictures", sum(map(len, files.values())))
    cases: list[Case] = []
    problems: list[Problem] = []
    for kind, inside in files.items():
        samples, wrong = pictures.read(inside, kind, None, advance)
        problems += wrong
        found = [Case(sample, kind, _mask(root, kind, sample) if masked else None) for sample in samples]
        problems += [problem for case in found for problem in _mask_problems(root, case, masked)]
        cases += found
    if problems:
        raise BadImages(problems)
    if not cases:
        raise BadInput(f"{folder}: expected pictures in {', '.join(kinds)}, got none")
    return Layout(cases, masked)


def _mask(root: Path, kind: str, sample: Sample) -> Path | None:
    folder, stem = root / "ground_truth" / kind, sample.path.stem
    return next((path for path in (folder / f"{stem}_mask.png", folder / f"{stem}.png") if path.is_file()), None)


def _mask_problems(root: Path, case: Case, masked: bool) -> list[Problem]:
    """Return what is wrong with a defective picture's mask, without decoding it."""
    if not masked or not case.bad:
        return []
    if case.mask is None:
        folder = root / "ground_truth" / case.defect
        return [Problem(case.sample.path, None, "", f"a mask {case.sample.path.stem}_mask.png in {folder}", "none")]
    try:
        height, width = image.probe(case.mask)
    except BadImage as error:
        return [pictures.problem(case.mask, str(error))]
    if (height, width) != (case.sample.height, case.sample.width):
        expected = f"the size of {case.sample.path}, {case.sample.width} x {case.sample.height}"
        return [Problem(case.mask, None, "", expected, f"{width} x {height}")]
    return []


def _inside(root: Path) -> str:
    """Name what a folder holds instead."""
    if not root.is_dir():
        return "no such folder"
    names = sorted(path.name for path in root.iterdir())
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "") if names else "an empty folder"
