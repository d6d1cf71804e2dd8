"""The accuracy benchmark learns from train/good and reports at the best threshold of test/."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration import memory
from calibration.bench import study
from calibration.bench.accuracy import Bench, accuracy
from calibration.bench.learnt import Machine
from calibration.progress import Silent
from inspectd.errors import BadInput, ConfigError, NotEnoughPictures
from inspectd.station.schema import Ensemble, Tiling, Weighted
from tests.calibration import parts
from tests.calibration.parts import METHOD, Watch
from tests.calibration.test_layout import mvtec


def test_figures_are_means_over_seeds(tmp_path: Path) -> None:
    """Two seeds: each one's figures, their mean and spread; separable parts are told apart; pictures may vary in size."""
    root = mvtec(tmp_path)
    parts.write(root / "train" / "good", {"large.png": np.kron(parts.part(7), np.ones((2, 2), np.uint8))})
    found = accuracy(root, seeds=(0, 1), method=METHOD, threads=1)
    assert len(found["by_seed"]) == 2
    assert found["image_auroc"] == 1.0
    assert found["f1"] == 1.0
    mean = np.mean([run["pixel_auroc"] for run in found["by_seed"]])
    assert found["pixel_auroc"] == pytest.approx(mean)
    assert found["by_seed"][0]["threshold"] == found["by_seed"][0]["f1_optimal_threshold"]
    assert found["spread"]["threshold"] > 0
    assert found["settings"]["seeds"] == [0, 1]
    assert found["settings"]["bank"] == METHOD.bank
    assert found["settings"]["train"] == 7
    assert json.dumps(found)


def test_several_methods_judge_as_a_station_would_let_them(tmp_path: Path) -> None:
    """Their sum, in units of each one's spread, tells the parts apart; the settings name every member; two pictures are few."""
    root = mvtec(tmp_path)
    one = Weighted(backbone="lite0", layers=(4, 10), input_px=64, bank=100, weight=2.0)
    both = Ensemble((one, Weighted(backbone="lite0", layers=(10,), input_px=96, bank=50)))
    found = accuracy(root, method=both, threads=1)
    assert found["image_auroc"] == 1.0
    assert found["pixel_auroc"] > 0.8
    assert [member["weight"] for member in found["settings"]["members"]] == [2.0, 1.0]
    with pytest.raises(NotEnoughPictures, match="expected at least 5"):
        Bench(root, None, (0,), Machine(tmp_path, 1), Silent()).measure(both, shots=2)


def test_pictures_of_several_sizes_are_judged_in_tiles(tmp_path: Path) -> None:
    """Each picture's maps are put together once, where its own tiles lie; an overlap that fits the smallest is asked for."""
    root = mvtec(tmp_path)
    parts.write(root / "train" / "good", {"large.png": np.kron(parts.part(7), np.ones((2, 2), np.uint8))})
    found = accuracy(root, method=msgspec.structs.replace(METHOD, tiling=Tiling(overlap_px=16)), threads=1)
    assert found["image_auroc"] == 1.0
    assert found["pixel_auroc"] > 0.8
    with pytest.raises(
        ConfigError, match=r"method\.tiling\.overlap_px: expected at most half a tile: 21 pixels for 2 tiles in 64"
    ):
        accuracy(root, method=msgspec.structs.replace(METHOD, tiling=Tiling(overlap_px=32)), threads=1)


def test_without_masks_the_mean_is_none_too(tmp_path: Path) -> None:
    """With the reason, and no spread."""
    found = accuracy(mvtec(tmp_path, masks=False), method=METHOD, threads=1)
    assert found["pro"] is None
    assert "pro" in found["reasons"]
    assert "pro" not in found["spread"]


def test_no_seed_and_no_such_backbone_are_refused(tmp_path: Path) -> None:
    """Each names what was expected."""
    root = mvtec(tmp_path)
    with pytest.raises(BadInput, match="at least one seed"):
        accuracy(root, seeds=())
    with pytest.raises(BadInput, match=r"^options: method\.backbone: expected one of lite0"):
        accuracy(root, method=msgspec.structs.replace(METHOD, backbone="lite9"))


def test_what_takes_more_memory_than_there_is_is_refused_before_anything_is_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a calibration: told what it takes, then the share that would fit; a series of settings as a whole."""
    monkeypatch.setattr(memory, "available", lambda: 3_000_000_000)
    watch = Watch()
    bench = Bench(mvtec(tmp_path), None, (0,), Machine(tmp_path, 1), watch)
    stages = list(watch.stages)
    wide = msgspec.structs.replace(METHOD, layers=tuple(range(11)), input_px=1600, bank="100%", patch=1)
    with pytest.raises(ConfigError, match=r"^options: method\..* about \d+ GB"):
        bench.measure(wide)
    assert watch.notes[0].startswith("memory: at most about")
    with pytest.raises(ConfigError):
        study.run(bench, [study.Variant("", str(i), method) for i, method in enumerate((METHOD, wide))])
    assert list(watch.stages) == stages


def test_categories_are_learnt_apart_and_put_together(tmp_path: Path) -> None:
    """Shares are averaged over the categories, counts added up, and each category's own figures stand beside."""
    for name in ("lid", "ring"):
        mvtec(tmp_path / name)
    easy = accuracy(tmp_path / "lid", method=METHOD, threads=1)
    parts.write(tmp_path / "ring/test/good", {f"odd{i}.png": parts.bad_part(30 + i)[0] for i in range(3)})
    hard = accuracy(tmp_path, method=METHOD, threads=1, category="ring")
    found = accuracy(tmp_path, method=METHOD, threads=1)
    assert list(found["by_category"]) == ["lid", "ring"]
    assert found["by_category"]["lid"]["image_auroc"] == easy["image_auroc"]
    assert hard["image_auroc"] < easy["image_auroc"]
    assert found["image_auroc"] == pytest.approx((easy["image_auroc"] + hard["image_auroc"]) / 2)
    assert found["false_positives"] == easy["false_positives"] + hard["false_positives"]
    assert found["threshold"] is None
    assert "its own" in found["reasons"]["threshold"]
    assert found["settings"]["train"] == 12
    with pytest.raises(BadInput, match="expected one of the categories lid, ring, got cup"):
        accuracy(tmp_path, category="cup")


def test_a_few_good_pictures_are_drawn_by_seed_and_fewer_are_among_more(tmp_path: Path) -> None:
    """Other seeds draw others; more than there are is refused; a bank then holds all that there is."""
    bench = Bench(mvtec(tmp_path), None, (0,), Machine(tmp_path, 1), Silent())
    one = bench.categories[0]
    two, four = ({sample.name for sample in one.few(count, 3)} for count in (2, 4))
    assert two < four
    assert len({frozenset(sample.name for sample in one.few(2, seed)) for seed in range(8)}) > 1
    with pytest.raises(BadInput, match="expected at most 6"):
        one.few(7, 0)
    assert bench.measure(METHOD, shots=1)["settings"]["train"] == 1
    assert bench.patches(METHOD) == 6 * 64
