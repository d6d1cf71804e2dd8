"""Whether a bundle was made for what its station looks at (roi and mask, as the station file says them), and may be used.

A bundle knows the area on which it was calibrated and no other one: elsewhere its PASS would mean nothing. Whoever takes
a bundle into use asks here.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from inspectd.errors import BadBundle, Problem
from inspectd.station import load
from inspectd.station.schema import Config, Station
from inspectd.vision.bundle import Manifest, PictureSpec

_HINT = "calibrate again, or restore the file"


def need_fit(manifest: Manifest, config: Config, station: str) -> None:
    """BadBundle naming file, key, expected and got if a bundle was not made for what the station looks at, or not signed.

    MissingExtra where signatures are wanted and cannot be checked.
    """
    problems = list(misfits(manifest.picture, config.stations[station], Path(config.files[station])))
    if problems:
        raise BadBundle("\n".join(map(str, problems)))
    if config.stations[station].require_signed:
        from inspectd.vision import signing  # noqa: PLC0415 (lines that want no signatures need no package for them)

        signing.need_signature(manifest, config, station)


def need_same(manifest: Manifest, fingerprint: str, threshold: float, path: Path | str) -> None:
    """BadBundle unless the bundle at a path has the fingerprint and the threshold that its product's `current` names.

    The line compares scores with the threshold named there, which nobody signed: it must be the bundle's own.
    """
    expected, got = (f"fingerprint {one} with threshold {at!r}" for one, at in (
        (fingerprint, threshold), (manifest.fingerprint, manifest.threshold)
    ))  # fmt: skip
    if expected != got:
        raise BadBundle(f"{path}: expected {expected}, as its product's `current` says, got {got}; activate a bundle again")


def misfits(picture: PictureSpec, station: Station, file: Path) -> Iterator[Problem]:
    """Yield what the station file, or the mask that it names, says otherwise than it did at calibration."""
    expected, got = _area(picture.roi, picture), _area(_roi(station), picture)
    if expected != got:
        yield _problem(file, "roi", _rectangle(expected), _rectangle(got))
    found = _mask(station, file)
    if picture.mask_sha256 != found:
        yield _problem(file, "mask", _named(picture.mask_sha256), _named(found))


def _problem(file: Path, key: str, expected: str, got: str) -> Problem:
    return Problem(file, load.read_yaml(file).line((key,)), key, f"{expected}, as the bundle was calibrated", got, _HINT)


def _roi(station: Station) -> tuple[int, int, int, int] | None:
    roi = station.roi
    return None if roi is None else (roi.x, roi.y, roi.width, roi.height)


def _area(roi: tuple[int, int, int, int] | None, picture: PictureSpec) -> tuple[int, int, int, int]:
    """Left, top, width and height of what is judged; a roi of the whole picture is none."""
    return roi or (0, 0, picture.camera_px[1], picture.camera_px[0])


def _rectangle(area: tuple[int, int, int, int]) -> str:
    return f"{{x: {area[0]}, y: {area[1]}, width: {area[2]}, height: {area[3]}}}"


def _mask(station: Station, file: Path) -> str:
    """Checksum of the mask's bytes, or why they cannot be had; empty without a mask."""
    if station.mask is None:
        return ""
    path = file.parent / station.mask
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"{path}: {error.strerror}"


def _named(mask: str) -> str:
    """Name a mask by its checksum; a path that cannot be read is told whole."""
    if not mask:
        return "no mask"
    return mask if "/" in mask or ":" in mask else f"a mask of sha256 {mask[:12]}…"
