"""Commands about bundles as versions: which there are, what changes between two, and how one gets to another machine."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspectd.cli import doubts, options, screen
from inspectd.cli.options import CONFIG, option
from inspectd.cli.setup import activate
from inspectd.errors import BadBundle, BadInput
from inspectd.station.schema import Config
from inspectd.station.state import StateDir

if TYPE_CHECKING:
    from inspectd.vision.bundle import Manifest
    from inspectd.vision.difference import Pair, Said

bundle = typer.Typer(no_args_is_help=True, help="What stations judge by: versions, and their way to other machines.")
_LIST = ("", "bundle", "fingerprint", "made", "threshold", "found by", "signed by")
_DIFF = ("part", "before", "per mille", "after", "per mille")
_SHOWN = 50  # changed parts on the terminal

AnyStation = Annotated[str | None, typer.Argument(metavar="[STATION]", help="One station alone.", show_default=False)]
AnyNumber = Annotated[
    int | None, typer.Argument(metavar="[N]", min=1, help="Number of the bundle. (default: the active one)", show_default=False)
]
OneNumber = Annotated[
    int | None, typer.Argument(metavar="[N]", min=1, help="Number of the bundle. (default: all of them)", show_default=False)
]
ListedProduct = Annotated[str | None, option("--product", "NAME", "One product alone. (default: all)")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The file that carries the bundle.", show_default=False)]
Key = Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes.", show_default=False)]
PrivateKey = Annotated[Path, option("--key", "FILE", "The private key, of `inspectd bundle keygen`.")]
Images = Annotated[Path | None, option("--images", "DIR", "Judge the pictures of a folder.")]
Last = Annotated[int | None, option("--last", "N", "Judge the last N parts whose pictures the journal kept.", min=1)]
Activate = Annotated[bool, typer.Option("--activate", help="Judge by it from now on.")]

bundle.command("activate")(activate)


@bundle.command("list")
def list_(
    station: AnyStation = None, product: ListedProduct = None, config: options.Config = CONFIG, state: options.State = None
) -> None:
    """Name the bundles of every station and product; * marks the active one."""
    loaded, store = _open(config, state)
    for name, of in _asked(loaded, store, station, product):
        now = ", judged now" if of == options.judged(loaded.stations[name], store) else ""
        table = screen.grid(f"\n{name}, product {of}{now}", _LIST, ("bundle", "threshold"), ["found by"])
        current = store.read_current(name, of)
        for number in store.bundles(name, of):
            mark = "*" if current and current.bundle == number else ""
            table.add_row(mark, str(number), *_row(loaded, store.bundle(name, of, number)))
        screen.show(table)


@bundle.command()
def show(
    station: options.StationName, number: AnyNumber = None, product: options.Product = None, json: options.Json = None,
    config: options.Config = CONFIG, state: options.State = None,
) -> None:  # fmt: skip
    """Show what a bundle judges by, and where it came from."""
    from inspectd.vision.bundle import read_manifest

    loaded, store, of, number = _one(config, state, station, product, number)
    path = store.bundle(station, of, number)
    manifest = read_manifest(path)
    for doubt in doubts.of(path, manifest):
        screen.warn(doubt)
    if json:
        screen.write_json(json, manifest)
    if str(json) != "-":
        for name, text in [*_facts(path, manifest), ("signed by", doubts.signer(loaded, manifest) or "nobody")]:
            screen.say(f"{name:<20}{text}")


@bundle.command()
def diff(
    station: options.StationName,
    before: Annotated[int, typer.Argument(metavar="A", min=1, help="One bundle.", show_default=False)],
    after: Annotated[int, typer.Argument(metavar="B", min=1, help="The other one.", show_default=False)],
    images: Images = None, last: Last = None, product: options.Product = None, json: options.Json = None,
    config: options.Config = CONFIG, state: options.State = None,
) -> None:  # fmt: skip
    """Judge pictures by two bundles; show whose verdict changes.

    Pictures of a folder (as the camera takes them), or the last ones that the journal kept. Scores are in per mille of each
    bundle's own threshold: FAIL from 1000 on. Nothing is activated.
    """
    from inspectd.cli import versions
    from inspectd.vision import difference
    from inspectd.vision.detector import Detector

    screen.need_place(json)
    if (images is None) == (last is None):
        raise BadInput("which pictures? expected one of --images DIR and --last N")
    loaded, store, of, _ = _one(config, state, station, product, before)
    pictures = versions.in_folder(images) if images else versions.journalled(store, station, of, last or 1)
    threads = loaded.line.workers.threads
    one, other = (Detector.open(store.bundle(station, of, n), threads) for n in (before, after))
    with screen.Bars() as bars:
        pairs = list(difference.compare(pictures, one, other, bars.stage("scores", len(pictures))))
    counts = difference.summary(pairs)
    if json:
        bundles = {"before": one.fingerprint, "after": other.fingerprint}
        screen.write_json(json, {"bundles": bundles, "counts": counts, "parts": pairs})
    if str(json) != "-":
        _show_pairs(pairs, counts)


@bundle.command()
def rollback(
    station: options.StationName, product: options.Product = None,
    config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None,
) -> None:  # fmt: skip
    """Judge by the bundle that was active before; again, by the one before that."""
    from inspectd.cli import versions
    from inspectd.station.load import load

    loaded = load(config, cameras=False)
    where = options.places(config, state, run_dir, loaded.line)
    of = options.product(options.station(loaded, station), product, where.state)
    screen.say(versions.rollback(loaded, where, station, of))


@bundle.command()
def verify(
    station: AnyStation = None, number: OneNumber = None, product: ListedProduct = None,
    config: options.Config = CONFIG, state: options.State = None,
) -> None:  # fmt: skip
    """Check bundles whole: every checksum, fingerprint, graph and report, and the golden pictures scored anew.

    All bundles there are, or those of one station, or one.
    """
    from inspectd.cli import versions

    loaded, store = _open(config, state)
    asked = [(name, of, n) for name, of in _asked(loaded, store, station, product) for n in store.bundles(name, of)]
    if number is not None:
        asked = [(station or "", options.product(options.station(loaded, station or ""), product, store), number)]
    bad = 0
    for name, of, n in asked:
        head = f"{name}, product {of}, bundle {n}"
        try:
            screen.say(f"{head}: {versions.verify(loaded, store, name, of, n).fingerprint}, nothing wrong")
        except BadBundle as error:
            bad += 1
            screen.fail(f"{head}: {error}")
    if bad:
        raise BadBundle(f"{bad} of {len(asked)} bundles cannot be used")


@bundle.command("export")
def export_(
    station: options.StationName, file: File, number: AnyNumber = None, product: options.Product = None,
    sign: options.Sign = None,
    config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None,
) -> None:  # fmt: skip
    """Write a bundle and its backbone graphs into one file, to carry to another machine."""
    from inspectd.vision import parcel

    loaded, store, of, number = _one(config, state, station, product, number)
    if sign:
        _sign(options.places(config, state, run_dir, loaded.line), (station, of, number), sign)
    manifest = parcel.pack(store.bundle(station, of, number), file)
    screen.say(f"{file}: bundle {number} ({manifest.fingerprint}) of {station}, {file.stat().st_size / 1e6:.1f} MB")


@bundle.command("import")
def import_(
    file: File, activate: Activate = False,
    config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None,
) -> None:  # fmt: skip
    """Take a bundle from a file that `export` wrote.

    It is checked whole, and proven by its golden pictures on this machine, before it gets a number. A file that was tampered
    with is refused, and nothing of it stays.
    """
    from inspectd.cli import activation, versions
    from inspectd.station.load import load

    loaded = load(config, cameras=False)
    where = options.places(config, state, run_dir, loaded.line)
    manifest, number, new = versions.fetch(loaded, where.state, file)
    it = (manifest.station, manifest.product, number)
    told = f"bundle {number} of {manifest.station}, {manifest.product} ({manifest.fingerprint})"
    activation.done(where, "import", it, f"{told} came from {file}")
    screen.say(f"{told}{'' if new else ', which was here already'}")
    if activate:
        with activation.written(*it):
            screen.say(activation.activate(loaded, where, *it))
    else:
        screen.say(f"not active; to judge by it: {activation.how(*it)}")


@bundle.command()
def sign(
    station: options.StationName, key: PrivateKey, number: AnyNumber = None, product: options.Product = None,
    config: options.Config = CONFIG, state: options.State = None, run_dir: options.RunDir = None,
) -> None:  # fmt: skip
    """Release a bundle by a private key; its fingerprint stays.

    A station with `require_signed: true` judges only by bundles that a key of line.yaml's `trusted_keys` has signed.
    """
    loaded, _, of, number = _one(config, state, station, product, number)
    screen.say(_sign(options.places(config, state, run_dir, loaded.line), (station, of, number), key))


@bundle.command()
def keygen(file: Key) -> None:
    """Make a key that signs bundles; the public one goes to line.yaml."""
    from inspectd.vision import signing

    public = signing.new_key(file)
    screen.say(f"{file}: the private key; keep it from the line, and from everybody who may not release bundles")
    screen.say(f'into line.yaml, under the name of whoever holds it:\ntrusted_keys:\n  {_name_of(file)}: "{public}"')


def _name_of(file: Path) -> str:
    """Return a name for whoever holds a key, as line.yaml takes it, from the key's file name."""
    return re.sub(r"[^a-z0-9-]+", "-", file.stem.lower()).strip("-")[:32] or "name"


