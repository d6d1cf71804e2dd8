"""Speed: every method is timed beside the backbone alone, by the detector that a worker would make."""

import dataclasses
import tracemalloc
from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration import memory
from calibration.bench import learnt, search, speed, taught, turns
from calibration.bench.accuracy import Bench
from calibration.bench.learnt import Machine
from calibration.progress import Silent
from inspectd.errors import BadInput, MissingExtra
from inspectd.vision import ivfpq
from inspectd.vision.neighbours import Neighbours
from tests.calibration.parts import METHOD, Watch
from tests.calibration.test_layout import mvtec


@pytest.fixture
def model(tmp_path: Path) -> tuple[object, taught.Taught]:
    """Six good parts, 384 patches, and their category."""
    machine = Machine(tmp_path, 1)
    (one,) = Bench(mvtec(tmp_path), None, (0,), machine, Silent()).categories
    return one, taught.taught(one, 6, METHOD, machine, 0, Silent())


@pytest.mark.slow
def test_every_method_has_its_score_and_its_time_beside_the_floor(tmp_path: Path) -> None:
    """The floor's ratio is 1; a bank is a share of all patches; what is not installed says so in its row."""
    machine = Machine(tmp_path, 1)
    (one,) = Bench(mvtec(tmp_path), None, (0,), machine, Silent()).categories
    found = speed.run(one, METHOD, machine, speed.Size(6, 2, None, 1000), 0, Silent())
    rows = {row["name"]: row for row in found["rows"]}
    assert rows[speed.FLOOR]["batch_1"]["ratio"]["median"] == 1
    assert [rows[f"PatchCore {share} %"]["vectors"] for share in (100, 10, 1)] == [384, 38, 16]
    assert rows["PatchCore 100 %"]["image_auroc"] == 1.0
    assert {"SPADE", "PaDiM"} <= set(rows)
    assert "expected a bank of at least 9,984 vectors, got 384" in rows["PatchCore 100 % + IVF-PQ"]["missing"]
    assert all(row["batch_8"]["ms"]["median"] > 0 for row in found["rows"] if "missing" not in row)
    assert all(len(row) == len(speed.HEAD) for row in speed.rows(found))
    assert not speed.indexed(found)
    assert speed.indexed({"rows": [{"name": "PatchCore 100 % + IVF-PQ", "vectors": 9984}]})
    assert found["search"]["by_bank"] == []
    assert found["search"]["exponent"] is None
    assert [row["batch"] for row in found["search"]["by_batch"]] == [1, 2, 4, 8, 16]


def test_a_method_that_needs_a_missing_package_is_a_row_that_says_so() -> None:
    """The others are measured."""

    def needs() -> None:
        raise MissingExtra("install faiss")

    assert speed._made(needs) == "install faiss"
    assert speed._row({"name": "IVF-PQ", "missing": "install faiss"})[:2] == ("IVF-PQ", "install faiss")


