"""Pictures of one part are found among many of other parts, without comparing every pair."""

import numpy as np
import pytest

from inspectd.vision import likeness


def part(seed: int, side: int = 96) -> np.ndarray:
    """A plate with its own blotches."""
    rng = np.random.default_rng(seed)
    blotches = np.kron(rng.normal(0, 12, (8, 8)), np.ones((side // 8, side // 8)))
    return np.clip(120 + blotches, 0, 255).astype(np.uint8)


def again(pixels: np.ndarray, seed: int) -> np.ndarray:
    """The same part a moment later: other noise, a little brighter."""
    noise = np.random.default_rng(seed).normal(2, 2, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def shrunk(pictures: list[np.ndarray]) -> np.ndarray:
    return np.stack([likeness.small(pixels) for pixels in pictures])


@pytest.mark.parametrize("count", [12, 300])
def test_pictures_of_one_part_are_found_and_no_others(count: int) -> None:
    """Next to each other or far apart, two or three of them; no matter whether every pair is compared."""
    pictures = [part(i) for i in range(count)]
    pictures += [again(pictures[3], 1), again(pictures[count - 1], 2), again(pictures[3], 3)]
    assert likeness.groups(shrunk(pictures)) == [[3, count, count + 2], [count - 1, count + 1]]


def test_colour_and_grey_pictures_are_shrunk_alike() -> None:
    """A grey picture with three equal channels is the same picture."""
    grey = part(0)
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    assert np.array_equal(likeness.small(grey), likeness.small(colour))
    assert likeness.alike(likeness.small(grey), likeness.small(again(grey, 1)))
    assert not likeness.alike(likeness.small(grey), likeness.small(part(1)))


def test_what_is_masked_does_not_make_parts_alike() -> None:
    """Parts that differ in a small judged corner differ, and parts that differ outside it alone do not."""
    mask = np.zeros((96, 96), bool)
    mask[:24, :24] = True
    one, corner, elsewhere = part(0), part(0), part(0)
    corner[:24, :24], elsewhere[40:, 40:] = part(1)[:24, :24], part(1)[40:, 40:]
    found = likeness.groups(np.stack([likeness.small(pixels, mask) for pixels in (one, corner, elsewhere)]))
    assert found == [[0, 2]]


def test_black_pictures_and_single_ones_are_no_special_case() -> None:
    """All black is all alike; of one picture none is like another; of none neither."""
    assert likeness.groups(np.zeros((3, 1024), np.uint8)) == [[0, 1, 2]]
    assert likeness.groups(shrunk([part(0)])) == []
    assert likeness.groups(np.zeros((0, 1024), np.uint8)) == []
