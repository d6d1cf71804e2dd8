"""Benchmarks on a labelled data set: accuracy and speed, alone and beside anomalib."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from inspectd.cli import learning, methods, options, screen
from inspectd.cli.methods import Typed
from inspectd.cli.options import CONFIG, option
from inspectd.errors import BadInput
from inspectd.station.schema import Ensemble, Method

if TYPE_CHECKING:
    from calibration.bench.learnt import Machine

Data = Annotated[Path, option("--data", "DIR", "A data set laid out as MVTec AD, or one of its categories.")]
Category = Annotated[str | None, option("--category", "NAME", "This category alone. (default: all)")]
Threads = Annotated[int, option("--threads", "N", "Threads of each step.", min=1, max=64)]
Kind = Annotated[
    str | None,
    option(
        "--method", "KIND", "patchcore, padim or spade, or FILE.yaml with everything under `method:`, as in a station file."
    ),
]
Backbone = Annotated[str | None, option("--backbone", "NAME", "See: inspectd backbone list. (default: lite2)")]
Layers = Annotated[str | None, option("--layers", "A,B", "Layers of the backbone. (default: 10,14)")]
InputPx = Annotated[str | None, option("--input-px", "PX", "Side of the input, or HEIGHT,WIDTH. (default: 288)")]
Bank = Annotated[str | None, option("--bank", "N", "Vectors in the memory bank. (default: 6000)")]
Sampler = Annotated[str | None, option("--sampler", "NAME", "How the bank is chosen. (default: greedy)")]
Score = Annotated[str | None, option("--score", "NAME", "power_mean, smoothed_max, max or eq7. (default: power_mean)")]
Settings = Annotated[
    list[str] | None, option("--set", "NAME=VALUE", "Any other key of a station file's `method`, again for each: --set sigma=1")
]
Varied = StrEnum("Varied", {"P": "p", "LAYERS": "layers", "SAMPLER": "sampler", "SIZE": "size"})
_SMALL = {"backbone": "lite0", "layers": "4,10", "input_px": "224"}  # 784 patches of 152 channels: figures of speed rest on it
PeerPython = Annotated[
    Path, option("--peer-python", "PATH", "Python of an environment with anomalib, torch and torchvision.", dir_okay=False)
]


def accuracy(
    data: Data,
    category: Category = None,
    json: options.Json = None,
    seeds: Annotated[int, option("--seeds", "N", "Seeds over which figures are averaged.", min=1)] = 1,
    shots: Annotated[str | None, option("--shots", "A,B,…", "Learn from so many good pictures each.")] = None,
    ablate: Annotated[Varied | None, option("--ablate", "WHAT", "Vary one setting.")] = None,
    kind: Kind = None,
    backbone: Backbone = None,
    layers: Layers = None,
    input_px: InputPx = None,
    bank: Bank = None,
    sampler: Sampler = None,
    score: Score = None,
    more: Settings = None,
    threads: Threads = 2,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Accuracy on a labelled data set, as in the papers.

    Learnt from train/good, judged at the threshold of the best F1. A chart is written beside the JSON file.
    """
    learning.need_extra()
    screen.need_place(json)
    from calibration.bench import study, tables
    from calibration.bench.accuracy import Bench

    if shots and ablate:
        raise BadInput("expected --shots or --ablate, got both; run them one after the other")
    counts = _counts(shots)
    method, typed = methods.judging(
        kind, more or (), backbone=backbone, layers=layers, input_px=input_px, bank=bank, sampler=sampler, score=score
    )
    machine = _machine(method, typed, config, state, threads)
    with typed.told(), screen.Bars() as bars:
        bench = Bench(data, category, range(seeds), machine, bars)
        if shots or ablate:
            variants, x = study.variants(method, counts, ablate, machine.backbones, bench)
            points = study.run(bench, variants)
            rows, chart, figures = tables.by_variant(points), study.chart(variants, points, x), study.figures(points)
        else:
            figures = bench.measure(method)
            rows, chart = tables.by_category(figures), study.curves(figures)
    show(tables.HEAD, rows, json)
    for name, why in figures["reasons"].items():
        screen.note(f"{name} is not known: {why}")
    write(json, figures, chart)


