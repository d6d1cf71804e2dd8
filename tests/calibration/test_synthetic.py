"""Synthetic figures: the smallest size found is told with care, and everything is called synthetic."""

import numpy as np
import pytest

from calibration import defects, synthetic
from calibration.synthetic import Trial

KINDS = len(defects.KINDS)


def trial(*shares: float) -> Trial:
    """Sizes 3, 5, 8 … with a share of each size's 24 defects found at a threshold of 1, spread over the kinds."""
    found = [np.arange(24) < round(24 * share) for share in shares]
    scores = np.where(np.transpose(found), 2.0, 0.5).reshape(4, KINDS, len(shares)).transpose(1, 2, 0)
    return Trial(synthetic.SIZES[: len(shares)], scores)


@pytest.mark.parametrize(
    ("shares", "smallest"),
    [
        ((1.0, 1.0, 1.0), 3),
        ((0.5, 23 / 24, 1.0), 5),
        ((0.5, 22 / 24, 1.0), 8),
        ((1.0, 0.5, 1.0), 8),  # a smaller size found by luck does not count
        ((1.0, 1.0, 0.5), None),
    ],
)
def test_the_smallest_size_is_that_from_which_on_95_percent_are_found(shares: tuple[float, ...], smallest: int | None) -> None:
    """All larger sizes count too; where not even the largest is found, none is named."""
    assert synthetic.smallest_found(trial(*shares), 1.0) == smallest
    told = synthetic.figures(trial(*shares), np.array([0.1, 0.2]), 1.0, 0.25)
    assert told.get("synthetic_smallest_px") == smallest
    assert told.get("synthetic_smallest_mm") == (None if smallest is None else 0.25 * smallest)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.5, 23 / 24, 1.0), "from 5 px (1.25 mm) on: 47 of 48 are rejected, so at least 89% of such ones (95%)."),
        ((1.0, 1.0, 0.5), "even of the largest, 8 px, only 12 of 24 are rejected."),
    ],
)
def test_what_is_found_is_told_with_how_sure_that_is(shares: tuple[float, ...], said: str) -> None:
    assert synthetic.told(trial(*shares), 1.0, 0.25).endswith(said)


def test_large_defects_that_pass_are_warned_of() -> None:
    assert synthetic.warnings(trial(0.5, 1.0), 1.0) == []
    (warning,) = synthetic.warnings(trial(1.0, 0.9), 1.0)
    assert "even of the largest, 5 px, only 22 of 24 are rejected. The threshold may be too high" in warning
    assert synthetic.warnings(Trial([], np.zeros((KINDS, 0, 4))), 1.0) == []


def test_recall_is_told_by_kind_and_size_and_f1_beside() -> None:
    """One figure a cell, and those of all together; every name says that it is synthetic."""
    told = synthetic.figures(trial(0.5, 1.0), np.array([0.1, 5.0]), 1.0, None)
    assert all(name.startswith("synthetic_") for name in told)
    assert told["synthetic_recall"] == pytest.approx(0.75)
    assert told["synthetic_f1"] == pytest.approx(2 * 36 / (2 * 36 + 12 + 1))
    cells = [told[f"synthetic_recall.{kind}.{size}px"] for kind in defects.KINDS for size in (3, 5)]
    assert np.mean(cells) == pytest.approx(0.75)
    assert "synthetic_smallest_mm" not in told


def test_a_picture_too_small_for_any_size_has_no_synthetic_figures() -> None:
    assert synthetic.figures(Trial([], np.zeros((KINDS, 0, 4))), np.array([1.0]), 1.0, 0.1) == {}
