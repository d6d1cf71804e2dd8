"""The pictures of a calibration: every one is read and checked before anything is computed, and all problems come at once."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from calibration.progress import Advance
from inspectd import image
from inspectd.errors import BadImage, Problem

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


def count(folder: Path) -> int:
    """Return how many pictures a folder holds; BadImage if it cannot be read or holds none."""
    found = len(image.pictures_in(folder))
    if not found:
        suffixes = ", ".join(sorted(image.SUFFIXES))
        raise BadImage(f"{folder}: expected pictures ({suffixes}), got none; check the path")
    return found


def read(folder: Path, role: str, group_by: str | None, advance: Advance) -> tuple[list[Sample], list[Problem]]:
    """Read every picture of a folder, by name; return the usable ones and what is wrong with the others.

    `group_by` is a regular expression with one group on the file name; without it every picture is a group of its own.
    """
    samples, problems = [], []
    for path in image.pictures_in(folder):
        try:
            samples.append(_sample(path, role, group_by))
        except BadImage as error:
            problems.append(_problem(path, str(error)))
        advance(1)
    return samples, problems


def odd_ones(samples: Sequence[Sample]) -> list[Problem]:
    """Return what is wrong with pictures that are of another size or format than most."""
    kinds = Counter(sample.kind for sample in samples)
    usual = max(kinds, key=lambda kind: kinds[kind], default="")
    expected = f"{usual} like {kinds[usual]} other pictures"
    hint = "one camera, one setting: remove it, or take it again"
    return [Problem(sample.path, None, "", expected, sample.kind, hint) for sample in samples if sample.kind != usual]


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


def _problem(path: Path, message: str) -> Problem:
    """Turn a picture's error, "file: expected this, got that", into one of a list."""
    why = message.removeprefix(f"{path}: ")
    expected, got, came = why.removeprefix("expected ").partition(", got ")
    return Problem(path, None, "", expected, came) if got else Problem(path, None, "", "a picture", why)
