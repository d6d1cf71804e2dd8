"""Whether a running line can take an edited station file, and by which bundles it then judges."""

from pathlib import Path
from typing import NamedTuple

from inspectd.errors import BadBundle, BadInput
from inspectd.station import load, reread
from inspectd.station.schema import Config, Station
from inspectd.station.state import Current, StateDir
from inspectd.vision import bundle, fits


class Plan(NamedTuple):
    """An edited station, and the bundle of each product that must become active with it."""

    station: Station
    bundles: dict[str, Current]


def plan(config: Config, name: str, state: StateDir) -> Plan:
    """Read the station's file as it is now; BadInput with every problem if the running line cannot take it.

    Where roi or mask are others, the newest bundle that was made for them takes the place of the active one; a product
    without such a bundle is a problem. All other files are left as they were at the start.
    """
    found = load.load(Path(config.directory)).stations.get(name)
    if found is None:
        raise BadInput(f"{config.files[name]}: expected a station file, got none; restore it, or restart the line without it")
    if keys := list(reread.fixed(config.stations[name], found)):
        raise BadInput(f"{config.files[name]}: {', '.join(keys)}: cannot change while the line runs; restart it")
    edited = Config(config.directory, config.line, {name: found}, config.files)
    bundles = {}
    for product in found.products:
        current = state.read_current(name, product)
        if current is not None and (other := _fitting(edited, name, product, current, state)) != current:
            bundles[product] = other
    return Plan(found, bundles)


def _fitting(edited: Config, name: str, product: str, current: Current, state: StateDir) -> Current:
    """Return the active bundle if it fits the edited file, else the newest that does; BadBundle if none does."""
    try:
        return _current(edited, name, product, current.bundle, state)
    except BadBundle as error:
        why = error
    for number in reversed(state.bundles(name, product)):
        try:
            return _current(edited, name, product, number, state)
        except BadBundle:
            continue
    raise BadBundle(
        f"{why}\nno bundle of product {product} can judge by this file: calibrate or sign one, then reload"
    ) from why


def _current(edited: Config, name: str, product: str, number: int, state: StateDir) -> Current:
    manifest = bundle.read_manifest(state.bundle(name, product, number))
    fits.need_fit(manifest, edited, name)
    now = state.read_current(name, product)
    same = now is not None and now.fingerprint == manifest.fingerprint
    return now if now is not None and same else Current(number, manifest.fingerprint, manifest.threshold)
