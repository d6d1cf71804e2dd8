"""A signature says that the holder of a key released this very bundle; nothing else is taken for one."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from inspectd.errors import BadBundle, BadInput
from inspectd.station.schema import Camera, Config, Line, Station
from inspectd.station.state import StateDir
from inspectd.vision import bundle, fits, reports, signing
from tests.vision import make


@pytest.fixture
def signed(state: StateDir, tmp_path: Path) -> tuple[Path, str]:
    """A bundle that is signed, and the public key."""
    made = make.reported_bundle(state)
    key = signing.new_key(tmp_path / "key")
    assert signing.sign(made, tmp_path / "key") == key
    return made, key


def config(require: bool, **trusted: str) -> Config:
    station = Station(station="weave", camera=Camera("folder", "x"), deadline_ms=100.0, require_signed=require)
    return Config("stations", Line(trusted_keys=trusted), {"weave": station}, {"weave": "stations/weave.yaml"})


def test_a_signed_bundle_keeps_its_fingerprint_and_names_its_signer(state: StateDir, signed: tuple[Path, str]) -> None:
    made, key = signed
    manifest = bundle.verify(made)
    assert manifest.fingerprint == make.idle_bundle(state, number=2).manifest.fingerprint
    assert signing.signer(manifest, {"bert": "A" * 43 + "=", "anna": key}) == "anna"
    fits.need_fit(manifest, config(True, anna=key), "weave")


def test_a_key_is_readable_by_its_owner_alone_and_never_overwritten(signed: tuple[Path, str], tmp_path: Path) -> None:
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadInput, match="exists already"):
        signing.new_key(tmp_path / "key")


def test_a_bundle_that_nobody_signed_is_refused_where_signatures_are_wanted(state: StateDir, signed: tuple[Path, str]) -> None:
    """Elsewhere it may be used."""
    manifest = make.idle_bundle(state, number=2).manifest
    with pytest.raises(BadBundle, match=r"weave\.yaml: require_signed: expected a signed bundle"):
        fits.need_fit(manifest, config(True, anna=signed[1]), "weave")
    fits.need_fit(manifest, config(False, anna=signed[1]), "weave")


def test_a_signature_by_a_key_that_nobody_trusts_is_refused(signed: tuple[Path, str], tmp_path: Path) -> None:
    other = signing.new_key(tmp_path / "other")
    with pytest.raises(BadBundle, match="trusted are: bert"):
        fits.need_fit(bundle.read_manifest(signed[0]), config(True, bert=other), "weave")


def test_the_signature_of_another_bundle_is_none_of_this_one(state: StateDir, signed: tuple[Path, str]) -> None:
    """Copied as it is, and with the sum of this one put in."""
    made, key = signed
    other = bundle.write(state.bundle("weave", "default", 2), make.manifest(threshold=5.5), make.arrays(), make.golden())
    stolen = msgspec.json.decode((made / bundle.MANIFEST).read_bytes())["signature"]
    path = other.directory / bundle.MANIFEST
    fields = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(fields | {"signature": stolen}))
    with pytest.raises(BadBundle, match="got one of another bundle"):
        bundle.read_manifest(other.directory)
    stolen["sha256"] = bundle.digest(other.directory)
    path.write_bytes(msgspec.json.encode(fields | {"signature": stolen}))
    with pytest.raises(BadBundle, match="was not made by the key of anna"):
        signing.signer(bundle.read_manifest(other.directory), {"anna": key})


def test_a_changed_bundle_does_not_keep_its_signature(signed: tuple[Path, str]) -> None:
    """Not even with a fingerprint that is right again."""
    path = signed[0] / bundle.MANIFEST
    fields = msgspec.json.decode(path.read_bytes()) | {"threshold": 99.0}
    fields["fingerprint"] = bundle._digest_of(fields)[:16]
    path.write_bytes(msgspec.json.encode(fields))
    with pytest.raises(BadBundle, match="signature: expected one of sha256"):
        bundle.read_manifest(signed[0])


def test_nonsense_in_a_signature_is_a_refusal_and_no_traceback(signed: tuple[Path, str]) -> None:
    manifest = bundle.read_manifest(signed[0])
    assert manifest.signature
    for nonsense in ("", "no base64", "AAAA"):
        with pytest.raises(BadBundle, match="was not made by"):
            signing.signer(replace(manifest, signature=replace(manifest.signature, value=nonsense)), {"anna": signed[1]})


@pytest.mark.parametrize("text", ["no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_cannot_sign(state: StateDir, tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    made = make.idle_bundle(state).directory
    before = (made / bundle.MANIFEST).read_bytes()
    with pytest.raises(BadInput, match="expected a private key"):
        signing.sign(made, tmp_path / "key")
    with pytest.raises(BadInput, match="cannot be read"):
        signing.sign(made, tmp_path / "none")
    assert (made / bundle.MANIFEST).read_bytes() == before


def test_a_signature_covers_the_reports_that_were_read(signed: tuple[Path, str]) -> None:
    """Another report with its checksum put right is not what was signed; nor is a bundle without one."""
    made, key = signed
    manifest = bundle.read_manifest(made)
    for listed in ({"report.html": "00" * 32}, {}):
        with pytest.raises(BadBundle, match="was not made by the key of anna"):
            signing.signer(replace(manifest, reports=listed), {"anna": key})


def test_what_nobody_can_have_read_is_not_signed(signed: tuple[Path, str], tmp_path: Path) -> None:
    (signed[0] / "report.html").write_text("all is well")
    with pytest.raises(BadBundle, match=r"report\.html: expected sha256"):
        signing.sign(signed[0], tmp_path / "key")


def test_a_signed_copy_brings_the_reports_that_were_signed(state: StateDir, signed: tuple[Path, str]) -> None:
    """The same inputs give the same fingerprint, and a report that tells another hour."""
    other = make.idle_bundle(state, number=2)
    reports.attach(other.directory, other.manifest, {"report.html": b"at another hour", "report.json": b"{}"})
    with pytest.raises(BadBundle, match="trusted are: none"):
        signing.adopt(other.directory, signed[0], {})
    signing.adopt(other.directory, signed[0], {"anna": signed[1]})
    adopted = bundle.read_manifest(other.directory)
    assert signing.signer(adopted, {"anna": signed[1]}) == "anna"
    reports.check(other.directory, adopted)
    assert (other.directory / "report.html").read_bytes() == b"for people"


def test_a_signature_that_its_key_did_not_make_is_none_whoever_is_trusted(signed: tuple[Path, str]) -> None:
    manifest = bundle.read_manifest(signed[0])
    signing.need_true(manifest)
    assert manifest.signature
    with pytest.raises(BadBundle, match="was not made by the key that it names"):
        signing.need_true(replace(manifest, signature=replace(manifest.signature, value="QUFB")))
