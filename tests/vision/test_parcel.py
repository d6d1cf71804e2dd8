"""A bundle travels in one file and arrives as it was, or not at all."""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspectd.errors import BadBundle, BadInput
from inspectd.station.state import StateDir
from inspectd.vision import bundle, parcel
from tests.vision import make


@pytest.fixture
def packed(state: StateDir, tmp_path: Path) -> Path:
    """A bundle in one file."""
    directory = make.reported_bundle(state)
    parcel.pack(directory, tmp_path / "weave.zip")
    return tmp_path / "weave.zip"


def into(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def repack(file: Path, change: Callable[[dict[str, bytes]], None], compression: int = zipfile.ZIP_STORED) -> None:
    """Write the archive anew with other contents, its own checksums right."""
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    change(contents)
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def relist(contents: dict[str, bytes], **changes: object) -> None:
    """Change the list of files."""
    index = msgspec.json.decode(contents["parcel.json"])
    contents["parcel.json"] = msgspec.json.encode(index | changes)


def add(contents: dict[str, bytes], name: str, data: bytes = b"evil") -> None:
    """Put in a file, and list it as the others are."""
    index = msgspec.json.decode(contents["parcel.json"])
    sha256 = hashlib.sha256(data).hexdigest()
    index["files"][name] = {"bytes": len(data), "sha256": sha256}
    contents["parcel.json"] = msgspec.json.encode(index)
    contents[name] = data


def test_what_arrives_is_what_was_sent(state: StateDir, packed: Path, tmp_path: Path) -> None:
    """Every file of the bundle, the report too, and the graphs."""
    there = into(tmp_path / "there")
    manifest = parcel.unpack(packed, there)
    sent = state.bundle("weave", "default", 1)
    assert manifest == bundle.read_manifest(sent)
    assert {p.name: p.read_bytes() for p in (there / "bundle").iterdir()} == {p.name: p.read_bytes() for p in sent.iterdir()}
    assert [p.name for p in (there / "backbones").iterdir()] == [f"{m.backbone}.onnx" for m in manifest.members]


def test_the_same_bundle_gives_the_same_bytes(state: StateDir, packed: Path, tmp_path: Path) -> None:
    """Whenever it is packed."""
    os.utime(state.bundle("weave", "default", 1) / "bank.npy", (1, 1))
    parcel.pack(state.bundle("weave", "default", 1), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_a_damaged_bundle_is_not_packed_and_a_full_place_leaves_nothing(state: StateDir, tmp_path: Path) -> None:
    made = make.idle_bundle(state).directory
    with pytest.raises(BadInput, match="cannot be written"):
        parcel.pack(made, tmp_path / "none" / "weave.zip")
    (made / "bank.npy").write_bytes(b"damaged")
    with pytest.raises(BadBundle, match=r"bank\.npy"):
        parcel.pack(made, tmp_path / "weave.zip")
    assert not list(tmp_path.glob("*.zip*"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: files.update({"bundle/bank.npy": b"x" * len(files["bundle/bank.npy"])}), r"bank\.npy: expected sha256"),
        (lambda files: files.update({"bundle/bank.npy": files["bundle/bank.npy"] + b"x"}), r"bank\.npy: expected \d+ bytes"),
        (lambda files: files.pop("bundle/golden.npz"), r"others or not all: bundle/golden\.npz"),
        (lambda files: files.update({"bundle/more.npy": b""}), r"others or not all: bundle/more\.npy"),
        (lambda files: files.update({"../../evil": b""}), r"others or not all: \.\./\.\./evil"),
        (lambda files: files.update({"/etc/evil": b""}), r"others or not all: /etc/evil"),
        (lambda files: add(files, "../evil"), "expected the list of a bundle's files"),
        (lambda files: add(files, "bundle/../../evil"), "expected the list of a bundle's files"),
        (lambda files: add(files, "backbones/evil.so"), "expected the list of a bundle's files"),
        (lambda files: relist(files, format=2), "expected format 1, got 2; update inspectd"),
        (lambda files: relist(files, fingerprint="0" * 16), "expected bundle 0000000000000000 of weave"),
        (lambda files: relist(files, station="other"), "of other, got"),
        (lambda files: files.pop("parcel.json"), "expected the list of a bundle's files"),
        (lambda files: files.update({"parcel.json": b"{"}), "expected the list of a bundle's files"),
        (lambda files: files.update({"parcel.json": b" " * (1 << 20) + b"{}"}), "expected at most 1048576 bytes"),
    ],
)
def test_what_was_tampered_with_is_refused(packed: Path, tmp_path: Path, change: Callable, words: str) -> None:
    """With file and reason; nothing is written outside of the place where it is unpacked."""
    repack(packed, change)
    (tmp_path / "a").mkdir()
    there = into(tmp_path / "a" / "b")
    with pytest.raises(BadBundle, match=words):
        parcel.unpack(packed, there)
    assert not [path for path in tmp_path.rglob("*evil*") if there not in path.parents]


def test_a_manifest_that_was_changed_with_all_checksums_put_right_is_refused(packed: Path, tmp_path: Path) -> None:
    """Its own fingerprint disowns it."""

    def change(files: dict[str, bytes]) -> None:
        add(files, "bundle/manifest.json", files["bundle/manifest.json"].replace(b'"threshold": 5.0', b'"threshold": 9.0'))

    repack(packed, change)
    with pytest.raises(BadBundle, match="changed by hand"):
        parcel.unpack(packed, into(tmp_path / "there"))


def test_compressed_members_are_refused(packed: Path, tmp_path: Path) -> None:
    """A few kB could become as many GB."""
    repack(packed, lambda _: None, zipfile.ZIP_DEFLATED)
    with pytest.raises(BadBundle, match="tampered with"):
        parcel.unpack(packed, into(tmp_path / "there"))


def test_more_than_the_disk_can_hold_is_refused_before_anything_is_written(packed: Path, tmp_path: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        index = msgspec.json.decode(files["parcel.json"])
        index["files"]["bundle/bank.npy"]["bytes"] = 1 << 60
        files["parcel.json"] = msgspec.json.encode(index)

    repack(packed, change)
    there = into(tmp_path / "there")
    with pytest.raises(BadBundle, match=r"expected 1152921504606846976 bytes|MB are free"):
        parcel.unpack(packed, there)
    assert list(there.iterdir()) == []


def test_a_symbolic_link_in_it_is_written_as_a_file(packed: Path, tmp_path: Path) -> None:
    """And so has the wrong bytes: it leads nowhere."""
    with zipfile.ZipFile(packed) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    link = zipfile.ZipInfo("bundle/bank.npy")
    link.external_attr = 0o120777 << 16
    contents["bundle/bank.npy"] = b"/etc/passwd".ljust(len(contents["bundle/bank.npy"]), b"/")
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in contents.items():
            archive.writestr(link if name == link.filename else name, data)
    with pytest.raises(BadBundle, match=r"bank\.npy: expected sha256"):
        parcel.unpack(packed, into(tmp_path / "there"))
    assert not (tmp_path / "there/bundle/bank.npy").is_symlink()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_at_any_byte_or_with_any_byte_changed_is_refused_or_whole(packed: Path, tmp_path: Path, data) -> None:
    """Nothing but BadBundle escapes; what is accepted is the bundle that was sent."""
    whole = packed.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    value = data.draw(st.integers(-1, 255))
    broken = tmp_path / "broken.zip"
    broken.write_bytes(whole[:at] if value < 0 else whole[:at] + bytes([value]) + whole[at + 1 :])
    there = into(tmp_path / "there")
    try:
        parcel.unpack(broken, there)
    except BadBundle:
        return
    assert value >= 0
    intact = into(tmp_path / "intact")
    parcel.unpack(packed, intact)
    for folder in ("bundle", "backbones"):
        files = {p.name: p.read_bytes() for p in (intact / folder).iterdir()}
        assert {p.name: p.read_bytes() for p in (there / folder).iterdir()} == files


def test_what_is_no_archive_or_not_there_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("no archive")
    for name, words in (("x.zip", "expected a bundle that"), ("none.zip", "No such file")):
        with pytest.raises(BadBundle, match=words):
            parcel.unpack(tmp_path / name, into(tmp_path / "there"))
