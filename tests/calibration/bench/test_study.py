"""Series of settings: what varies, what its table and its chart show."""

import struct
from pathlib import Path

import pytest

from calibration.bench import study, tables
from calibration.bench.accuracy import Bench
from calibration.bench.learnt import Machine
from calibration.progress import Silent
from inspectd.errors import BadInput
from inspectd.station.schema import Ensemble, Weighted
from tests.calibration.parts import METHOD, Watch
from tests.calibration.test_layout import mvtec


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Six good parts of 64 patches each, over two seeds."""
    return Bench(mvtec(tmp_path), None, (0, 1), Machine(tmp_path, 1), Silent())


def test_each_ablation_changes_its_own_setting_alone(bench: Bench, tmp_path: Path) -> None:
    """Values differ from one another, and every other setting is as it was."""
    for what, fields in {"p": {"patch"}, "layers": {"layers"}, "size": {"input_px"}, "sampler": {"sampler", "bank"}}.items():
        variants, x = study.variants(METHOD, (), what, tmp_path, bench)
        assert x
        assert len({variant.method for variant in variants}) == len(variants) > 1
        for variant in variants:
            assert {key for key in METHOD.__struct_fields__ if getattr(variant.method, key) != getattr(METHOD, key)} <= fields
    with pytest.raises(BadInput, match="expected a single method, got 2 members"):
        study.variants(Ensemble((Weighted(), Weighted(patch=5))), (), "p", tmp_path, bench)


def test_layers_are_single_ones_neighbours_and_all_of_different_stride(bench: Bench, tmp_path: Path) -> None:
    """Of lite0: the deepest blocks of strides 4, 8 and 16."""
    variants, _ = study.variants(METHOD, (), "layers", tmp_path, bench)
    assert [variant.at for variant in variants] == ["2", "4", "10", "2+4", "4+10", "2+4+10"]


def test_shots_are_measured_one_by_one_into_rows_and_a_chart(bench: Bench, tmp_path: Path) -> None:
    """A row and a point each, in the order asked for; means with their spread."""
    variants, x = study.variants(METHOD, (1, 4), None, tmp_path, bench)
    points = study.run(bench, variants)
    assert [point["settings"]["train"] for point in points] == [1, 4]
    rows = tables.by_variant(points)
    assert [row[0] for row in rows] == ["1", "4"]
    assert all(len(row) == len(tables.HEAD) for row in rows)
    assert f"{points[0]['pro'] * 100:.2f} ± {points[0]['spread']['pro'] * 100:.2f}" in rows[0]
    three = study.chart(variants, points, x)
    width, height = struct.unpack(">II", three[16:24])
    one = study.chart(variants, [point | {"pro": None, "pixel_auroc": None} for point in points], x)
    assert struct.unpack(">II", one[16:24]) == (width // 3, height)
    assert study.figures(points)["points"][1]["variant"] == "4"


def test_more_shots_than_there_are_good_pictures_are_refused_before_fewer_are_measured(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option is named, with what there is; no figure is worked out in vain."""
    monkeypatch.setattr(bench, "_measured", lambda *_: pytest.fail("measured"))
    variants, _ = study.variants(METHOD, (2, 7), None, tmp_path, bench)
    with pytest.raises(BadInput, match=r"^--shots: expected at most 6, the good pictures of .*, got 7$"):
        study.run(bench, variants)


def test_what_each_setting_takes_is_worked_out_once_and_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first is measured; numbers that are asked for twice are measured twice."""
    watch = Watch()
    bench = Bench(mvtec(tmp_path), None, (0,), Machine(tmp_path, 1), watch)
    told: list[int] = []
    monkeypatch.setattr(bench, "_measured", lambda *_: told.append(len(watch.notes)) or {})
    study.run(bench, study.variants(METHOD, (2, 4, 4), None, tmp_path, bench)[0])
    assert [note.partition(": at most")[0] for note in watch.notes] == ["2: memory", "4: memory", "4: memory"]
    assert told == [3, 3, 3]


def test_a_category_without_masks_has_dashes_and_no_curve_of_pixels(tmp_path: Path) -> None:
    """What could not be worked out is neither drawn nor made up."""
    found = Bench(mvtec(tmp_path, masks=False), None, (0,), Machine(tmp_path, 1), Silent()).measure(METHOD)
    (row,) = tables.by_category(found)
    assert row[3:5] == ("-", "-")
    drawn = study.curves(found)
    assert struct.unpack(">II", drawn[16:24])[0] < 3 * struct.unpack(">II", drawn[16:24])[1]
    assert study.curves({"by_category": {"good": {"curves": {}}}}) == b""
