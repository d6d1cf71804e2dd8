"""What is wrong with a bundle that does not keep it from judging: a report that was changed, a signature that is none."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from inspectd.errors import BadBundle, MissingExtra
from inspectd.station.schema import Config
from inspectd.vision import reports
from inspectd.vision.bundle import Manifest


def of(directory: Path, manifest: Manifest) -> Iterator[str]:
    """Tell of everything that a person who trusts the bundle should know."""
    for check in (partial(reports.check, directory), need_true_signature):
        try:
            check(manifest)
        except BadBundle as error:
            yield str(error)


def need_true_signature(manifest: Manifest) -> None:
    """BadBundle if the signature was not made by the key that it names; without the extra `sign` nobody can tell."""
    if manifest.signature:
        with suppress(MissingExtra):
            from inspectd.vision import signing

            signing.need_true(manifest)


def signer(config: Config, manifest: Manifest) -> str:
    """Say who signed a bundle, for a table; empty if nobody did."""
    if not manifest.signature:
        return ""
    try:
        need_true_signature(manifest)
    except BadBundle:
        return "nobody: the signature is false"
    known = {key: name for name, key in config.line.trusted_keys.items()}
    return known.get(manifest.signature.key, "a key that is not trusted here")
