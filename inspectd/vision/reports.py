"""What a bundle holds for people: report.html and the like.

No part of its fingerprint, as they tell the hour; yet checked, and covered by a signature.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from inspectd.station import state
from inspectd.vision import bundle as bundles
from inspectd.vision.bundle import MANIFEST, Manifest

REPORT, FIGURES = "report.html", "report.json"


def attach(directory: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Manifest:
    """Write files into a bundle that nobody has signed yet, and their checksums into its manifest; OSError if it cannot be."""
    for name, data in files.items():
        state.replace(directory / name, data)
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    listed = replace(manifest, reports=manifest.reports | sums)
    state.replace(directory / MANIFEST, bundles.as_text(msgspec.to_builtins(listed)))
    return listed


def check(directory: Path, manifest: Manifest) -> None:
    """BadBundle naming the file if one is missing or not as it was written. A line does not ask: it can judge without them."""
    for name, sha256 in manifest.reports.items():
        bundles.check_sha256(directory / name, sha256)
