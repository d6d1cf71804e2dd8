"""What is refused, and that nothing else is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspectd import image
from inspectd.capture import quality
from inspectd.capture.flaw import Flaw
from inspectd.capture.quality import Judge, see

SIDE = 128


def part(seed: int, noise: float = 1.5) -> np.ndarray:
    """A lit plate with marks of its own, seen by a camera with noise."""
    rng = np.random.default_rng(seed)
    marks = np.kron(rng.integers(60, 200, (SIDE // 8, SIDE // 8)), np.ones((8, 8)))
    return np.clip(marks + rng.normal(0, noise, marks.shape), 0, 255).astype(np.uint8)


def out_of_focus(pixels: np.ndarray, sigma: float = 2.5) -> np.ndarray:
    return np.clip(image.blur(pixels.astype(np.float32), sigma), 0, 255).astype(np.uint8)


def judge_of(pictures: list[np.ndarray], allowed: tuple[Flaw, ...] = ()) -> Judge:
    judge = Judge(allowed)
    for number, pixels in enumerate(pictures):
        judge.keep(see(pixels), f"{number}.png")
    return judge


GOOD = [part(seed) for seed in range(12)]


@settings(max_examples=40, deadline=None)
@given(st.integers(100, 10_000), st.floats(0.7, 1.2), st.integers(0, 12))
def test_another_part_is_kept_whatever_the_light(seed: int, light: float, known: int) -> None:
    """Of any seed, a third darker or a fifth brighter, with few or many known before."""
    pixels = np.clip(part(seed) * light, 0, 245).astype(np.uint8)
    assert judge_of(GOOD[:known]).refuse(see(pixels)) is None


@given(st.integers(0, 12), st.floats(0, 2.5), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_picture_in_the_dark_is_black_whatever_its_noise(level: int, noise: float, seed: int) -> None:
    """Black level and noise of a camera, and a defect pixel that is always white."""
    pixels = np.clip(np.random.default_rng(seed).normal(level, noise, (SIDE, SIDE)), 0, 255).astype(np.uint8)
    pixels[3, 4] = 255
    refusal = judge_of(GOOD).refuse(see(pixels))
    assert refusal
    assert refusal.flaw is Flaw.BLACK


@given(st.floats(0.0, 1.0))
@settings(max_examples=40, deadline=None)
def test_so_much_of_a_picture_may_be_clipped_and_no_more(share: float) -> None:
    """A glint passes, an overexposed part does not; the share stands in the sentence."""
    pixels = part(200)
    rows = 2 * round(share * SIDE / 2)  # it is looked at at half its size
    pixels[:rows] = 255
    refusal = judge_of(GOOD[:3]).refuse(see(pixels))
    if rows / SIDE > quality.MOST_CLIPPED:
        assert refusal
        assert refusal.flaw is Flaw.SATURATED
        assert f"{np.mean(pixels >= quality.CLIPPED):.0%} of it" in refusal.why
    else:
        assert refusal is None


@pytest.mark.parametrize("colour", [False, True])
def test_a_blurred_picture_is_refused_once_sharp_ones_are_known_and_doubted_before(colour: bool) -> None:
    """The first pictures have nothing to be held against; when there is, they are named."""

    def seen(pixels: np.ndarray) -> quality.Seen:
        return see(np.repeat(pixels[:, :, None], 3, axis=2) if colour else pixels)

    judge, blurred = Judge(), seen(out_of_focus(part(300)))
    assert judge.refuse(blurred) is None
    judge.keep(blurred, "first.png")
    assert judge.doubtful() == []
    for number, pixels in enumerate(GOOD):
        judge.keep(seen(pixels), f"{number}.png")
    refusal = judge.refuse(seen(out_of_focus(part(301))))
    assert refusal
    assert refusal.flaw is Flaw.BLURRED
    assert judge.doubtful() == ["first.png"]


def test_sharpness_that_varies_between_parts_is_no_blur() -> None:
    """Where kept parts differ fourfold in contrast, one of the least contrast is one of them."""
    pictures = [(128 + (part(seed).astype(np.float32) - 128) * (0.5 + seed % 5 / 8)).astype(np.uint8) for seed in range(20)]
    weak = (128 + (part(401).astype(np.float32) - 128) * 0.45).astype(np.uint8)
    assert judge_of(pictures).refuse(see(weak)) is None


def test_the_very_same_picture_is_a_duplicate_however_long_ago_it_came() -> None:
    """A folder that is replayed, or a frozen camera: the sentence names the first."""
    pictures = [part(seed) for seed in range(quality.REMEMBERED + 5)]
    refusal = judge_of(pictures).refuse(see(pictures[0].copy()))
    assert refusal
    assert (refusal.flaw, refusal.why) == (Flaw.DUPLICATE, "the same picture as 0.png, which is kept already")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 2.5), st.integers(-4, 4))
def test_a_part_that_lies_still_is_a_duplicate_whatever_the_noise_and_the_light(seed: int, noise: float, light: int) -> None:
    """A standing line takes the same part again; the camera's noise and the light differ a little."""
    rng = np.random.default_rng(seed)
    again = np.clip(GOOD[5].astype(np.float32) + rng.normal(light, noise, GOOD[5].shape), 0, 255).astype(np.uint8)
    refusal = judge_of(GOOD).refuse(see(again))
    assert refusal
    assert (refusal.flaw, refusal.why) == (Flaw.DUPLICATE, "it shows the same part as 5.png, which is kept already")