@pytest.mark.slow
def test_the_row_of_ivfpq_has_all_vectors_and_its_index(
    model: tuple[object, taught.Taught], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It judges the same pictures nearly as the exact search of the same bank does."""
    one, known = model
    monkeypatch.setattr(ivfpq, "LEAST", 256)
    makers = speed._makers(known, known.chosen(38))
    (method, arrays), exact = makers["PatchCore 100 % + IVF-PQ"](), makers["PatchCore 100 %"]()
    assert (method.search, set(ivfpq.ARRAYS) <= set(arrays), len(arrays["bank"])) == ("ivfpq", True, 384)
    pictures = taught.shown(one, 3, METHOD, 1)
    found, expected = (known.detector(*made).score(pictures) for made in ((method, arrays), exact))
    assert [result.score for result in found] == pytest.approx([result.score for result in expected], rel=0.05)


def test_a_detector_of_the_benchmark_says_what_its_judge_says(model: tuple[object, taught.Taught]) -> None:
    """Scores and heat maps of pictures of the input's size are equal by both ways; every bank is a part of the vectors."""
    one, known = model
    bank = known.vectors[known.chosen(50)]
    assert {tuple(row) for row in bank.tolist()} <= {tuple(row) for row in known.vectors.tolist()}
    arrays = known.bank(bank)
    pictures = taught.shown(one, 3, METHOD, 1)
    judge = known.judge(METHOD, arrays)
    for result, pixels in zip(known.detector(METHOD, arrays).score(pictures), pictures, strict=True):
        seen = judge.see(pixels)
        assert result.score == pytest.approx(seen.score, rel=1e-4)
        assert result.map == pytest.approx(seen.heat(), rel=1e-3, abs=1e-4)
    assert Neighbours(bank).nearest(bank).distances.max() < 1e-3


def test_speed_is_of_one_category(tmp_path: Path) -> None:
    """Several are named."""
    for name in ("lid", "ring"):
        mvtec(tmp_path / name)
    machine = Machine(tmp_path, 1)
    with pytest.raises(BadInput, match="expected one of lid, ring"):
        taught.only(tmp_path, None, machine, Silent())
    assert taught.only(tmp_path, "ring", machine, Silent()).name == "ring"


def test_the_exponent_is_the_slope_from_ten_thousand_vectors_on() -> None:
    """Times that grow as the square root, above a floor that small banks do not leave."""
    points = [{"vectors": n, "median": float(np.sqrt(max(n, 10_000)))} for n in (1_000, 5_000, 10_000, 40_000, 160_000)]
    assert search.exponent(points) == pytest.approx(0.5)
    assert search.exponent(points[:3]) is None
    points = [one | {"spread": [1.0, 2.0]} for one in points]
    found = {"by_bank": points, "by_batch": [{"batch": 1, "median": 2.0, "spread": [1.0, 3.0]}], "exponent": 0.5}
    assert search.rows(found)[-1][1] == "0.50"
    assert search.chart(found).startswith(b"\x89PNG")


def test_what_takes_more_memory_than_there_is_is_refused_before_anything_is_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told what it takes, then how many pictures or vectors would fit; those are then taken."""
    monkeypatch.setattr(memory, "available", lambda: 400_000_000)
    machine, watch = Machine(tmp_path, 1), Watch()
    (one,) = Bench(mvtec(tmp_path), None, (0,), machine, Silent()).categories
    many = dataclasses.replace(one, train=list(one.train) * 1000)
    wide = msgspec.structs.replace(METHOD, input_px=128)
    with pytest.raises(
        BadInput, match=r"^--train 2000 --largest 2000: expected .* got about \d.*--train \d+ fits\)$"
    ) as caught:
        speed.run(many, wide, machine, speed.Size(2000, 2, None, 2000), 0, watch)
    assert watch.notes[0].startswith("memory: at most about")
    assert watch.stages == {}
    fits = int(str(caught.value).split("--train ")[-1].split()[0])
    speed.check(many, wide, machine, speed.Size(fits, 2, None, 2000), watch)
    with pytest.raises(BadInput, match=r"--largest \d+ fits\)$"):
        speed.run(many, wide, machine, speed.Size(1, 2, None, 200_000), 0, watch)


@pytest.mark.slow
def test_the_estimate_holds_for_what_is_really_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays take no more than was said, nor less than a third of it; too few are these vectors for an index."""
    machine, wide = Machine(tmp_path, 1), msgspec.structs.replace(METHOD, input_px=320, channels=10)
    (one,) = Bench(mvtec(tmp_path), None, (0,), machine, Silent()).categories
    monkeypatch.setattr(speed, "_scores", lambda *_: dict.fromkeys(speed._SCORES))
    monkeypatch.setattr(turns, "in_turns", lambda sides, *_: {name: [1.0] for name in sides})
    said: list[int] = []
    monkeypatch.setattr(
        memory, "check_knobs", lambda needs, knobs, _: said.append(needs(*(knob.number for knob in knobs)).memory)
    )
    tracemalloc.start()
    speed.run(one, wide, machine, speed.Size(6, 2, None, 5000), 0, Silent())
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    before = memory.beside([learnt.extractor(wide, machine)], 6, 1)  # what no array of ours holds: libraries, the backbone
    assert taken <= said[0] - before + (24 << 20)  # blocks of products, whatever the pictures
    assert said[0] - before <= 3 * taken
