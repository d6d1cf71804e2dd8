"""The pictures of a calibration: every one is read and checked before anything is computed, and all problems come at once."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from calibration.progress import Advance, Progress
from inspectd import image
from inspectd.errors import BadImage, BadImages, BadInput, Problem
from inspectd.text import printable
from inspectd.vision.bundle import LeftOut

U8 = npt.NDArray[np.uint8]

DROPPED = "dropped by --drop"


@dataclass(frozen=True)
class Sample:
    """One checked picture: what its file held, and the part or lot it shows. Its pixels stay on disk."""

    path: Path
    name: str  # folder's role and file name, as the manifest lists it: good/0001.png
    sha256: str
    seen: str  # sha256 of the pixels: what is the same picture, whatever file it is kept in
    group: str
    height: int
    width: int
    pixel_format: str
    roi: tuple[int, int, int, int] | None = None  # all that is known of a captured one; None: the camera's whole picture

    @property
    def kind(self) -> str:
        """Size and format, as errors name them."""
        cut = "" if self.roi is None else ", captured with the roi x {}, y {}, {} x {}".format(*self.roi)
        return f"{self.width} x {self.height} {self.pixel_format}{cut}"

    def pixels(self) -> U8:
        """Read the pixels again; BadImage if the file is no longer the one that was checked."""
        data = image.read_bytes(self.path)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise BadImage(f"{self.path}: expected the picture that was checked, got another: it changed while calibrating")
        return image.decode(data, str(self.path)).pixels


class Files(NamedTuple):
    """The picture files of a calibration, by name; and the good ones that somebody left out."""

    good: list[Path]
    bad: list[Path]
    dropped: Sequence[Path] = ()


@dataclass(frozen=True)
class Pictures:
    """All pictures of a calibration, of one size and format."""

    good: list[Sample]
    bad: list[Sample]
    repeated: list[str]  # names of good pictures that are there already under another name
    left_out: dict[str, LeftOut]  # by name: dropped on request, or no sound picture


def listed(good: Path, bad: Path | None, drop: Sequence[str] = ()) -> Files:
    """List the picture files of a calibration, but the good ones to `drop`, by file name.

    BadImages naming every folder that cannot be read or holds none; BadInput naming what is to be dropped and is not there.
    """
    found: list[list[Path]] = []
    problems: list[Problem] = []
    for folder in (good, bad) if bad else (good,):
        try:
            found.append(image.pictures_in(folder))
        except BadImage as error:
            problems.append(problem(folder, str(error)))
            continue
        if not found[-1]:
            suffixes = ", ".join(sorted(image.SUFFIXES))
            problems.append(Problem(folder, None, "", f"pictures ({suffixes})", "none", "check the path"))
    if problems:
        raise BadImages(problems)
    dropped = _dropped(good, found[0], drop)
    return Files([path for path in found[0] if path not in dropped], found[1] if bad else [], dropped)


def gather(files: Files, group_by: str | None, progress: Progress, skip_bad: bool = False) -> Pictures:
    """Read and check all pictures of a calibration; BadImages with everything wrong with any of them.

    `group_by` is a regular expression with one group on the file name; without it every picture is a group of its own.
    With `skip_bad` what is no sound picture is left out, if any good one is left; nothing else is forgiven.
    """
    advance = progress.stage("pictures", len(files.good) + len(files.bad))
    good, wrong_good = read(files.good, "good", group_by, advance)
    bad, wrong_bad = read(files.bad, "bad", group_by, advance)
    skipped = {} if not (skip_bad and good) else _skipped(wrong_good, "good") | _skipped(wrong_bad, "bad")
    problems = [] if skipped else [*wrong_good, *wrong_bad]
    problems += [*odd_ones([*good, *bad]), *_both_good_and_bad(good, bad)]
    if problems:
        raise BadImages(problems)
    together, repeated = _together(good)
    dropped = {_named(path, "good"): LeftOut(sha256=_sha256(path), why=DROPPED) for path in files.dropped}
    return Pictures(together, bad, repeated, dropped | skipped)


def skipped(found: Pictures) -> list[str]:
    """Warn of files that were no sound pictures, if any were left out for it."""
    names = [name for name, one in found.left_out.items() if one.why != DROPPED]
    return [f"{len(names)} files are no sound pictures and were skipped: {', '.join(names[:5])}."] if names else []


def groups(files: Sequence[Path], group_by: str | None) -> list[str]:
    """Return the part or lot of each file, by its name alone; a name that tells none stands for itself until it is read."""
    return [_group(path, group_by) or path.name for path in files]


def read(files: Sequence[Path], role: str, group_by: str | None, advance: Advance) -> tuple[list[Sample], list[Problem]]:
    """Read picture files; return the usable ones and what is wrong with the others."""
    samples, problems = [], []
    for path in files:
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


def _dropped(folder: Path, there: Sequence[Path], drop: Sequence[str]) -> list[Path]:
    """Find the files to drop, however somebody named them: 7.png, good/7.png as reports do, or with their folder."""
    known = {printable(path.name): path for path in there} | {path.name: path for path in there}
    names = [Path(one).name if Path(one).parent in (Path(), Path("good"), folder) else one for one in drop]
    if unknown := [one for one, name in zip(drop, names, strict=True) if name not in known]:
        raise BadInput(f"--drop: expected names of pictures in {folder}, got {', '.join(unknown)}; check them there")
    return sorted({known[name] for name in names})


def _skipped(problems: Sequence[Problem], role: str) -> dict[str, LeftOut]:
    said = {Path(one.file): f"expected {one.expected}, got {one.got}" for one in problems}
    return {_named(path, role): LeftOut(sha256=_sha256(path), why=why) for path, why in said.items()}


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(image.read_bytes(path)).hexdigest()
    except BadImage:  # for this it is skipped
        return ""


def _both_good_and_bad(good: Sequence[Sample], bad: Sequence[Sample]) -> list[Problem]:
    known = {sample.seen: sample for sample in good}
    return [
        Problem(sample.path, None, "", "a bad part", f"the same picture as {known[sample.seen].path}", "remove one of them")
        for sample in bad
        if sample.seen in known
    ]


def _together(samples: Sequence[Sample]) -> tuple[list[Sample], list[str]]:
    """Give copies of a picture the group of the first, so that no bank scores a part it contains; return also their names."""
    first: dict[str, Sample] = {}
    merged, repeated = [], []
    for sample in samples:
        original = first.setdefault(sample.seen, sample)
        merged.append(sample if original is sample else replace(sample, group=original.group))
        repeated += [] if original is sample else [sample.name]
    return merged, repeated


def problem(path: Path, message: str) -> Problem:
    """Turn a picture's error, "file: expected this, got that", into one of a list."""
    why = message.removeprefix(f"{path}: ")
    expected, got, came = why.removeprefix("expected ").partition(", got ")
    return Problem(path, None, "", expected, came) if got else Problem(path, None, "", "a picture", f"one that {why}")


def _sample(path: Path, role: str, group_by: str | None) -> Sample:
    group = _group(path, group_by)
    if not group:
        raise BadImage(f"{path}: expected a file name with a group as in group_by {group_by!r}, got {path.name}")
    data = image.read_bytes(path)
    picture = image.decode(data, str(path))
    return Sample(
        path=path,
        name=_named(path, role),
        sha256=hashlib.sha256(data).hexdigest(),
        seen=hashlib.sha256(picture.pixels.data).hexdigest(),
        group=group,
        height=picture.height,
        width=picture.width,
        pixel_format=picture.pixel_format,
        roi=picture.roi,
    )


def _named(path: Path, role: str) -> str:
    return printable(f"{role}/{path.name}")


def _group(path: Path, group_by: str | None) -> str:
    """Return the part or lot that a file's name tells, as the line reads it too; empty if it tells none."""
    name = printable(path.name)
    if group_by is None:
        return name
    found = re.search(group_by, name)
    return str(found.group(1) or "") if found and found.groups() else ""
