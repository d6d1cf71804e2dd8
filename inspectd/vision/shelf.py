"""Puts finished bundles where a product's bundles lie: as a whole, under the next number."""

import shutil
from contextlib import suppress
from pathlib import Path

from inspectd.errors import BadBundle, StateError
from inspectd.station.scratch import alone
from inspectd.station.state import StateDir, to_disk
from inspectd.vision.bundle import read_manifest


def put(made: Path, state: StateDir, station: str, product: str) -> int:
    """Move a bundle that was made on the same disk under the product's next number; StateError if that cannot be."""
    with alone(state.root):
        number = following(state, station, product)
        place(made, state.bundle(station, product, number))
    return number


def following(state: StateDir, station: str, product: str) -> int:
    """Return the number of the next bundle."""
    return max(state.bundles(station, product), default=0) + 1


def place(made: Path, target: Path) -> None:
    """Move a bundle that was made on the same disk to its place; StateError if that cannot be."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _to_disk(made)
        made.rename(target)
        to_disk(target.parent)
    except OSError as error:
        raise StateError(f"{target}: cannot be written: {error.strerror}; check the rights and the free space") from error


def same(state: StateDir, station: str, product: str, fingerprint: str) -> list[int]:
    """Return the numbers of the bundles that have a fingerprint; a damaged one is not known to be any."""
    found = []
    for number in state.bundles(station, product):
        with suppress(BadBundle):
            if read_manifest(state.bundle(station, product, number)).fingerprint == fingerprint:
                found.append(number)
    return found


def put_graphs(made: Path, state: StateDir) -> None:
    """Move cut graphs, named by their checksums, to the others; one that is there already is the same."""
    state.backbones.mkdir(parents=True, exist_ok=True)
    for graph in made.iterdir():
        to_disk(graph)
        shutil.move(graph, state.backbones / graph.name)
    to_disk(state.backbones)


def _to_disk(folder: Path) -> None:
    for path in folder.iterdir():
        to_disk(path)
    to_disk(folder)
