"""The bank is as large as the station file says, a number or a share of all patches."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration import bank
from calibration.features import Extractor, Features
from tests.calibration import parts
from tests.calibration.parts import METHOD


@pytest.mark.parametrize(("said", "patches", "vectors"), [("10%", 7840, 784), ("100%", 64, 64), ("0.5%", 1001, 6), (30, 9, 30)])
def test_a_share_is_of_all_patches_and_rounded_up(said: str | int, patches: int, vectors: int) -> None:
    """A number is itself, whatever the patches."""
    assert bank.size(msgspec.structs.replace(METHOD, bank=said), patches) == vectors


@pytest.mark.parametrize(
    ("said", "patches", "drawn"),
    [("1%", 2_000_000, 200_000), ("10%", 500_000, 500_000), (6000, 80_000, 80_000), (50, 10**6, 10**5)],
)
def test_samplers_that_take_patches_as_they_come_draw_ten_for_each_vector(said: str | int, patches: int, drawn: int) -> None:
    """Where there are as many, and 100,000 at least; greedy sees all patches and draws none."""
    for sampler in ("random", "proxy"):
        assert bank.candidates(msgspec.structs.replace(METHOD, bank=said, sampler=sampler), patches) == drawn
    assert bank.candidates(msgspec.structs.replace(METHOD, bank=said), patches) == 0


def test_only_principal_axes_need_patches_drawn_where_there_is_no_bank() -> None:
    """PaDiM's are worked out from 100,000."""
    padim = msgspec.structs.replace(METHOD, kind="padim")
    assert bank.candidates(padim, 10**6) == 0
    assert bank.candidates(msgspec.structs.replace(padim, reduction="pca"), 10**6) == 100_000
    assert bank.candidates(msgspec.structs.replace(METHOD, kind="spade"), 10**6) == 0


@pytest.mark.parametrize("sampler", ["greedy", "random", "proxy"])
def test_every_sampler_fills_the_bank_and_tells_its_size(sampler: str, extractor: Extractor, tmp_path: Path) -> None:
    """In the standardised space, where the mean is near 0."""
    features = Features(extractor, parts.samples(parts.good_folder(tmp_path / "good", 10)), 0, lambda _done: None)
    told: list[int] = []
    method = msgspec.structs.replace(METHOD, bank="20%", sampler=sampler)
    found = bank.fit(features, np.arange(10), method, 0, told.append)["bank"]
    assert found.shape == (128, 152)
    assert sum(told) == 128
    assert abs(found.mean()) < 0.5


def test_a_bank_of_all_patches_keeps_repetitions(extractor: Extractor, tmp_path: Path) -> None:
    """Of which a sampler takes one: two equal pictures have their patches in it twice."""
    folder = parts.write(tmp_path / "good", {"a.png": parts.part(1), "b.png": parts.part(1)})
    features = Features(extractor, parts.samples(folder), 0, lambda _done: None)
    method = msgspec.structs.replace(METHOD, bank="100%")
    found = bank.fit(features, np.arange(2), method, 0, lambda _done: None)["bank"]
    assert len(found) == 128
    assert len(np.unique(found, axis=0)) == 64
