"""Beside anomalib, on the same vectors and pictures, in turns: greedy coresets, and whole detectors."""

import tempfile
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from calibration import coreset, memory
from calibration.bench import turns
from calibration.bench.accuracy import Category
from calibration.bench.peer import Peer
from calibration.bench.taught import Taught, held, searched, shown
from calibration.evaluate import Figures
from calibration.features import F32, U8, Extractor, kept
from calibration.memory import Knob, Taken
from calibration.progress import Advance, Progress
from inspectd import clock
from inspectd.errors import BadInput
from inspectd.vision.detector import Detector
from inspectd.vision.neighbours import Neighbours

CORESET_HEAD = (
    "vectors", "centres", "ours s", "ms / centre", "extra memory", "centres", "ours radius", "theirs radius",
    "theirs ms / centre", "times faster",
)  # fmt: skip
DETECTOR_HEAD = ("bank", "batch", "ours ms / picture", "theirs ms / picture", "times faster")

_FEW = 8  # centres of the peer's short run: what the long run takes more is the centres' alone
_BATCHES = (1, 8)


@dataclass(frozen=True)
class Grid:
    """What coresets are measured: so many of so many vectors."""

    vectors: Sequence[int]
    shares: Sequence[float]
    rounds: int = 3
    peer_centres: int = 100  # it is asked for no more: its time grows with each, and is known from fewer


