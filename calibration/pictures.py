"""The pictures of a calibration: every one is read and checked before anything is computed, and all problems come at once."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from calibration.progress import Advance, Progress
from inspectd import image
from inspectd.errors import BadImage, BadImages, Problem

U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """One checked picture: what its file held, and the part or lot it shows. Its pixels stay on disk."""

    path: Path
    name: str  # folder's role and file name, as the manifest lists it: good/0001.png
    sha256: str
    group: str
    height: int
    width: int
    pixel_format: str

    @property
    def kind(self) -> str:
        """Size and format, as errors name them."""
        return f"{self.width} x {self.height} {self.pixel_format}"

    def pixels(self) -> U8:
        """Read the pixels again; BadImage if the file is no longer the one that was checked."""
        data = _read(self.path)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise BadImage(f"{self.path}: expected the picture that was checked, got another: it changed while calibrating")
        return image.decode(data, str(self.path)).pixels


@dataclass(frozen=True)
class Pictures:
    """All pictures of a calibration, of one size and format."""

    good: list[Sample]
    bad: list[Sample]
    repeated: list[str]  # names of good pictures whose file is there already under another name


def gather(good: Path, bad: Path | None, group_by: str | None, progress: Progress) -> Pictures:
    """Read and check all pictures of a calibration; BadImages with everything wrong with any of them.

    `group_by` is a regular expression with one group on the file name; without it every picture is a group of its own.
    """
    folders = {"good": good} | ({"bad": bad} if bad else {})
    advance = progress.stage("pictures", _count(list(folders.values())))
    samples: dict[str, list[Sample]] = {"good": [], "bad": []}
    problems: list[Problem] = []
    for role, folder in folders.items():
        samples[role], wrong = read(folder, role, group_by, advance)
        problems += wrong
    problems += odd_ones([*samples["good"], *samples["bad"]])
    problems += _both_good_and_bad(samples["good"], samples["bad"])
    if problems:
        raise BadImages(problems)
    together, repeated = _together(samples["good"])
    return Pictures(together, samples["bad"], repeated)


def read(folder: Path, role: str, group_by: str | None, advance: Advance) -> tuple[list[Sample], list[Problem]]:
    """Read every picture of a folder, by name; return the usable ones and what is wrong with the others."""
    samples, problems = [], []
    for path in image.pictures_in(folder):
        try:
            samples.append(_sample(path, role, group_by))
        except BadImage as error:
            problems.append(problem(path, str(error)))
        advance(1)
    return samples, problems


def odd_ones(samples: Sequence[Sample]) -> list[Problem]:
    """Return what is wrong with pictures that are of another size or format than most."""
    kinds = Counter(sample.kind for sample in samples)
    usual = max(kinds, key=lambda kind: kinds[kind], default="")
    expected = f"{usual} like {kinds[usual]} other pictures"
    hint = "one camera, one setting: remove it, or take it again"
    return [Problem(sample.path, None, "", expected, sample.kind, hint) for sample in samples if sample.kind != usual]


def _count(folders: Sequence[Path]) -> int:
    """Return how many pictures the folders hold; BadImages naming every folder that cannot be read or holds none."""
    found, problems = 0, []
    for folder in folders:
        try:
            inside = len(image.pictures_in(folder))
        except BadImage as error:
            problems.append(problem(folder, str(error)))
            continue
        found += inside
        if not inside:
            suffixes = ", ".join(sorted(image.SUFFIXES))
            problems.append(Problem(folder, None, "", f"pictures ({suffixes})", "none", "check the path"))
    if problems:
        raise BadImages(problems)
    return found


def _both_good_and_bad(good: Sequence[Sample], bad: Sequence[Sample]) -> list[Problem]:
    known = {sample.sha256: sample for sample in good}
    return [
        Problem(sample.path, None, "", "a bad part", f"the same picture as {known[sample.sha256].path}", "remove one of them")
        for sample in bad
        if sample.sha256 in known
    ]


def _together(samples: Sequence[Sample]) -> tuple[list[Sample], list[str]]:
    """Give copies of a picture the group of the first, so that no bank scores a part it contains; return also their names."""
    first: dict[str, Sample] = {}
    merged, repeated = [], []
    for sample in samples:
        original = first.setdefault(sample.sha256, sample)
        merged.append(sample if original is sample else replace(sample, group=original.group))
        repeated += [] if original is sample else [sample.name]
    return merged, repeated


def problem(path: Path, message: str) -> Problem:
    """Turn a picture's error, "file: expected this, got that", into one of a list."""
    why = message.removeprefix(f"{path}: ")
    expected, got, came = why.removeprefix("expected ").partition(", got ")
    return Problem(path, None, "", expected, came) if got else Problem(path, None, "", "a picture", why)


def _sample(path: Path, role: str, group_by: str | None) -> Sample:
    data = _read(path)
    picture = image.decode(data, str(path))
    return Sample(
        path=path,
        name=f"{role}/{path.name}",
        sha256=hashlib.sha256(data).hexdigest(),
        group=_group(path, group_by),
        height=picture.height,
        width=picture.width,
        pixel_format=picture.pixel_format,
    )


def _group(path: Path, group_by: str | None) -> str:
    if group_by is None:
        return path.name
    found = re.search(group_by, path.name)
    if not (found and found.groups() and found.group(1)):
        raise BadImage(f"{path}: expected a file name with a group as in group_by {group_by!r}, got {path.name}")
    return str(found.group(1))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadImage(f"{path}: expected a readable file, got {error.strerror}; check its rights") from error
