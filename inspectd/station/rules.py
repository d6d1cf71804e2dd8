"""What must hold between fields and between files; one small function per rule, each told what could be read.

A rule looks at good values only (`get` gives None for a value that is missing or was reported), so that one run finds both a
mistyped key and a folder that is not there.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from inspectd import image
from inspectd.errors import BadImage
from inspectd.station.document import Document, Key
from inspectd.station.fields import Read
from inspectd.station.schema import Ensemble, Line, Method, Station
from inspectd.text import share_of

StationRule = Callable[[Read[Station]], None]
MethodRule = Callable[[Read[Any]], None]  # of a station file, or of what it says under `method` alone
_OF_KINDS = {
    "bank": ("patchcore",), "sampler": ("patchcore",), "search": ("patchcore",), "channels": ("padim",),
    "reduction": ("padim",), "regularisation": ("padim",), "retrieve": ("spade",),
}  # fmt: skip
_DEFAULTS = Method()
_SCORES_OF_KINDS = {"eq7": ("patchcore",), "image": ("spade",)}
_EVERY_HOST = "0.0.0.0"  # noqa: S104 (compared, not bound)


def check(line: Read[Line], stations: Sequence[Read[Station]], cameras: bool = True) -> None:
    """Apply every rule; problems are noted in the documents they belong to. Without `cameras`, pictures need not be there."""
    for station in stations:
        for rule in (*STATION_RULES, *(CAMERA_RULES if cameras else ())):
            rule(station)
        known_plc(line, station)
        signed_by_somebody(line, station)
    names_differ(stations)
    blocks_differ(stations)
    addresses(line)


def name_is_the_files(station: Read[Station]) -> None:
    """A station is called as its file, so that a name in a log leads to the file."""
    name, stem = station.get("station"), station.document.path.stem
    if name and name != stem:
        station.document.problem(("station",), stem, name, f"or rename the file to {name}.yaml")


def delivery_fits_deadline(station: Read[Station]) -> None:
    """The way to the PLC is part of the deadline, so it must be shorter."""
    deadline, delivery = station.get("deadline_ms"), station.get("delivery_ms")
    if deadline and delivery and delivery >= deadline:
        key = "delivery_ms" if ("delivery_ms",) in station.document.lines else "deadline_ms"
        expected = f"delivery_ms ({delivery:g}) below deadline_ms ({deadline:g})"
        station.document.problem((key,), expected, f"{station.get(key):g}", "dispatch must decide before the deadline")


def plc_source_needs_plc(station: Read[Station]) -> None:
    """A trigger or a part id comes from a PLC only where one is mapped."""
    for key in ("trigger", "part_id"):
        if station.get(key) == "plc" and station.good.get("plc", "reported") is None:
            station.document.problem((key,), "the key plc: beside it", "no plc:", "map the station with plc: {name: NAME}")


def group_by_has_one_group(station: Read[Station]) -> None:
    """`group_by` is a regular expression with one group, the part's or lot's name."""
    pattern = station.get("group_by")
    if pattern is None:
        return
    expected = "a regular expression with one group, like ^(.+)_"
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        station.document.problem(("group_by",), expected, f"{pattern}: {error}")
        return
    if groups != 1:
        station.document.problem(("group_by",), expected, f"{groups} groups in {pattern}")


def layers_rise(station: Read[Any]) -> None:
    """Layers are named shallow to deep, each once."""
    for key in _methods(station):
        layers = station.get(".".join((*key, "layers")))
        if layers is not None and (not layers or list(layers) != sorted(set(layers))):
            got = str(list(layers))
            station.document.problem((*key, "layers"), "at least one block, in rising order, each once", got)


def members_differ(station: Read[Any]) -> None:
    """Several methods are at least two, and each is another one."""
    ensemble = station.get("method")
    if not isinstance(ensemble, Ensemble):
        return
    key = ("method", "members")
    if len(ensemble.members) < 2:
        hint = "write a single method's keys under method itself"
        station.document.problem(key, "at least two methods", str(len(ensemble.members)), hint)
    alike = [replace(member, weight=1.0) for member in ensemble.members]
    for index, member in enumerate(alike):
        if member in alike[:index]:
            got = f"the same as member {alike.index(member)}"
            hint = "two that are alike say the same: change it, or remove it and give the other more weight"
            station.document.problem((*key, str(index)), "a method that differs from the others", got, hint)


def tiles_are_several(station: Read[Any]) -> None:
    """A single tile is the whole picture."""
    for key in _methods(station):
        rows, columns = (station.get(".".join((*key, "tiling", name))) for name in ("rows", "columns"))
        if rows == columns == 1:
            station.document.problem((*key, "tiling"), "two tiles or more", "1 x 1", "remove the key: it is the whole picture")


def bank_is_a_share(station: Read[Any]) -> None:
    """A bank given as a share of all patches holds some of them, and no more than there are."""
    for key in _methods(station):
        bank = station.get(".".join((*key, "bank")))
        if isinstance(bank, str) and not 0 < share_of(bank) <= 1:
            station.document.problem((*key, "bank"), "a share above 0% and up to 100%", bank)


def shares_are_of_good_parts(station: Read[Station]) -> None:
    """A share of the good parts that are rejected, or rechecked, takes some of them, and not most."""
    for name in ("max_false_reject", "recheck"):
        share = station.get(f"threshold.{name}")
        if isinstance(share, str) and share != "best" and not 0 < share_of(share) < 0.5:
            station.document.problem(("threshold", name), "a share above 0% and below 50%", share)


def settings_are_the_methods_own(station: Read[Any]) -> None:
    """What is set for another kind of method would be ignored, so it is refused."""
    for key in _methods(station):
        kind = station.get(".".join((*key, "kind")))
        for name, kinds in _OF_KINDS.items():
            value = station.get(".".join((*key, name)))
            if kind and kind not in kinds and value not in (None, getattr(_DEFAULTS, name)):
                got = f"{name} beside kind: {kind}"
                station.document.problem((*key, name), f"a setting of {kind}", got, f"{name} is one of {' and '.join(kinds)}")
        score = station.get(".".join((*key, "score")))
        if kind and kind not in _SCORES_OF_KINDS.get(score, (kind,)):
            allowed = " and ".join(_SCORES_OF_KINDS[score])
            station.document.problem((*key, "score"), f"a score of {kind}", score, f"it is one of {allowed}; remove the key")


def products_differ(station: Read[Station]) -> None:
    """A product is named once."""
    products = station.get("products") or ()
    for product in sorted({product for product in products if products.count(product) > 1}):
        station.document.problem(("products",), "each product once", f"{product} again", "remove one of them")


def camera_has_pictures(station: Read[Station]) -> None:
    """The folder camera's directory is there and has pictures in it."""
    folder = _beside(station, "camera.path")
    if folder is None:
        return
    key = ("camera", "path")
    if not folder.is_dir():
        got, hint = "no such directory", f"create it with: mkdir -p {shlex.quote(str(folder))}"
        if folder.exists():
            got, hint = "a file", "name its directory"
        station.document.problem(key, "a directory of pictures", f"{folder}: {got}", hint)
        return
    try:
        if image.pictures_in(folder):
            return
        got = "an empty directory" if not any(folder.iterdir()) else "no picture in it"
    except (BadImage, OSError) as error:
        got = str(error).removeprefix(f"{folder}: ")
    expected = f"at least one picture ({', '.join(sorted(image.SUFFIXES))})"
    station.document.problem(key, expected, f"{folder}: {got}")