def _sign(where: options.Places, it: tuple[str, str, int], key: Path) -> str:
    """Sign a bundle of a station's product; returns what happened."""
    from inspectd.cli import activation

    station, product, number = it
    public = options.sign(where.state.bundle(*it), key)
    told = f"station {station}: bundle {number} of {product} is signed by {public}"
    activation.done(where, "sign", it, told)
    return told


def _open(config: Path, state: Path | None) -> tuple[Config, StateDir]:
    from inspectd.station.load import load

    loaded = load(config, cameras=False)
    return loaded, options.places(config, state, None, loaded.line).state


def _one(
    config: Path, state: Path | None, station: str, product: str | None, number: int | None
) -> tuple[Config, StateDir, str, int]:
    """Find what is meant; the active bundle by default."""
    loaded, store = _open(config, state)
    of = options.product(options.station(loaded, station), product, store)
    return loaded, store, of, number or options.active_bundle(store, station, of)


def _asked(loaded: Config, store: StateDir, station: str | None, product: str | None) -> Iterator[tuple[str, str]]:
    """Name stations with their products: all, or those that are meant."""
    for name in [options.station(loaded, station).station] if station else loaded.stations:
        of = loaded.stations[name]
        for each in [options.product(of, product, store)] if product else of.products:
            yield name, each


