"""The accuracy benchmark learns from train/good and reports at the best threshold of test/."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration.bench.accuracy import accuracy
from inspectd.errors import BadInput
from tests.calibration import parts
from tests.calibration.parts import METHOD
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
    with pytest.raises(BadInput, match="expected one of lite0"):
        accuracy(root, method=msgspec.structs.replace(METHOD, backbone="lite9"))
