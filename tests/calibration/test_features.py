"""One pass over the pictures gives the vectors, the sample and the standard of any subset of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration import features
from calibration.features import Extractor, Features
from inspectd.station.schema import Roi
from inspectd.vision.backbone import Backbone
from tests.calibration import parts


def ignore(_done: int) -> None:
    """Nobody counts."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return parts.good_folder(tmp_path / "good", 11)


def all_vectors(found: Features) -> np.ndarray:
    return found.vectors(np.arange(len(found.samples)))


def test_vectors_are_those_of_the_backbone_in_the_order_asked_for(extractor: Extractor, folder: Path) -> None:
    """Picture 7 asked for first comes first; every picture is counted once."""
    told: list[int] = []
    found = Features(extractor, parts.samples(folder), 0, told.append)
    assert sum(told) == 11
    asked = np.array([7, 0, 10])
    vectors = found.vectors(asked)
    assert np.array_equal(vectors[0], all_vectors(found)[7])
    np.testing.assert_allclose(vectors, extractor.vectors(parts.part(i) for i in asked), rtol=1e-3, atol=1e-3)


def test_many_small_inputs_take_one_pass_and_large_ones_a_pass_each(extractor: Extractor) -> None:
    """So that what a pass holds is bounded by their pixels; vectors are the same."""
    sides = {side: replace(extractor, input_px=(side, side)).at_once for side in (64, 320, 640, 1600)}
    assert sides == {64: 100, 320: 4, 640: 1, 1600: 1}