def _row(loaded: Config, path: Path) -> tuple[str, ...]:
    from inspectd.vision.bundle import read_manifest

    try:
        manifest = read_manifest(path)
    except BadBundle as error:
        return "damaged", "", "", screen.cell(str(error)), ""
    by = f"{manifest.revision.who}: {manifest.revision.why}" if manifest.revision else _rule(manifest)
    return (
        manifest.fingerprint,
        manifest.created,
        f"{manifest.threshold:.6g}",
        screen.cell(by),
        screen.cell(doubts.signer(loaded, manifest)),
    )


def _rule(manifest: "Manifest") -> str:
    return next((rule for rule, found in manifest.thresholds.items() if found.value == manifest.threshold), "")


def _facts(path: Path, manifest: "Manifest") -> Iterator[tuple[str, str]]:
    yield "bundle", f"{path}, fingerprint {manifest.fingerprint}"
    yield "made", f"{manifest.created} by inspectd {manifest.versions.get('inspectd', '?')}"
    yield "threshold", f"{manifest.threshold:.6g}"
    for rule, found in manifest.thresholds.items():
        yield f"  {rule}", found.how
    if manifest.revision:
        change = manifest.revision
        yield "revision of", f"{change.parent}, threshold {change.threshold:.6g}"
        yield "  by", f"{change.who}, {change.when}: {change.why}"
    for member in manifest.members:
        yield "judges by", f"{member.method} on {member.backbone_name} {list(member.layers)}, {member.input_px} px"
    height, width = manifest.picture.judged_px
    yield "pictures", f"{width} x {height} {manifest.picture.pixel_format}; {_counted(manifest)}"
    for name in manifest.reports:
        if name.endswith(".html"):
            yield "to read", str(path / name)


def _counted(manifest: "Manifest") -> str:
    kinds = Counter(name.partition("/")[0] for name in manifest.pictures)
    return "calibrated with " + " and ".join(f"{count} {kind} ones" for kind, count in kinds.items())


def _show_pairs(pairs: "list[Pair]", counts: dict[str, int]) -> None:
    changed = [pair for pair in pairs if pair.changed]
    if changed:
        table = screen.grid("", _DIFF, ("per mille",), ["before", "after"])
        for pair in changed[:_SHOWN]:
            table.add_row(screen.cell(pair.part), *_cells(pair.before), *_cells(pair.after))
        screen.show(table)
        if len(changed) > _SHOWN:
            screen.say(f"and {len(changed) - _SHOWN} more: --json FILE names all")
    screen.say(", ".join(f"{count} {what}" for what, count in counts.items()))


def _cells(said: "Said") -> tuple[str, str]:
    verdict = f"{said.verdict} ({said.reason})" if said.reason else str(said.verdict)
    return screen.cell(verdict), "" if said.per_mille is None else str(said.per_mille)
