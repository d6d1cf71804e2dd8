"""Signatures of bundles; the one home of cryptography.

Ed25519 over the sha256 whose beginning is the fingerprint, and over the checksums of the reports: somebody who holds the key
has read these reports and released this bundle. The line knows public keys alone (line.yaml).
"""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from inspectd.errors import BadBundle, BadInput, MissingExtra
from inspectd.station import state
from inspectd.station.schema import Config
from inspectd.vision import bundle as bundles
from inspectd.vision import reports
from inspectd.vision.bundle import Manifest, Signature

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
except ModuleNotFoundError as error:
    raise MissingExtra("signatures need the extra `sign`: pip install 'inspectd[cpu,sign]'") from error

_PURPOSE = b"inspectd bundle "  # before what is signed: the key's signatures of other things are none of bundles


def new_key(file: Path) -> str:
    """Write a new private key, readable by its owner alone; return the public key, base64. BadInput if the file exists."""
    key, form = Ed25519PrivateKey.generate(), serialization.PrivateFormat.PKCS8
    data = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
    except FileExistsError as error:
        raise BadInput(f"{file}: exists already; a key is never overwritten, name another file") from error
    except OSError as error:
        raise BadInput(f"{file}: cannot be written: {error.strerror}; name another file") from error
    return _public(key)


def sign(directory: Path, key_file: Path, graphs: Path | None = None) -> str:
    """Sign a bundle by a private key; return the public key. BadInput if the key is none, BadBundle if the bundle is damaged.

    Its fingerprint stays what it was. A signature that is there is replaced. `graphs` as in `bundle.verify`.
    """
    key = read_key(key_file)
    manifest = bundles.verify(directory, graphs)
    reports.check(directory, manifest)
    sha256 = bundles.digest(directory)
    value = _text(key.sign(_signed(sha256, manifest)))
    signature = Signature(key=_public(key), sha256=sha256, value=value)
    _write(directory, signature)
    return signature.key


def adopt(directory: Path, copy: Path, trusted: Mapping[str, str]) -> None:
    """Take the signature of a copy of this bundle, if it has one, with the reports that it covers.

    BadBundle if its key is not trusted.
    """
    signed = bundles.read_manifest(copy)
    if signer(signed, trusted) and signed.signature and signed.signature.sha256 == bundles.digest(directory):
        files = {name: (copy / name).read_bytes() for name in signed.reports}
        reports.attach(directory, replace(bundles.read_manifest(directory), signature=signed.signature, reports={}), files)


def signer(manifest: Manifest, trusted: Mapping[str, str]) -> str:
    """Name whose key signed a bundle, of a manifest as `read_manifest` returns it; empty if nobody did.

    BadBundle if the key is none of the trusted ones (names and public keys), or if it did not make this signature.
    """
    signature = manifest.signature
    if not signature:
        return ""
    name = next((name for name, key in trusted.items() if key == signature.key), "")
    if not name:
        known = ", ".join(trusted) or "none"
        raise BadBundle(f"bundle {manifest.fingerprint}: signed by the key {signature.key}, trusted are: {known}")
    need_true(manifest, name)
    return name


def need_true(manifest: Manifest, name: str = "") -> None:
    """BadBundle if the signature was not made by the key that it names, which is the key of `name` where that is known."""
    signature = manifest.signature
    if not signature:
        return
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signature.key))
        key.verify(base64.b64decode(signature.value), _signed(signature.sha256, manifest))
    except (InvalidSignature, ValueError) as error:  # ValueError: no base64, or no key
        whose = f"of {name}" if name else "that it names"
        raise BadBundle(f"bundle {manifest.fingerprint}: its signature was not made by the key {whose}") from error


def need_signature(manifest: Manifest, config: Config, station: str) -> None:
    """BadBundle if a bundle is not signed by a key that the line trusts, for a station that wants it so."""
    if not signer(manifest, config.line.trusted_keys):
        got = f"got {manifest.fingerprint}, which nobody signed; inspectd bundle sign"
        raise BadBundle(f"{config.files[station]}: require_signed: expected a signed bundle, {got}")


def _signed(sha256: str, manifest: Manifest) -> bytes:
    """Return what is signed; a bundle without reports is told by its sum alone."""
    told = json.dumps(manifest.reports, sort_keys=True) if manifest.reports else ""
    return _PURPOSE + sha256.encode() + told.encode()


def _write(directory: Path, signature: Signature) -> None:
    path = directory / bundles.MANIFEST
    fields = msgspec.json.decode(path.read_bytes())
    state.replace(path, bundles.as_text(fields | {"signature": msgspec.to_builtins(signature)}))


def read_key(file: Path) -> Ed25519PrivateKey:
    """Read a private key; BadInput if the file is none."""
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}; name the key's file") from error
    except (ValueError, TypeError) as error:  # TypeError: it has a password
        raise BadInput(f"{file}: expected a private key without a password: {error}; inspectd bundle keygen") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"{file}: expected an Ed25519 key, got {type(key).__name__}; inspectd bundle keygen")
    return key


def _public(key: Ed25519PrivateKey) -> str:
    return _text(key.public_key().public_bytes_raw())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
