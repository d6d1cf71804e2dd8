"""A bundle: all that judges one station's product, in one directory that is written whole and read with suspicion.

    manifest.json   settings, thresholds, and the sha256 of every other file of judgement
    <role>.npy      one array a role: bank, channel mean and scale, mask …
    golden.npz      pictures with known scores; who loads the bundle must get the same scores again
    report.html     for people; no part of the fingerprint, see reports.py

Writing goes to a directory beside the target, onto the disk, and is then renamed. Nothing is pickled.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct, field

from inspectd.errors import BadBundle, StateError
from inspectd.station.schema import Tiling
from inspectd.station.state import to_disk
from inspectd.vision.golden import Golden
from inspectd.vision.methods import Kind, Score, Search

FORMAT = 1
MANIFEST = "manifest.json"
GOLDEN = "golden.npz"
_DIGITS = 16  # of a sha256 are the fingerprint
_OUTSIDE_FINGERPRINT = ("fingerprint", "created", "reports", "signature", "timings")

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]  # never a path: no slash, no leading dot
Array = npt.NDArray[Any]


class ArrayRef(Struct, frozen=True, forbid_unknown_fields=True):
    """One array of the bundle and what its file must be."""

    role: str
    file: FileName
    shape: tuple[int, ...]
    dtype: str
    sha256: Sha256  # of the file


class Member(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One judge: a backbone graph and a method with its settings. A bundle has one or more."""

    method: Kind = "patchcore"
    backbone: Sha256  # of the cut graph: <state>/backbones/<sha256>.onnx
    backbone_name: str
    layers: tuple[int, ...]
    patch: int
    input_px: tuple[int, int]  # (height, width) to which the roi is resized
    stride: int = 1  # every so many-th cell of the graph's map is used
    tiling: Tiling | None = None  # tiles of the roi, each resized to the input
    score: Score = "smoothed_max"
    sigma: float = 1.0  # of power_mean and smoothed_max, in patches
    power: Annotated[float, Meta(ge=1)] = 1.0  # of power_mean
    search: Search = "exact"  # how PatchCore searches its bank
    retrieve: int = 50  # good pictures with which SPADE compares a part
    map_sigma_px: float = 4.0  # smoothing of the heat map, in roi pixels
    normalisation: Literal["channel"] = "channel"  # (v - channel_mean) / channel_scale, after the graph
    scale: Annotated[float, Meta(gt=0)] = 1.0  # several members: spread of its scores of good parts, by which they are divided
    weight: Annotated[float, Meta(gt=0)] = 1.0  # and how much they count then
    arrays: dict[str, str] = field(default_factory=dict)  # the method's name for it -> role; see vision/methods


class PictureSpec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What pictures the station sends; any other is UNDECIDED(wrong_picture)."""

    camera_px: tuple[int, int]  # (height, width) of the camera's picture, before the roi is cut
    pixel_format: Literal["mono8", "rgb8"]
    roi: tuple[int, int, int, int] | None = None  # x, y, width, height in camera pixels; None: the whole picture
    mask_sha256: str = ""  # of the mask's file as the integrator gave it; the mask itself is the array of role `mask`
    mm_per_px: float | None = None

    @property
    def corner(self) -> tuple[int, int]:
        """(x, y) of the roi in the camera's picture."""
        return (self.roi[0], self.roi[1]) if self.roi else (0, 0)

    @property
    def judged_px(self) -> tuple[int, int]:
        """(height, width) of what ingest sends: the roi, or the whole picture."""
        return (self.roi[3], self.roi[2]) if self.roi else self.camera_px