@pytest.mark.parametrize("flaw", list(Flaw))
def test_a_flaw_that_is_allowed_is_no_reason(flaw: Flaw) -> None:
    """Each one for itself."""
    flawed = {
        Flaw.BLACK: np.zeros((SIDE, SIDE), np.uint8),
        Flaw.SATURATED: np.where(np.arange(SIDE)[:, None] < SIDE // 2, 255, part(500)).astype(np.uint8),
        Flaw.BLURRED: out_of_focus(part(501)),
        Flaw.DUPLICATE: GOOD[1],
    }
    for other, pixels in flawed.items():
        known = GOOD if other is Flaw.BLURRED else GOOD[:3]  # where sharpness is known, half a part is a blurred one
        refusal = judge_of(known, (flaw,)).refuse(see(pixels))
        assert (refusal is None) == (other is flaw), other
    assert judge_of([*GOOD, flawed[Flaw.BLURRED]], (Flaw.BLURRED,)).doubtful() == []


def test_what_is_masked_is_not_looked_at() -> None:
    """A white backlight around a part is no overexposure, and a dark fixture no dark picture, where they are not judged."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:48, :48] = True
    backlit, dark = part(600), part(601)
    backlit[~mask], dark[mask] = 255, 0
    judge = Judge()
    assert judge.refuse(see(backlit, mask)) is None
    assert (judge.refuse(see(backlit)) or quality.Refusal(Flaw.BLACK, "")).flaw is Flaw.SATURATED
    assert judge.refuse(see(dark)) is None
    assert (judge.refuse(see(dark, mask)) or quality.Refusal(Flaw.SATURATED, "")).flaw is Flaw.BLACK


@given(st.integers(16, 200), st.integers(16, 200), st.booleans(), st.integers(0, 255))
@settings(max_examples=40, deadline=None)
def test_pictures_of_any_size_and_of_one_colour_can_be_looked_at(height: int, width: int, colour: bool, level: int) -> None:
    """Nothing in them is no figure that is none."""
    seen = see(np.full((height, width, 3) if colour else (height, width), level, np.uint8))
    judge = Judge()
    judge.keep(seen, "a.png")
    assert np.isfinite([seen.lit, seen.clipped, seen.sharpness]).all()
    refusal = judge.refuse(seen)
    assert refusal