def mask_shows_a_part(station: Read[Station]) -> None:
    """The mask is a picture of the roi's size in which something is judged: with an all-black one nothing ever fails."""
    mask, roi = _beside(station, "mask"), station.get("roi")
    if mask is None:
        return
    if not mask.is_file():
        got = "a directory" if mask.is_dir() else "no such file"
        station.document.problem(("mask",), "a PNG file", f"{mask}: {got}", "paths are relative to this file")
        return
    try:
        pixels = image.read(mask).pixels
    except BadImage as error:
        station.document.problem(("mask",), "a PNG file", str(error))
        return
    height, width = pixels.shape[:2]
    if roi and (height, width) != (roi.height, roi.width):
        got = f"{mask} of {width} x {height}"
        station.document.problem(("mask",), f"the size of the roi, {roi.width} x {roi.height}", got)
    if not pixels.any():
        station.document.problem(("mask",), "some pixels that are not black: they are what is judged", f"{mask}, all black")


def known_plc(line: Read[Line], station: Read[Station]) -> None:
    """A station's PLC is one of line.yaml's; where that cannot be read at all, nobody knows."""
    name, plcs = station.get("plc.name"), _plc_names(line)
    if name and name not in plcs and line.document.data is not None:
        known = f"one of {', '.join(plcs)}" if plcs else "a connection of line.yaml, which names none under plcs:"
        station.document.problem(("plc", "name"), known, name, f"add plcs: {name}: to {line.document.path.name}")