def test_mean_and_scale_of_any_subset_are_those_of_its_patches(extractor: Extractor, folder: Path) -> None:
    """Added up from per-picture sums, they equal NumPy's over the subset's patches."""
    found = Features(extractor, parts.samples(folder), 0, ignore)
    members = np.array([1, 4, 9])
    patches = all_vectors(found)[members].reshape(-1, 152)
    mean, scale = found.standard(members)
    spread = patches.astype(np.float64).std(axis=0)
    np.testing.assert_allclose(mean, patches.mean(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(scale, np.maximum(spread, np.median(spread) / 100), rtol=1e-3)
    assert mean.dtype == scale.dtype == np.float32


def test_threads_change_nothing(backbone: Backbone, folder: Path) -> None:
    """Batches come in any order; sums, sample and vectors are the same."""
    alone = Features(Extractor(backbone, (64, 64)), parts.samples(folder), 3, ignore)
    shared = Features(Extractor(backbone, (64, 64), threads=3), parts.samples(folder), 3, ignore)
    everyone = np.arange(11)
    assert np.array_equal(alone.drawn(everyone), shared.drawn(everyone))
    assert np.array_equal(alone.standard(everyone), shared.standard(everyone))
    assert np.array_equal(all_vectors(alone), all_vectors(shared))


def test_a_channel_that_never_moves_gets_a_scale_all_the_same(extractor: Extractor, tmp_path: Path) -> None:
    """Of one picture repeated pixel by pixel the same, nothing is divided by zero."""
    flat = parts.write(tmp_path / "flat", {f"{i}.png": np.full((64, 64), 90, np.uint8) for i in range(2)})
    _, scale = Features(extractor, parts.samples(flat), 0, ignore).standard(np.arange(2))
    assert (scale > 0).all()


def test_the_reservoir_takes_as_many_patches_of_each_picture(extractor: Extractor, folder: Path) -> None:
    """About as many in all as are asked for, each a patch of its picture and none twice; the seed decides which."""
    found = Features(extractor, parts.samples(folder), 3, ignore, drawn=55)
    drawn = found.drawn(np.array([2, 6]))
    assert drawn.shape == (10, 152)
    patches = all_vectors(found)[6].reshape(-1, 152)
    rows = [int(np.flatnonzero((patches == vector).all(axis=1))[0]) for vector in drawn[5:]]
    assert len(set(rows)) == 5
    assert np.array_equal(drawn, Features(extractor, parts.samples(folder), 3, ignore, drawn=55).drawn(np.array([2, 6])))
    assert not np.array_equal(drawn, Features(extractor, parts.samples(folder), 4, ignore, drawn=55).drawn(np.array([2, 6])))


def test_what_does_not_fit_into_the_memory_lies_on_disk(
    extractor: Extractor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very same vectors come from there, every picture having been seen once, and no file has a name."""
    kept = Features(extractor, parts.samples(folder), 0, ignore)
    seen: list[int] = []
    cut = Extractor.cut
    monkeypatch.setattr(Extractor, "cut", lambda self, pixels: seen.append(1) or cut(self, pixels))
    monkeypatch.setattr(features, "MEMORY", 0)
    (tmp_path / "work").mkdir()
    stored = Features(extractor, parts.samples(folder), 0, ignore, folder=tmp_path / "work")
    asked = np.array([3, 10, 4])
    assert (kept.streamed, stored.streamed) == (False, True)
    assert np.array_equal(kept.vectors(asked), stored.vectors(asked))
    assert np.array_equal(kept.patches(asked), stored.patches(asked))
    assert np.array_equal(kept.drawn(asked), stored.drawn(asked))
    assert sum(seen) == 11
    assert list((tmp_path / "work").iterdir()) == []


def test_coresets_of_shares_are_what_banks_of_those_shares_are_chosen_from(extractor: Extractor, folder: Path) -> None:
    """Pictures 0 to 3 condensed, 4 to 7 condensed, 8 left over: every candidate is a patch of one of them, none of another."""
    found = Features(extractor, parts.samples(folder), 0, ignore, memory=0)
    told: list[int] = []
    found.condense([np.arange(4), np.arange(4, 8)], 40, 0, told.append)
    assert sum(told) == 8

    def owners(candidates: np.ndarray) -> list[int]:
        patches = {vector.tobytes(): i // 64 for i, vector in enumerate(found.patches(np.arange(11)))}
        return np.bincount([patches[vector.tobytes()] // 4 for vector in candidates], minlength=3).tolist()

    assert owners(found.candidates(np.arange(9), 40, 0)) == [40, 40, 40]
    assert owners(found.candidates(np.arange(4, 8), 40, 0)) == [0, 40, 0]
    assert owners(found.candidates(np.arange(3), 40, 0)) == [40, 0, 0]  # not a whole share: reduced by itself
    again = Features(extractor, parts.samples(folder), 0, ignore, memory=0)
    assert np.array_equal(again.candidates(np.arange(4), 40, 0), found.candidates(np.arange(4), 40, 0))


def test_only_the_roi_is_seen(backbone: Backbone, tmp_path: Path) -> None:
    """A picture with something outside the roi gives the vectors of the roi alone."""
    wide = np.full((80, 90), 255, np.uint8)
    wide[6:70, 11:75] = parts.part(0)
    sample = parts.samples(parts.write(tmp_path / "wide", {"a.png": wide}))[0]
    extractor = Extractor(backbone, (64, 64), Roi(x=11, y=6, width=64, height=64))
    vectors = extractor.see([sample])
    assert np.array_equal(vectors, extractor.vectors([parts.part(0)]))


def test_only_judged_patches_count(backbone: Backbone, folder: Path) -> None:
    """With the left half masked, half the patches are drawn, and the standard is that of the right half."""
    mask = np.zeros((64, 64), bool)
    mask[:, 32:] = True
    extractor = Extractor(backbone, (64, 64), mask=mask)
    assert extractor.patches == 32
    found = Features(extractor, parts.samples(folder), 0, ignore)
    right = all_vectors(found)[:, :, 4:].reshape(-1, 152)
    everyone = np.arange(11)
    assert len(found.drawn(everyone)) == 11 * 32
    np.testing.assert_allclose(found.standard(everyone)[0], right.mean(axis=0), rtol=1e-4, atol=1e-4)
