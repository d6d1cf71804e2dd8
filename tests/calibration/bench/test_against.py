"""Beside a peer: the same vectors and pictures for both, theirs timed by themselves, and every failure told."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from calibration import coreset, memory
from calibration.bench import against, learnt, taught
from calibration.bench.accuracy import Bench
from calibration.bench.learnt import Machine
from calibration.bench.peer import Peer
from calibration.progress import Silent
from inspectd.errors import BadInput
from tests.calibration.parts import METHOD, Watch
from tests.calibration.test_layout import mvtec

SCRIPT = Path(__file__).with_name("numpy_peer.py")


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Greedy k-centre and a detector in NumPy, in a process of their own."""
    with Peer(Path(sys.executable), SCRIPT) as running:
        yield running


@pytest.mark.slow
def test_coresets_are_measured_on_the_same_vectors_and_compared_at_the_same_count(peer: Peer) -> None:
    """Both are greedy from a random first: radii lie close, and a whole coreset covers better than its beginning."""
    vectors = np.random.default_rng(1).normal(size=(900, 6)).astype(np.float32)
    found = against.coresets(vectors, against.Grid((400, 900), (0.1, 0.2), rounds=2, peer_centres=40), peer, Silent())
    assert found["peer"] == "NumPy"
    assert [(cell["vectors"], cell["count"], cell["compared_at"]) for cell in found["cells"]] == [
        (400, 40, 40), (400, 80, 40), (900, 90, 40), (900, 180, 40),
    ]  # fmt: skip
    for cell in found["cells"]:
        assert cell["radius"] == pytest.approx(cell["peer_radius"], rel=0.25)
        assert cell["radius_of_all"] <= cell["radius"]
        assert cell["seconds"]["median"] > 0
        assert cell["peer_ms_per_centre"] == pytest.approx(cell["times_faster"] * cell["ms_per_centre"])
    assert all(len(row) == len(against.CORESET_HEAD) for row in against.coreset_rows(found))


def test_the_covering_radius_is_the_farthest_vectors_distance_to_the_chosen() -> None:
    """Worked out pair by pair."""
    vectors = np.random.default_rng(2).normal(size=(200, 5)).astype(np.float32)
    chosen = coreset.greedy(vectors, 9, 0)
    pairs = np.linalg.norm(vectors[:, None] - vectors[chosen][None], axis=2)
    assert against.radius(vectors, chosen.tolist()) == pytest.approx(pairs.min(axis=1).max(), rel=1e-5)


def test_the_extra_memory_of_a_step_is_what_it_held_at_most() -> None:
    """Not what is left of it."""

    def work() -> str:
        return str(np.ones(20 << 20, np.uint8).sum())

    made, extra = against._peak_extra(work)
    assert made == str(20 << 20)
    assert 20 << 20 <= extra < 21 << 20


@pytest.mark.slow
def test_detectors_take_turns_with_the_same_size_of_bank(tmp_path: Path, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bank at batch 1 and 8, eight pictures a turn, warming up included; the ratio is theirs over ours."""
    asked: list[int] = []
    ask = peer.ask
    monkeypatch.setattr(peer, "ask", lambda do, **about: (asked.append(len(about.get("some", ""))), ask(do, **about))[1])
    machine = Machine(tmp_path, 1)
    (one,) = Bench(mvtec(tmp_path), None, (0,), machine, Silent()).categories
    model = taught.taught(one, 6, METHOD, machine, 0, Silent())
    found = against.detectors(one, model, (0.1, 0.25), 3, peer, Silent())
    assert [number for number in asked if number] == ([1] * 8 * 4 + [8] * 4) * 2
    assert [(cell["vectors"], cell["batch"]) for cell in found["cells"]] == [(38, 1), (38, 8), (96, 1), (96, 8)]
    assert all(cell["peer_bank"]["vectors"] == cell["vectors"] for cell in found["cells"])
    assert all(cell["ours"]["ratio"]["median"] == 1 for cell in found["cells"])
    assert all(cell["peer"]["ms"]["median"] > 0 for cell in found["cells"])
    assert all(len(row) == len(against.DETECTOR_HEAD) for row in against.detector_rows(found))


@pytest.mark.slow
def test_a_peer_that_cannot_or_dies_or_is_none_is_told_with_how_to_make_one(tmp_path: Path, peer: Peer) -> None:
    """No such program, a program that lacks what it needs, one that says something else, and a question it cannot answer."""
    python = Path(sys.executable)
    with pytest.raises(BadInput, match=r"nowhere: expected a Python with anomalib.*pip install torch torchvision anomalib"):
        Peer(tmp_path / "nowhere")
    lacking, chatty = tmp_path / "lacking.py", tmp_path / "chatty.py"
    lacking.write_text("import anomalib_that_is_not_there")
    chatty.write_text("print('hello')\ninput()")
    with pytest.raises(BadInput, match=r"it ended: .*No module named 'anomalib_that_is_not_there'"):
        Peer(python, lacking)
    with pytest.raises(BadInput, match="expected a line of JSON, got hello"):
        Peer(python, chatty)
    with pytest.raises(BadInput, match="FileNotFoundError"):
        peer.ask("coreset", vectors=str(tmp_path / "none.npy"), count=3, seed=0)
    assert peer.ask("threads", count=2) == {"count": 2}


def test_what_there_is_not_or_memory_does_not_hold_is_refused_before_anything_is_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option is named, with what there is or what would fit; else the pictures are told that have so many vectors."""
    machine, watch = Machine(tmp_path, 1), Watch()
    (one,) = Bench(mvtec(tmp_path), None, (0,), machine, Silent()).categories
    many, sees = dataclasses.replace(one, train=list(one.train) * 1000), learnt.extractor(METHOD, machine)
    with pytest.raises(BadInput, match=r"^--vectors: expected at most 384, all that the pictures have, got 1,000"):
        against.check_coresets(one, sees, against.Grid((1000,), (0.1,)), watch)
    assert against.check_coresets(many, sees, against.Grid((1000,), (0.1,)), watch) == 16
    monkeypatch.setattr(memory, "available", lambda: 500_000_000)
    with pytest.raises(BadInput, match=r"^--vectors 300000: expected .* free memory, got about .*\(--vectors \d+ fits\)$"):
        against.check_coresets(many, sees, against.Grid((1000, 300_000), (0.1,)), watch)
    with pytest.raises(BadInput, match=r"^--train 6000: expected .* free memory, got about .*\(--train \d+ fits\)$"):
        against.check_detectors(many, sees, 9000, (0.1,), watch)
    assert len(watch.notes) == 3
    assert watch.stages == {}