def names_differ(stations: Sequence[Read[Station]]) -> None:
    """Two files never name the same station."""
    first: dict[str, Document] = {}
    for station in stations:
        name = station.get("station")
        if name and first.setdefault(name, station.document) is not station.document:
            station.document.problem(("station",), "each station once", f"{name}, also in {first[name].path.name}")


def blocks_differ(stations: Sequence[Read[Station]]) -> None:
    """Two stations never write the same block of a PLC."""
    first: dict[tuple[str, int], Document] = {}
    for station in stations:
        name, block = station.get("plc.name"), station.get("plc.block")
        if name is None or block is None:
            continue
        if first.setdefault((name, block), station.document) is not station.document:
            key = ("plc", "block") if ("plc", "block") in station.document.lines else ("plc",)
            got = f"block {block} of {name}, also in {first[name, block].path.name}"
            station.document.problem(key, "a block of its own", got, f"free: {_free_block(stations, name)}")


def signed_by_somebody(line: Read[Line], station: Read[Station]) -> None:
    """Bundles can be signed by those alone whose keys the line knows."""
    if station.get("require_signed") and line.get("trusted_keys") == {}:
        got = "no trusted_keys in line.yaml"
        station.document.problem(("require_signed",), "at least one key to trust", got, "inspectd bundle keygen makes one")


def addresses(line: Read[Line]) -> None:
    """Every listening address has a possible port, and no two are the same."""
    seen: dict[str, list[tuple[str, str]]] = {}
    for key, address in _addresses(line):
        host, _, port = address.replace("localhost", "127.0.0.1").rpartition(":")
        if not 1 <= int(port) <= 65_535:
            line.document.problem(key, "a port from 1 to 65535", port)
            continue
        for other_host, other in seen.setdefault(port, []):
            if host == other_host or _EVERY_HOST in (host, other_host):
                line.document.problem(key, "an address of its own", f"{address}, also at {other}", "choose another port")
                break
        seen[port].append((host, ".".join(key)))


METHOD_RULES: tuple[MethodRule, ...] = (
    layers_rise, members_differ, tiles_are_several, bank_is_a_share, settings_are_the_methods_own,
)  # fmt: skip
STATION_RULES: tuple[StationRule, ...] = (
    name_is_the_files, delivery_fits_deadline, plc_source_needs_plc, group_by_has_one_group, *METHOD_RULES, products_differ,
    mask_shows_a_part, shares_are_of_good_parts,
)  # fmt: skip
CAMERA_RULES: tuple[StationRule, ...] = (camera_has_pictures,)


def _beside(station: Read[Station], key: str) -> Path | None:
    path = station.get(key)
    return None if path is None else (station.document.path.parent / path).resolve()


def _methods(station: Read[Any]) -> Iterator[tuple[str, ...]]:
    """Keys under which methods stand: method, or each of its members."""
    data = station.document.data
    method = data.get("method") if isinstance(data, dict) else None
    members = method.get("members") if isinstance(method, dict) else None
    if isinstance(members, list):
        yield from (("method", "members", str(index)) for index in range(len(members)))
    else:
        yield ("method",)


def methods(station: Read[Any]) -> Iterator[tuple[Key, Method]]:
    """Return the methods, each with its key, as far as they tell what a backbone must offer and how large banks must be."""
    for key in _methods(station):
        said = {name: station.get(".".join((*key, name))) for name in ("backbone", "layers", "search", "bank")}
        if said["backbone"]:
            known = {name: value for name, value in said.items() if value is not None}
            search = {} if len(known.keys() & {"search", "bank"}) == 2 else {"search": "exact", "bank": _DEFAULTS.bank}
            yield key, Method(**({"layers": ()} | known | search))


def _plc_names(line: Read[Line]) -> list[str]:
    plcs = line.document.data.get("plcs") if isinstance(line.document.data, dict) else None
    return sorted(plcs) if isinstance(plcs, dict) else []


def _addresses(line: Read[Line]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in _plc_names(line):
        address = line.get(f"plcs.{name}.address")
        if address:
            yield ("plcs", name, "address"), address
    if line.get("metrics"):
        yield ("metrics",), line.get("metrics")


def _free_block(stations: Sequence[Read[Station]], name: str) -> int:
    taken = {station.get("plc.block") for station in stations if station.get("plc.name") == name}
    return next(block for block in range(1000) if block not in taken)