def check_coresets(data: Category, sees: Extractor, grid: Grid, progress: Progress) -> int:
    """Tell what is taken, before anything is computed; return how many good pictures have so many vectors.

    BadInput if there are not as many vectors, or if what they take does not fit into the memory.
    """
    there, most = len(data.train) * sees.patches, max(grid.vectors)
    if there < most:
        raise BadInput(f"--vectors: expected at most {there:,}, all that the pictures have, got {most:,}")

    def needs(vectors: int) -> Taken:
        pictures = -(-vectors // sees.patches)
        taken, own, size = held(sees, pictures), kept(pictures, sees), round(max(grid.shares) * vectors)
        # shuffled; the peer's, as they were read and as it reduces them; distances to the chosen ones
        return Taken(taken.memory + 4 * own + vectors * memory.PER_VECTOR + searched(sees, size), taken.disk)

    memory.check_knobs(needs, [Knob("--vectors", most)], progress)
    return -(-most // sees.patches)


def check_detectors(data: Category, sees: Extractor, pictures: int, shares: Sequence[float], progress: Progress) -> None:
    """Tell what is taken, before anything is computed; BadInput if it does not fit into the memory."""
    height, width = sees.input_px

    def needs(pictures: int) -> Taken:
        taken, own, vectors = held(sees, pictures), kept(pictures, sees), pictures * sees.patches
        banks = searched(sees, *(round(share * vectors) for share in shares))
        # the peer's vectors, one by one and together; pictures as they are written, and as it reads them
        beside = 3 * own + vectors * memory.PER_VECTOR + 2 * 3 * height * width * pictures
        return Taken(taken.memory + beside + banks, taken.disk)

    memory.check_knobs(needs, [Knob("--train", min(pictures, len(data.train)))], progress)


def coresets(vectors: F32, grid: Grid, peer: Peer, progress: Progress) -> Figures:
    """Return time and covering radius against the number of vectors and of centres, ours and the peer's."""
    cells = [(n, max(2 * _FEW, round(share * n))) for n in grid.vectors for share in grid.shares]
    shuffled = vectors[np.random.default_rng(0).permutation(len(vectors))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        found = [_cell(shuffled[:n], count, grid, peer, path, progress) for n, count in cells]
    return {"peer": peer.name, "cells": found}


def detectors(data: Category, model: Taught, shares: Sequence[float], rounds: int, peer: Peer, progress: Progress) -> Figures:
    """Return the times of whole detectors, with banks of some shares of all patches."""
    pictures = shown(data, min(rounds * turns.PICTURES, len(data.tests.cases)), model.method, model.seed)
    counts = [max(16, round(share * len(model.vectors))) for share in shares]
    order = model.chosen(max(counts))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        train, tests = Path(folder) / "train.npy", Path(folder) / "tests.npy"
        np.save(train, np.stack([model.prepared(i) for i in range(len(model.features.samples))]))
        np.save(tests, np.stack(pictures))
        for count in counts:
            theirs = peer.ask("learn", train=str(train), tests=str(tests), bank=count)
            ours = model.detector(model.method, model.bank(model.vectors[order[:count]]))
            for batch in _BATCHES:
                advance = progress.stage(f"bank {count:,}, batch {batch}", rounds + 1)
                times = turns.compared(_beside(ours, peer, pictures, batch, rounds, advance), "ours", turns.PICTURES)
                found.append({"vectors": count, "peer_bank": theirs, "batch": batch, **times})
    return {"peer": peer.name, "cells": found}


def coreset_rows(found: Figures) -> list[tuple[str, ...]]:
    """Return the table of coresets."""
    return [
        (
            f"{one['vectors']:,}", f"{one['count']:,}", f"{one['seconds']['median']:.2f}",
            f"{one['ms_per_centre']:.3f}", f"{one['extra_memory']:.2f} x", f"{one['compared_at']:,}",
            f"{one['radius']:.3f}", f"{one['peer_radius']:.3f}", f"{one['peer_ms_per_centre']:.1f}",
            f"{one['times_faster']:.0f}",
        )
        for one in found["cells"]
    ]  # fmt: skip


def detector_rows(found: Figures) -> list[tuple[str, ...]]:
    """Return the table of detectors."""
    return [
        (f"{one['vectors']:,}", str(one["batch"]), _ms(one["ours"]), _ms(one["peer"]), f"{one['peer']['ratio']['median']:.1f}")
        for one in found["cells"]
    ]


def radius(vectors: F32, chosen: Sequence[int]) -> float:
    """Return the largest distance of a vector to the nearest chosen one."""
    return float(Neighbours(vectors[np.asarray(chosen)]).nearest(vectors).distances.max())


def _cell(vectors: F32, count: int, grid: Grid, peer: Peer, path: Path, progress: Progress) -> Figures:
    """Measure one number of vectors and of centres; both sides take turns."""
    np.save(path, vectors)
    asked = min(count, grid.peer_centres)
    own, short, long, theirs = [], [], [], dict[str, Any]()
    advance = progress.stage(f"{count:,} of {len(vectors):,}", grid.rounds)
    chosen, extra = _peak_extra(lambda: coreset.greedy(vectors, count, 0))
    for seed in range(grid.rounds):
        start = clock.now_ns()
        coreset.greedy(vectors, count, seed)
        own.append((clock.now_ns() - start) / 1e9)
        short.append(peer.ask("coreset", vectors=str(path), count=_FEW, seed=seed)["ms"])
        theirs = peer.ask("coreset", vectors=str(path), count=asked, seed=seed)
        long.append(theirs["ms"])
        advance(1)
    ours_ms, theirs_ms = median(own) * 1e3 / count, (median(long) - median(short)) / (asked - _FEW)
    return {
        "vectors": len(vectors),
        "count": count,
        "seconds": turns.middle(own),
        "ms_per_centre": ours_ms,
        "extra_memory": extra / vectors.nbytes,
        "compared_at": asked,
        "radius": radius(vectors, chosen[:asked].tolist()),
        "radius_of_all": radius(vectors, chosen.tolist()),
        "peer_radius": radius(vectors, theirs["chosen"]),
        "peer_ms": turns.middle(long),
        "peer_ms_per_centre": theirs_ms,
        "times_faster": theirs_ms / ours_ms,
    }


def _beside(
    ours: Detector, peer: Peer, pictures: Sequence[U8], batch: int, rounds: int, advance: Advance
) -> dict[str, list[float]]:
    def own(number: int) -> object:
        return [result.map for some in turns.batches(pictures, number, batch) for result in ours.score(some)]

    def their(number: int) -> object:
        each = turns.batches(range(len(pictures)), number, batch)
        return turns.Took(sum(peer.ask("score", some=some)["ms"] for some in each))

    return turns.in_turns({"ours": own, "peer": their}, rounds, advance)


def _peak_extra(work: Callable[[], Any]) -> tuple[Any, int]:
    """Return what the work returns, and how many bytes of arrays it held at most. (A process's size hides reused pages.)"""
    tracemalloc.start()
    try:
        made = work()
        return made, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _ms(one: Mapping[str, Any]) -> str:
    low, high = one["ms"]["spread"]
    return f"{one['ms']['median']:.1f} ({low:.1f} … {high:.1f})"
