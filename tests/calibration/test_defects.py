"""Synthetic defects are seen, stay where they may be, and come again with their seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration import defects


def part(seed: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A picture with a gradient and a little noise."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(60, 180, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return np.clip(rows + rng.normal(0, 4, shape), 0, 255).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(defects.KINDS), st.integers(0, 10_000), st.integers(16, 90), st.integers(16, 90), st.booleans())
def test_a_defect_changes_the_picture_only_inside_the_mask(kind: str, seed: int, height: int, width: int, colour: bool) -> None:
    """Whatever the size and colour: same shape and type, a visible change, none outside the mask, and `where` says where."""
    image = part(seed, (height, width, 3) if colour else (height, width))
    inside = np.zeros((height, width), bool)
    inside[height // 4 : height // 4 + 8, width // 4 : width // 4 + 8] = True
    before = image.copy()
    changed, where = defects.add(image, kind, seed, inside)
    assert changed.dtype == np.uint8
    assert changed.shape == image.shape
    assert np.array_equal(image, before)
    differs = np.abs(changed.astype(int) - image).reshape(height, width, -1).max(axis=2)
    assert np.array_equal(where, differs > 0)
    assert differs.max() >= 10
    assert not (where & ~inside).any()


@pytest.mark.parametrize("kind", defects.KINDS)
@pytest.mark.parametrize("level", [0, 127, 255])
def test_a_defect_shows_on_a_picture_of_one_level(kind: str, level: int) -> None:
    """Black, grey and white parts can be marked, too, and no more than a third of the picture is."""
    changed, where = defects.add(np.full((60, 80), level, np.uint8), kind, 3)
    assert np.abs(changed.astype(int) - level).max() >= 10
    assert 0 < where.mean() < 1 / 3


@pytest.mark.parametrize("kind", defects.KINDS)
def test_the_seed_decides(kind: str) -> None:
    """The same seed paints the same defect, another seed another one."""
    image = part(0, (64, 64))
    assert np.array_equal(defects.add(image, kind, 1)[0], defects.add(image, kind, 1)[0])
    assert not np.array_equal(defects.add(image, kind, 1)[0], defects.add(image, kind, 2)[0])


def test_unknown_kinds_and_empty_masks_are_refused() -> None:
    """Both name what was expected."""
    image = part(0, (32, 32))
    with pytest.raises(ValueError, match="expected one of cut_paste"):
        defects.add(image, "rust", 0)
    with pytest.raises(ValueError, match="empty"):
        defects.add(image, "blob", 0, np.zeros((32, 32), bool))
