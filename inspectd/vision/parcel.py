"""A bundle with its cut graphs in one file, to carry to another machine: packed, and unpacked with suspicion.

A zip archive without compression (the arrays have none to gain), the same bytes for the same bundle:

    parcel.json              format, station, product, fingerprint, and of every other file its size and sha256
    bundle/<file>            the bundle's directory
    backbones/<sha256>.onnx  the graphs that its members name

What unpacks it writes only names that it knows, only as many bytes as parcel.json says, and only if they are the right
ones; then the bundle must be what its own manifest says. Nobody but a signature says who made it.
"""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated

import msgspec
from msgspec import Meta, Struct

from inspectd.errors import BadBundle, BadInput
from inspectd.station.state import to_disk
from inspectd.vision import bundle as bundles
from inspectd.vision import reports
from inspectd.vision.bundle import Manifest, Sha256

FORMAT = 1
_INDEX = "parcel.json"
_INDEX_MOST = 1 << 20  # bytes; a bundle has a few dozen files
_PIECE = 1 << 20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # zip's first day: the bytes do not depend on when they were packed

Name = Annotated[str, Meta(pattern=r"^(bundle/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}|backbones/[0-9a-f]{64}\.onnx)$")]


class Packed(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a parcel."""

    bytes: Annotated[int, Meta(ge=0)]
    sha256: Sha256


class Index(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """parcel.json."""

    format: int = FORMAT
    station: str
    product: str
    fingerprint: str
    files: dict[Name, Packed]


class _Versioned(Struct):
    format: int


def pack(directory: Path, file: Path) -> Manifest:
    """Write a bundle and its graphs into one file, whole or not at all.

    BadBundle if the bundle is damaged, BadInput if the file cannot be written.
    """
    manifest = bundles.verify(directory)
    reports.check(directory, manifest)
    inside = {f"bundle/{path.name}": path for path in sorted(directory.iterdir()) if path.is_file()}
    graphs = sorted({f"{member.backbone}.onnx" for member in manifest.members})
    inside |= {f"backbones/{name}": bundles.graphs_of(directory) / name for name in graphs}
    index = Index(
        station=manifest.station,
        product=manifest.product,
        fingerprint=manifest.fingerprint,
        files={name: Packed(path.stat().st_size, bundles.checksum(path)) for name, path in inside.items()},
    )
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        with zipfile.ZipFile(new, "x") as archive:
            archive.writestr(_entry(_INDEX), msgspec.json.encode(index))
            for name, path in inside.items():
                with path.open("rb") as source, archive.open(_entry(name), "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, _PIECE)
        to_disk(new)
        new.replace(file)
    except OSError as error:
        raise BadInput(f"{file}: cannot be written: {error.strerror or error}; name another file") from error
    finally:
        new.unlink(missing_ok=True)
    return manifest


def unpack(file: Path, into: Path) -> Manifest:
    """Unpack a parcel into `into`/bundle and `into`/backbones, and compare every file with its checksums.

    BadBundle naming file and reason if it is no parcel, of a newer format, truncated or tampered with, or too big for the
    disk; what was written so far is then the caller's to remove.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            index = _index(archive, file)
            _check_entries(archive, index, file)
            _check_room(index, into, file)
            for folder in ("bundle", "backbones"):
                (into / folder).mkdir()
            for name, packed in index.files.items():
                _write(archive, name, packed, into, file)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:  # encrypted: RuntimeError
        raise BadBundle(f"{file}: expected a bundle that `inspectd bundle export` wrote: {error}; export it again") from error
    except OSError as error:
        raise BadBundle(f"{file}: cannot be unpacked: {error.strerror or error}; check the path and the free space") from error
    manifest = bundles.verify(into / "bundle", into / "backbones")
    reports.check(into / "bundle", manifest)
    if (manifest.station, manifest.product, manifest.fingerprint) != (index.station, index.product, index.fingerprint):
        raise BadBundle(f"{file}: expected bundle {index.fingerprint} of {index.station}, got {manifest.fingerprint}")
    return manifest


def _index(archive: zipfile.ZipFile, file: Path) -> Index:
    try:
        entry = archive.getinfo(_INDEX)
        if entry.file_size > _INDEX_MOST:
            raise BadBundle(f"{file}: {_INDEX}: expected at most {_INDEX_MOST} bytes, got {entry.file_size}")
        data = archive.read(entry)
        if (found := msgspec.json.decode(data, type=_Versioned).format) != FORMAT:
            raise BadBundle(f"{file}: expected format {FORMAT}, got {found}; update inspectd on this machine")
        return msgspec.json.decode(data, type=Index)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBundle(f"{file}: {_INDEX}: expected the list of a bundle's files: {error}; export it again") from error


def _check_entries(archive: zipfile.ZipFile, index: Index, file: Path) -> None:
    """Every file that is listed is there once, as long as it is listed, not compressed; and nothing else is."""
    there = sorted(entry.filename for entry in archive.infolist())
    if there != sorted([_INDEX, *index.files]):
        odd = sorted({*there} ^ {_INDEX, *index.files}) or ["a file twice"]
        raise BadBundle(f"{file}: expected the files that its list names, got others or not all: {', '.join(odd[:3])}")
    for name, packed in index.files.items():
        entry = archive.getinfo(name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != packed.bytes:
            raise BadBundle(f"{file}: {name}: expected {packed.bytes} bytes, got {entry.file_size}: tampered with")


def _check_room(index: Index, into: Path, file: Path) -> None:
    needed, free = sum(packed.bytes for packed in index.files.values()), shutil.disk_usage(into).free
    if needed >= free:
        raise BadBundle(f"{file}: needs {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free under {into.parent}")


def _write(archive: zipfile.ZipFile, name: str, packed: Packed, into: Path, file: Path) -> None:
    hashed, size = hashlib.sha256(), 0
    with archive.open(name) as source, (into / name).open("xb") as target:
        for piece in _pieces(source, packed.bytes):
            target.write(piece)
            hashed.update(piece)
            size += len(piece)
    if (hashed.hexdigest(), size) != (packed.sha256, packed.bytes):
        raise BadBundle(f"{file}: {name}: expected sha256 {packed.sha256}, got {hashed.hexdigest()}: tampered with")


def _pieces(source: IO[bytes], most: int) -> Iterator[bytes]:
    while most > 0 and (piece := source.read(min(_PIECE, most))):
        most -= len(piece)
        yield piece


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.external_attr = 0o644 << 16
    return entry