def speed(
    data: Data,
    category: Category = None,
    json: options.Json = None,
    train: Annotated[int, option("--train", "N", "Good pictures to learn from, at most.", min=1)] = 200,
    tests: Annotated[int | None, option("--tests", "N", "Test pictures that are scored. (default: all)", min=1)] = None,
    rounds: Annotated[int, option("--rounds", "N", "Turns of each side; medians count.", min=2)] = 30,
    largest: Annotated[int, option("--largest", "N", "Vectors of the largest bank that is searched.", min=1000)] = 200_000,
    seed: Annotated[int, option("--seed", "S", "Of all random choices.", min=0)] = 0,
    more: Settings = None,
    threads: Threads = 2,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Score and time a picture of every method, in turns.

    Beside the backbone alone on the same pictures. Then the time of an exact search by size of bank and of batch.
    """
    learning.need_extra()
    screen.need_place(json)
    from calibration.bench import search
    from calibration.bench import speed as bench
    from calibration.bench.taught import only

    method, typed = methods.method(more or (), methods.OF_SCORES, _SMALL, options=False)
    machine = _machine(method, typed, config, state, threads)
    with screen.Bars() as bars:
        one = only(data, category, machine, bars)
        figures = bench.run(one, method, machine, bench.Size(train, rounds, tests, largest), seed, bars)
    show(bench.HEAD, bench.rows(figures), json)
    show(search.HEAD, search.rows(figures["search"]), json)
    if note := search.cut_short(figures["search"], largest):
        screen.note(note)
    write(json, figures | about(method, threads, bench.indexed(figures)), search.chart(figures["search"]))


def coreset(
    data: Data,
    peer_python: PeerPython,
    category: Category = None,
    json: options.Json = None,
    vectors: Annotated[str, option("--vectors", "A,B,…", "Of so many vectors each.")] = "50000,100000,235200",
    shares: Annotated[str, option("--shares", "A,B,…", "Choose such shares of them.")] = "0.01,0.1",
    rounds: Annotated[int, option("--rounds", "N", "Turns of each side; medians count.", min=1)] = 3,
    peer_centres: Annotated[int, option("--peer-centres", "N", "Centres that the peer is asked for.", min=16)] = 100,
    more: Settings = None,
    threads: Threads = 2,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Greedy selection beside anomalib's, on the same vectors.

    Time and covering radius by number of vectors and of centres; the radii are compared at the centres that the peer chose.
    """
    learning.need_extra()
    screen.need_place(json)
    from calibration.bench import against, learnt
    from calibration.bench.peer import Peer
    from calibration.bench.taught import only, taught

    method, typed = methods.method(more or (), methods.OF_PATCHES, _SMALL, options=False)
    grid = against.Grid([round(n) for n in _numbers("--vectors", vectors)], _shares(shares), rounds, peer_centres)
    machine = _machine(method, typed, config, state, threads)
    with screen.Bars() as bars, Peer(peer_python) as peer:
        peer.ask("threads", count=threads)
        one = only(data, category, machine, bars)
        pictures = against.check_coresets(one, learnt.extractor(method, machine), grid, bars)
        model = taught(one, pictures, method, machine, 0, bars)
        figures = against.coresets(model.vectors, grid, peer, bars)
    show(against.CORESET_HEAD, against.coreset_rows(figures), json)
    write(json, figures | about(method, threads), b"")


def peers(
    data: Data,
    peer_python: PeerPython,
    category: Category = None,
    json: options.Json = None,
    train: Annotated[int, option("--train", "N", "Good pictures to learn from, at most.", min=1)] = 200,
    shares: Annotated[str, option("--shares", "A,B,…", "Banks of such shares of all patches.")] = "0.01,0.1",
    rounds: Annotated[int, option("--rounds", "N", "Turns of each side; medians count.", min=2)] = 20,
    threads: Threads = 2,
    config: options.Config = CONFIG,
    state: options.State = None,
) -> None:
    """Whole detectors beside anomalib's PatchCore, in turns.

    Same architecture (Lite0, blocks 4 and 10), input of 224 pixels, size of the bank and pictures, on the CPU.
    """
    learning.need_extra()
    screen.need_place(json)
    from calibration.bench import against, learnt
    from calibration.bench.peer import Peer
    from calibration.bench.taught import only, taught

    method, typed = methods.method((), (), _SMALL)
    machine = _machine(method, typed, config, state, threads)
    with screen.Bars() as bars, Peer(peer_python) as peer:
        peer.ask("threads", count=threads)
        one, banks = only(data, category, machine, bars), _shares(shares)
        against.check_detectors(one, learnt.extractor(method, machine), train, banks, bars)
        model = taught(one, train, method, machine, 0, bars)
        figures = against.detectors(one, model, banks, rounds, peer, bars)
    show(against.DETECTOR_HEAD, against.detector_rows(figures), json)
    write(json, figures | about(method, threads), b"")


def about(method: Method, threads: int, indexed: bool = False) -> dict[str, Any]:
    """Return what figures of speed depend on: settings, machine, versions."""
    from calibration.release import versions

    return {"settings": msgspec.to_builtins(method), "versions": versions(threads, indexed)}


def show(head: Sequence[str], rows: Sequence[Sequence[str]], json: Path | None) -> None:
    """Print a table of results; where JSON goes to stdout, on stderr."""
    table = screen.grid("", head, right=head[1:])
    for row in rows:
        table.add_row(*map(screen.cell, row))
    screen.show(table, aside=str(json) == "-")


def write(json: Path | None, figures: Any, chart: bytes) -> None:
    """Write the figures, and the chart beside them."""
    if json is None:
        return
    screen.write_json(json, figures)
    if chart and str(json) != "-":
        screen.write_bytes(json.with_suffix(".png"), chart)
        screen.note(f"chart: {json.with_suffix('.png')}")


def _machine(method: Ensemble | Method, typed: Typed, config: Path, state: Path | None, threads: int) -> "Machine":
    """Say by what is computed; BadInput if the method asks for what its backbones have not, before any picture is read."""
    from calibration.bench import learnt

    machine = learnt.Machine(options.state_directory(config, state).backbones, threads)
    with typed.told():
        learnt.need(method, machine)
    return machine


def _numbers(name: str, text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [0.0]
    if not all(0 < number < 1e9 for number in numbers):
        raise BadInput(f"{name}: expected numbers above 0 like 0.01,0.1, got {text}")
    return numbers


def _shares(text: str) -> list[float]:
    shares = _numbers("--shares", text)
    if max(shares) > 1:
        raise BadInput(f"--shares: expected shares up to 1 like 0.01,0.1, got {text}")
    return shares


def _counts(text: str | None) -> list[int]:
    try:
        counts = [int(part) for part in (text or "").split(",") if part or text]
    except ValueError:
        counts = [0]
    if any(count < 1 for count in counts):
        raise BadInput(f"--shots: expected numbers of good pictures like 1,5,20, got {text}")
    return counts
