"""Synthetic defects are seen, stay where they may be, are as large as asked, and come again with their seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration import defects
from calibration.defects import KINDS


def part(seed: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A picture with a gradient and a little noise."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(60, 180, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return np.clip(rows + rng.normal(0, 4, shape), 0, 255).astype(np.uint8)


def made(kind: str, picture: NDArray[np.uint8], seed: int, size_px: float = 12, mask: NDArray[np.bool_] | None = None):
    """One defect by a seed."""
    return defects.make(kind, picture, mask, size_px, np.random.default_rng(seed))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(KINDS), st.integers(0, 10_000), st.integers(16, 90), st.integers(16, 90), st.booleans(),
    st.floats(1, 80), st.integers(1, 12),
)  # fmt: skip
def test_a_defect_changes_the_picture_only_inside_the_mask(
    kind: str, seed: int, height: int, width: int, colour: bool, size_px: float, room: int
) -> None:
    """Whatever the sizes and colour: same shape and type, a visible change, none outside the mask, and it is told where."""
    image = part(seed, (height, width, 3) if colour else (height, width))
    inside = np.zeros((height, width), bool)
    inside[height // 4 : height // 4 + room, width // 4 : width // 4 + room] = True
    before = image.copy()
    changed, where = made(kind, image, seed, size_px, inside)
    assert np.array_equal(image, before)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert where.any()
    assert not where[~inside].any()
    assert np.array_equal(np.any((changed != image).reshape(height, width, -1), axis=2), where)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10_000), st.sampled_from([3, 5, 8, 13, 22, 37, 64]))
def test_a_defect_is_as_large_as_asked(kind: str, seed: int, size_px: int) -> None:
    """Its extent is never more than the size, and its diagonal never less than half of it; a picture with room cuts nothing."""
    _, where = made(kind, part(seed, (128, 160)), seed, size_px)
    rows, columns = (np.ptp(places) + 1 for places in np.nonzero(where))
    assert max(rows, columns) <= size_px
    assert np.hypot(rows, columns) >= 0.5 * size_px


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10_000), st.integers(3, 20))
def test_a_defect_lies_in_the_part_as_a_whole_where_there_is_room(kind: str, seed: int, size_px: int) -> None:
    """With a mask that has room for it in one place, it is what it would be without a mask's edge."""
    image, inside = part(seed, (64, 64)), np.zeros((64, 64), bool)
    inside[30 : 30 + size_px, 20 : 20 + size_px] = True
    inside[:4] = True  # a strip without room
    _, where = made(kind, image, seed, size_px, inside)
    assert not where[:4].any() or size_px <= 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size_px", [3, 20])
def test_a_defect_shows_even_on_a_picture_of_one_level(kind: str, level: int, size_px: int) -> None:
    """Black, grey or white: there is always room to be lighter or darker."""
    changed, where = made(kind, np.full((60, 80), level, np.uint8), 3, size_px)
    assert where.sum() >= 3
    assert np.abs(changed.astype(int) - level).max() >= 10


def test_a_stain_is_even_in_its_middle() -> None:
    """On a picture of one level no pixel of a blob is darker, or lighter, than its plateau."""
    changed, where = made("blob", np.full((64, 64), 128, np.uint8), 0, 30)
    levels, counts = np.unique(changed[where], return_counts=True)
    plateau = levels[counts.argmax()]
    assert abs(int(plateau) - 128) == np.abs(levels.astype(int) - 128).max()
    assert counts.max() > 0.2 * where.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_defect(kind: str) -> None:
    """Seeded: the same again, and another one for another seed."""
    image = part(0, (64, 64))
    assert np.array_equal(made(kind, image, 1)[0], made(kind, image, 1)[0])
    assert not np.array_equal(made(kind, image, 1)[0], made(kind, image, 2)[0])


def test_unknown_kinds_impossible_sizes_and_empty_masks_are_refused() -> None:
    """Each names what was expected."""
    image = part(0, (32, 32))
    with pytest.raises(ValueError, match="expected one of cut_paste"):
        made("rust", image, 0)
    with pytest.raises(ValueError, match=r"at least 1 pixel, got 0\.5"):
        made("blob", image, 0, 0.5)
    with pytest.raises(ValueError, match="empty"):
        made("blob", image, 0, 5, np.zeros((32, 32), bool))