class LeftOut(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A picture of the folders that calibration did not use."""

    sha256: str  # of the file; empty: it could not be read
    why: str


RECHECK, PIXEL = "recheck", "pixel"  # in a manifest's thresholds: no rules, but where a band and outlines begin


class FoundThreshold(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A threshold and how it was found."""

    value: float
    how: str  # a sentence for people
    facts: dict[str, float | int | str] = field(default_factory=dict)  # asked and reached rates, counts, confidence …


class Revision(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A bundle that differs from another one by its threshold alone, which a person chose."""

    parent: str  # fingerprint of the other one
    threshold: float  # of the other one
    who: str
    why: str
    when: str  # UTC


class Signature(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who released a bundle: an Ed25519 signature, see signing.py."""

    key: str  # the public key, base64
    sha256: Sha256  # what was signed: the whole of which the fingerprint is the beginning
    value: str  # base64


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """manifest.json. `arrays`, `golden_sha256` and `fingerprint` are filled in by `write`.

    The bundle's number is its directory's name and not in here: the same inputs give the same fingerprint at any number.
    """

    format: int = FORMAT
    station: str
    product: str = "default"
    members: Annotated[tuple[Member, ...], Meta(min_length=1)]
    picture: PictureSpec
    threshold: Annotated[float, Meta(gt=0)]  # the active one: score >= threshold is FAIL
    thresholds: dict[str, FoundThreshold] = field(default_factory=dict)  # by rule; RECHECK and PIXEL beside them
    seed: int = 0
    versions: dict[str, str] = field(default_factory=dict)  # of libraries, processor type, thread count
    pictures: dict[str, str] = field(default_factory=dict)  # calibration picture -> sha256
    left_out: dict[str, LeftOut] = field(default_factory=dict)  # picture -> why it is not among them
    metrics: dict[str, float | int | str] = field(default_factory=dict)
    arrays: tuple[ArrayRef, ...] = ()
    golden_sha256: str = ""
    revision: Revision | None = None  # None: as it was calibrated
    fingerprint: str = ""
    created: str = ""  # UTC, for people
    reports: dict[FileName, Sha256] = field(default_factory=dict)  # of files for people
    signature: Signature | Literal[""] = ""  # empty: nobody signed it
    timings: dict[str, float] = field(default_factory=dict)  # seconds, by step


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory: `arrays` by role, float arrays finite, everything as the manifest says."""

    directory: Path
    manifest: Manifest
    arrays: Mapping[str, Array]
    golden: Golden

    @property
    def number(self) -> int:
        """Its place in the product's history: the directory's name."""
        return int(self.directory.name)


def fingerprint(manifest: Manifest) -> str:
    """First 16 hex digits of a sha256 over the manifest as canonical JSON, without who, when and how long.

    ValueError if a number is NaN or infinite: JSON has no such numbers.
    """
    return _digest_of(msgspec.to_builtins(manifest))[:_DIGITS]


def write(directory: Path, manifest: Manifest, arrays: Mapping[str, Array], golden: Golden) -> Bundle:
    """Write a bundle, whole or not at all, with its `arrays` by role; return it with its fingerprint.

    BadBundle if the directory exists, or something in it could not be read back; StateError if it cannot be written.
    """
    if directory.exists():
        raise BadBundle(f"{directory}: exists already; a bundle is never changed, write the next number")
    new = directory.with_name(f".{directory.name}.{os.getpid()}.new")
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        sealed = _fill(new, manifest, arrays, golden)
        _to_disk(new)
        new.rename(directory)
        to_disk(directory.parent)
    except OSError as error:
        raise StateError(f"{directory}: cannot be written: {error}; check the rights and the free space there") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return Bundle(directory, sealed, dict(arrays), golden)


def read(directory: Path) -> Bundle:
    """Read a bundle; BadBundle naming the file and the reason if anything in it is not as its manifest says."""
    manifest = read_manifest(directory)
    arrays = {ref.role: _read_array(directory, ref) for ref in manifest.arrays}
    _check_roles(directory, manifest)
    path = directory / GOLDEN
    check_sha256(path, manifest.golden_sha256)
    golden = Golden.read(path)
    return Bundle(directory, manifest, arrays, golden.at(manifest.threshold) if manifest.revision else golden)


def verify(directory: Path, graphs: Path | None = None) -> Manifest:
    """Compare every file that judges with its checksum, the cut graphs included; BadBundle naming file and reason.

    A worker does that too, and scores the golden pictures; this is for those who must know before a worker is there.
    Graphs lie in `graphs`, by default in the state directory in which the bundle lies.
    """
    manifest = read_manifest(directory)
    for ref in manifest.arrays:
        check_sha256(directory / ref.file, ref.sha256)
    check_sha256(directory / GOLDEN, manifest.golden_sha256)
    for member in manifest.members:
        check_sha256((graphs or graphs_of(directory)) / f"{member.backbone}.onnx", member.backbone)
    return manifest


def graphs_of(directory: Path) -> Path:
    """Where the cut graphs of a bundle lie: <state>/backbones of <state>/stations/<station>/<product>/bundles/<n>."""
    above = directory.absolute().parents
    return above[min(4, len(above) - 1)] / "backbones"


def read_manifest(directory: Path) -> Manifest:
    """Read manifest.json alone; BadBundle if it is missing, of a newer format, or other than its fingerprint says."""
    path = directory / MANIFEST
    try:
        data = path.read_bytes()
        found = msgspec.json.decode(data, type=_Versioned).format
        if found != FORMAT:
            raise BadBundle(f"{path}: expected bundle format {FORMAT}, got {found}; update inspectd, or calibrate again")
        manifest = msgspec.json.decode(data, type=Manifest)
        # of the fields as they stand in the file: a field that a later release adds must not disown older bundles
        actual = _digest_of(msgspec.json.decode(data))
    except OSError as error:
        raise BadBundle(f"{path}: cannot be read: {error.strerror}; calibrate the station, or restore the bundle") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBundle(f"{path}: expected a bundle's manifest: {error}; calibrate again, or restore the bundle") from error
    if actual[:_DIGITS] != manifest.fingerprint:
        got = f"got {actual[:_DIGITS]}: it was changed by hand; calibrate again"
        raise BadBundle(f"{path}: expected fingerprint {manifest.fingerprint}, {got}")
    if manifest.signature and manifest.signature.sha256 != actual:
        raise BadBundle(f"{path}: signature: expected one of sha256 {actual[:12]}…, got one of another bundle; sign it again")
    return manifest


class _Versioned(Struct):
    """Only the version of a manifest, whatever else a newer release put there."""

    format: int


def digest(directory: Path) -> str:
    """Return the sha256 whose beginning is the fingerprint, of the manifest as it stands in the file."""
    return _digest_of(msgspec.json.decode((directory / MANIFEST).read_bytes()))


def seal(folder: Path, manifest: Manifest) -> Manifest:
    """Give a manifest its fingerprint and write it; BadBundle if it could not be read back."""
    try:
        as_read = msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest)
        sealed = msgspec.structs.replace(as_read, fingerprint=fingerprint(as_read))
    except ValueError as error:  # msgspec's ValidationError is one
        raise BadBundle(f"{folder / MANIFEST}: cannot be stored: {error}") from error
    (folder / MANIFEST).write_bytes(as_text(msgspec.to_builtins(sealed)))
    return sealed


def as_text(fields: dict[str, Any]) -> bytes:
    """Return a manifest's fields as they stand in manifest.json."""
    return msgspec.json.format(msgspec.json.encode(fields), indent=1) + b"\n"


def _digest_of(fields: dict[str, Any]) -> str:
    inside = {name: value for name, value in fields.items() if name not in _OUTSIDE_FINGERPRINT}
    canonical = json.dumps(inside, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _fill(new: Path, manifest: Manifest, arrays: Mapping[str, Array], golden: Golden) -> Manifest:
    refs = tuple(_write_array(new, role, arrays[role]) for role in sorted(arrays))
    golden.write(new / GOLDEN)
    filled = msgspec.structs.replace(manifest, arrays=refs, golden_sha256=checksum(new / GOLDEN))
    _check_roles(new, filled)
    return seal(new, filled)


def _write_array(folder: Path, role: str, array: Array) -> ArrayRef:
    path = folder / f"{role}.npy"
    _check_finite(path, array)
    np.save(path, np.ascontiguousarray(array), allow_pickle=False)
    return ArrayRef(role, path.name, array.shape, array.dtype.name, checksum(path))


def _read_array(folder: Path, ref: ArrayRef) -> Array:
    path = folder / ref.file
    check_sha256(path, ref.sha256)
    try:
        array: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadBundle(f"{path}: expected a NumPy array: {error}; restore the bundle, or calibrate again") from error
    if array.shape != ref.shape or array.dtype.name != ref.dtype:
        raise BadBundle(f"{path}: expected {ref.dtype} of shape {ref.shape}, got {array.dtype.name} of shape {array.shape}")
    _check_finite(path, array)
    return array


def _check_finite(path: Path, array: Array) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.size(array) - np.isfinite(array).sum())
        raise BadBundle(f"{path}: expected finite numbers, got {bad} that are NaN or infinite; calibrate again")


def _check_roles(folder: Path, manifest: Manifest) -> None:
    there = {ref.role for ref in manifest.arrays}
    wanted = {role for member in manifest.members for role in member.arrays.values()}
    wanted |= {"mask"} if manifest.picture.mask_sha256 else set()
    if missing := sorted(wanted - there):
        raise BadBundle(f"{folder / MANIFEST}: expected arrays of the roles {', '.join(missing)}, got {sorted(there)}")


def check_sha256(path: Path, wanted: str) -> None:
    """BadBundle if a file cannot be read or has another checksum."""
    try:
        actual = checksum(path)
    except OSError as error:
        raise BadBundle(f"{path}: cannot be read: {error.strerror}; restore the bundle, or calibrate again") from error
    if actual != wanted:
        raise BadBundle(f"{path}: expected sha256 {wanted}, got {actual}: damaged; restore the bundle, or calibrate again")


def checksum(path: Path) -> str:
    """Return the sha256 of a file; OSError if it cannot be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _to_disk(folder: Path) -> None:
    for path in folder.iterdir():
        to_disk(path)
    to_disk(folder)
