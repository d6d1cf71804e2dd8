"""Where the bundle that judged a part came from: its number and place, when it was calibrated, how its threshold was found."""

import textwrap

from inspectd.errors import BadBundle
from inspectd.journal.reader import Part
from inspectd.station.state import StateDir
from inspectd.vision.bundle import Manifest, read_manifest

_COLUMNS = 56  # of a sentence on the page's picture


def of(state: StateDir, part: Part) -> list[tuple[str, str]]:
    """Lines for the page of a part; none if no bundle was assigned to it."""
    if not part.fingerprint:
        return []
    product = part.product or "default"
    for number in reversed(state.bundles(part.station, product)):
        path = state.bundle(part.station, product, number)
        try:
            manifest = read_manifest(path)
        except BadBundle:  # a damaged one is not known to be the one that judged
            continue
        if manifest.fingerprint == part.fingerprint:
            place = str(path.relative_to(state.root))
            return [("bundle number", str(number)), ("in the state directory", place), *_calibrated(manifest)]
    return [("bundle number", "not in the state directory any more, or damaged")]


def _calibrated(manifest: Manifest) -> list[tuple[str, str]]:
    what = "threshold set" if manifest.revision else "calibrated"
    lines = [(what, f"{manifest.created.replace('T', ' ').removesuffix('Z')} UTC" if manifest.created else "")]
    for rule, found in manifest.thresholds.items():
        if found.value == manifest.threshold:
            first, *more = textwrap.wrap(found.how, _COLUMNS) or [""]
            return [*lines, ("rule", rule), ("threshold is", first), *(("", line) for line in more)]
    return lines
