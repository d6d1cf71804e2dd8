"""Bundles as versions: the one before, one with another threshold, one from another machine, and what two of them say."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from calibration.revised import pages as threshold_pages
from inspectd import clock, image
from inspectd.cli import doubts
from inspectd.cli.activation import ROLLBACK, Asked, activate, active, refused, user, written
from inspectd.cli.options import Places, active_bundle
from inspectd.errors import BadBundle, BadInput
from inspectd.journal import pictures
from inspectd.journal.reader import Reader
from inspectd.station.schema import Config
from inspectd.station.scratch import scratch
from inspectd.station.state import StateDir
from inspectd.text import printable
from inspectd.vision import bundle, fits, parcel, reports, revision, shelf
from inspectd.vision.bundle import Manifest
from inspectd.vision.detector import Detector
from inspectd.vision.difference import Picture

_AGAIN = "its parent may not be the active one any more: give the command again"


def rethreshold(
    config: Config, where: Places, station: str, product: str, value: float, who: str, why: str, key: Path | None
) -> str:  # fmt: skip
    """Judge by another threshold from now on; returns what happened.

    The active bundle's revision is a bundle of its own, which says who, why and when. It is proven by its golden pictures
    before it gets a number, and signed if a key is given. BadInput or BadBundle if it cannot be.
    """
    number = active_bundle(where.state, station, product)
    parent = where.state.bundle(station, product, number)
    before, caller = bundle.read_manifest(parent).threshold, user()
    said = {"value": f"{value:g}", "before": f"{before:g}", "parent": str(number), "why": why}
    asked = Asked("threshold", who if who == caller else f"{who} (as {caller})", said)
    try:
        by = (_said("--who", who), _said("--why", why))
        new = _revised(config, where.state, (station, product), parent, value, by, key)
    except (BadInput, BadBundle) as error:
        refused(where, asked, {"station": station, "product": product, **said}, str(error))
        raise
    with written(station, product, new, _AGAIN):
        told = activate(config, where, station, product, new, asked)
    return f"{told}\nthreshold {value:g}, was {before:g} (bundle {number})"


def _revised(
    config: Config, state: StateDir, of: tuple[str, str], parent: Path, value: float, by: tuple[str, str], key: Path | None
) -> int:  # fmt: skip
    """Make the revision of a bundle of a station's product, by somebody for a reason; return its number."""
    with scratch(state, *state.goals(*of)) as work:
        made = work / "bundle"
        when = clock.utc_text(clock.utc_ns())
        revised = revision.revise(parent, made, value, *by, when)
        reports.attach(made, revised, threshold_pages(made, revised))
        if key:
            from inspectd.vision import signing

            signing.sign(made, key, state.backbones)
        fits.need_fit(bundle.read_manifest(made), config, of[0])
        _prove(config, made, state.backbones)
        return shelf.put(made, state, *of)


def rollback(config: Config, where: Places, station: str, product: str) -> str:
    """Judge by the bundle that was active before; BadInput if none was."""
    current = active(where.state, station, product)
    if current is None or not current.before:
        why = f"station {station}, product {product}: no bundle was active before; `inspectd bundle list` names all"
        refused(where, ROLLBACK, {"station": station, "product": product, **ROLLBACK.more}, why)
        raise BadInput(why)
    return activate(config, where, station, product, current.before[0], ROLLBACK)


def verify(config: Config, state: StateDir, station: str, product: str, number: int) -> Manifest:
    """Compare every file with its checksum, the manifest with its fingerprint, and score the golden pictures anew."""
    path = state.bundle(station, product, number)
    manifest = bundle.verify(path)
    current = state.read_current(station, product)
    if current and current.bundle == number:
        fits.need_same(manifest, current.fingerprint, current.threshold, path)
    reports.check(path, manifest)
    doubts.need_true_signature(manifest)
    _prove(config, path, state.backbones)
    return manifest


def fetch(config: Config, state: StateDir, file: Path) -> tuple[Manifest, int, bool]:
    """Take a bundle from a file into the state directory; returns it, its number here, and whether it is new here.

    BadBundle if the file was tampered with, or if its golden pictures score otherwise on this machine; BadInput if no such
    station is configured.
    """
    with scratch(state) as work:
        manifest = parcel.unpack(file, work)
        doubts.need_true_signature(manifest)
        station, product = manifest.station, manifest.product
        known = config.stations.get(station)
        if known is None or product not in known.products:
            raise BadInput(f"{file}: is of station {station}, product {product}, which {config.directory} does not have")
        if there := shelf.same(state, station, product, manifest.fingerprint):
            _take_signature(config, state.bundle(station, product, there[0]), work / "bundle", manifest)
            return manifest, there[0], False
        _prove(config, work / "bundle", work / "backbones")
        shelf.put_graphs(work / "backbones", state)
        return manifest, shelf.put(work / "bundle", state, station, product), True


def in_folder(folder: Path) -> list[Picture]:
    """List the pictures of a folder, whole as the camera took them."""
    found = [Picture(printable(path.name), path, cut=False) for path in image.pictures_in(folder)]
    if not found:
        raise BadInput(f"{folder}: expected pictures, got none; check the path")
    return found


def journalled(state: StateDir, station: str, product: str, last: int) -> Sequence[Picture]:
    """List the last parts of a product whose pictures the journal kept, the newest last; BadInput if there are none."""
    found = list(islice(_kept(state, station, product), last))
    if not found:
        raise BadInput(f"station {station}, product {product}: the journal kept no picture; set keep: {{pictures: all}}")
    return found[::-1]


def _kept(state: StateDir, station: str, product: str) -> Iterator[Picture]:
    reader = Reader(state)
    for key, path in pictures.newest(state.pictures, station):
        part = reader.part(str(key))
        if part.product == product:
            yield Picture(f"{key} {part.part_id}" if part.part_id else str(key), path, cut=True)


def _prove(config: Config, directory: Path, graphs: Path) -> None:
    Detector.open(directory, config.line.workers.threads, backbone_dir=graphs)


def _take_signature(config: Config, here: Path, copy: Path, manifest: Manifest) -> None:
    """Sign a bundle as the copy of it that was imported is signed; if nobody trusted signed that, it stays as it was."""
    if manifest.signature and config.line.trusted_keys:
        from inspectd.vision import signing

        with suppress(BadBundle):
            signing.adopt(here, copy, config.line.trusted_keys)


def _said(option: str, text: str) -> str:
    if not text.strip():
        raise BadInput(f"{option}: expected some words, got none; a threshold is never changed without a trace")
    return printable(text.strip())
