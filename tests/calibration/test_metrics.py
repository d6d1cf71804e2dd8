"""Every figure equals that of an independent implementation: scikit-learn's, scipy's, or a plain sweep."""

import numpy as np
import pytest
import scipy.ndimage
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from calibration import metrics
from inspectd.errors import BadInput

Scores = NDArray[np.float64]

# few distinct values, so that ties within and between the classes are the rule
scores = arrays.arrays(np.float64, st.integers(1, 16), elements=st.integers(0, 12).map(float))
masks = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def labelled(good: Scores, bad: Scores) -> tuple[Scores, Scores]:
    return np.repeat([0, 1], [len(good), len(bad)]), np.concatenate([good, bad])


@settings(max_examples=40, deadline=None)
@given(scores, scores)
def test_image_auroc_and_average_precision_equal_scikit_learns(good: Scores, bad: Scores) -> None:
    """Ranking figures agree, ties included."""
    truth, both = labelled(good, bad)
    assert metrics.image_auroc(good, bad) == pytest.approx(sklearn.metrics.roc_auc_score(truth, both))
    curve = sklearn.metrics.precision_recall_curve(truth, both)
    mean = sum(p * (truth == 1)[both == t].sum() for p, t in zip(curve[0], curve[2], strict=False)) / len(bad)
    assert metrics.average_precision(good, bad) == pytest.approx(mean)
    assert metrics.average_precision(good, bad) == pytest.approx(sklearn.metrics.average_precision_score(truth, both))


@settings(max_examples=40, deadline=None)
@given(scores, scores)
def test_the_roc_curve_turns_where_scikit_learns_does(good: Scores, bad: Scores) -> None:
    """Each of its points is one of scikit-learn's, and each corner of scikit-learn's curve is one of its points."""
    truth, both = labelled(good, bad)
    found = points(metrics.roc(good, bad))
    x, y, _ = sklearn.metrics.roc_curve(truth, both, drop_intermediate=False)
    turns = np.append(True, np.append(~np.isclose(np.diff(x)[1:] * np.diff(y)[:-1], np.diff(x)[:-1] * np.diff(y)[1:]), True))
    assert found <= points((x, y))
    assert points((x[turns], y[turns])) <= found


def points(curve: tuple[Scores, ...]) -> set[tuple[float, float]]:
    return set(zip(curve[0].round(9).tolist(), curve[1].round(9).tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(scores, scores)
def test_the_precision_recall_curve_equals_scikit_learns(good: Scores, bad: Scores) -> None:
    """Point by point, from no rejected part to all of them."""
    truth, both = labelled(good, bad)
    precision, recall, _ = sklearn.metrics.precision_recall_curve(truth, both)
    found = metrics.precision_recall(good, bad)
    assert found.x == pytest.approx(recall[::-1])
    assert found.y == pytest.approx(precision[::-1])


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 3000), st.integers(2, 60))
def test_a_thinned_curve_keeps_its_ends_and_its_course(points: int, kept: int) -> None:
    """No more points than asked for, all of them points of the curve, and about the same area under it."""
    x = np.linspace(0, 1, points)
    whole = metrics.Curve(x, np.sqrt(x))
    thin = whole.thinned(kept)
    assert len(thin.x) <= max(kept, 2)
    assert (thin.x[0], thin.y[0], thin.x[-1], thin.y[-1]) == (0, 0, 1, 1)
    assert set(thin.x) <= set(whole.x)
    assert thin.area() == pytest.approx(whole.area(), abs=0.5 / (kept - 1))


@settings(max_examples=40, deadline=None)
@given(scores, scores)
def test_the_f1_optimal_threshold_is_the_best_of_all_thresholds(good: Scores, bad: Scores) -> None:
    """No threshold gives a larger F1 (scikit-learn's), and the counts are those at the threshold returned."""
    truth, both = labelled(good, bad)
    best = metrics.f1_optimal(good, bad)
    assert best.f1 == pytest.approx(max(sklearn.metrics.f1_score(truth, both >= t) for t in np.unique(both)))
    tn, fp, fn, tp = sklearn.metrics.confusion_matrix(truth, both >= best.threshold, labels=[0, 1]).ravel()
    assert (best.passed, best.false_rejects, best.escaped, best.rejected) == (tn, fp, fn, tp)


@settings(max_examples=40, deadline=None)
@given(scores, scores)
def test_full_recall_rejects_all_bad_with_the_fewest_false_rejects(good: Scores, bad: Scores) -> None:
    """Nothing bad passes, and exactly the good parts at or above the lowest bad score are rejected."""
    found = metrics.full_recall(good, bad)
    assert found.escaped == 0
    assert found.false_rejects == (good >= bad.min()).sum()


def test_a_threshold_between_two_scores_lies_in_their_middle() -> None:
    """Both sides get the same margin."""
    assert metrics.f1_optimal([1.0, 2.0], [4.0, 5.0]).threshold == 3.0
    assert metrics.full_recall([1.0, 2.0], [3.0, 5.0]).threshold == 2.5


def test_confusion_counts_a_score_equal_to_the_threshold_as_rejected() -> None:
    """`score >= threshold` is FAIL; one class alone can be counted too."""
    found = metrics.confusion([1.0, 2.0, 3.0], [2.0, 1.5], 2.0)
    assert (found.passed, found.false_rejects, found.escaped, found.rejected) == (1, 2, 1, 1)
    assert found.f1 == pytest.approx(2 / 5)
    assert metrics.confusion([1.0], [], 2.0) == metrics.Confusion(2.0, 0, 0, 0, 1)
    assert metrics.confusion([1.0], [], 2.0).f1 == 0.0


@settings(max_examples=40, deadline=None)
@given(masks)
def test_regions_equal_scipys_eight_connected_labels(mask: NDArray[np.bool_]) -> None:
    """The same pixels belong together; numbers follow reading order."""
    found = metrics.regions(mask)
    expected, count = scipy.ndimage.label(mask, np.ones((3, 3)))
    pairs = set(zip(found[mask].tolist(), expected[mask].tolist(), strict=True))
    assert len(pairs) == count
    assert set(found[mask].tolist()) == set(range(1, count + 1))
    assert not found[~mask].any()
    first = [int(np.flatnonzero(found.ravel() == n)[0]) for n in range(1, count + 1)]
    assert first == sorted(first)


@settings(max_examples=40, deadline=None)
@given(masks)
def test_regions_are_looked_for_between_the_first_and_the_last_defective_pixel(mask: NDArray[np.bool_]) -> None:
    """They are those of the whole mask, in the same order; of a mask without any, nothing is looked at."""
    box = metrics._box(mask)
    inside = mask[box]
    assert metrics.regions(inside)[inside].tolist() == metrics.regions(mask)[mask].tolist()
    assert inside.sum() == mask.sum()
    assert mask.any() or inside.size == 0
    assert not mask.any() or (inside.any(axis=0)[[0, -1]].all() and inside.any(axis=1)[[0, -1]].all())


def pictures(seed: int, levels: int | None) -> tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]]]:
    """Six maps with two or three defects each and one without; few levels give ties."""
    rng = np.random.default_rng(seed)
    masks = [scipy.ndimage.gaussian_filter(rng.standard_normal((10, 14)), 1.2) > 0.2 for _ in range(5)]
    masks.append(np.zeros((10, 14), bool))
    maps = [rng.normal(mask * 1.5, 1).astype(np.float32) for mask in masks]
    if levels:
        maps = [np.round(heat * levels) / levels for heat in maps]
    return maps, masks


def swept_pro(maps: list[NDArray[np.float32]], masks: list[NDArray[np.bool_]], limit: float) -> float:
    """PRO as its definition reads: for each threshold, the mean overlap over scipy's regions and the false positive rate."""
    areas = [
        (heat, labels == n)
        for heat, mask in zip(maps, masks, strict=True)
        for labels, count in [scipy.ndimage.label(mask, np.ones((3, 3)))]
        for n in range(1, count + 1)
    ]
    normal = np.concatenate([heat[~mask] for heat, mask in zip(maps, masks, strict=True)])
    cuts = [np.inf, *np.unique(np.concatenate([heat.ravel() for heat in maps]))[::-1]]
    x = [float(np.mean(normal >= cut)) for cut in cuts]
    y = [float(np.mean([np.mean(heat[area] >= cut) for heat, area in areas])) for cut in cuts]
    at = next(i for i, rate in enumerate(x) if rate > limit)
    edge = y[at - 1] + (y[at] - y[at - 1]) * (limit - x[at - 1]) / (x[at] - x[at - 1])
    return float(np.trapezoid([*y[:at], edge], [*x[:at], limit])) / limit


@pytest.mark.parametrize("levels", [None, 1, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_pixel_auroc_and_pro_equal_independent_ones(seed: int, levels: int | None) -> None:
    """Pixels of all pictures pool; regions weigh the same; ties slant the curve; 30 % is where it ends."""
    maps, masks = pictures(seed, levels)
    truth = np.concatenate([mask.ravel() for mask in masks])
    heat = np.concatenate([heat.ravel() for heat in maps])
    found = metrics.pixel_curves(maps, masks)
    assert found.auroc == pytest.approx(sklearn.metrics.roc_auc_score(truth, heat))
    for limit in (0.05, 0.3):
        assert found.pro(limit) == pytest.approx(swept_pro(maps, masks, limit), abs=1e-9)


def test_pro_weighs_a_small_region_like_a_large_one() -> None:
    """A missed single pixel costs half where there are two regions."""
    heat, mask = np.zeros((10, 10), np.float32), np.zeros((10, 10), bool)
    mask[:5] = mask[9, 9] = True
    heat[:5] = 1
    heat[9, 9] = -1
    assert metrics.pixel_curves([heat], [mask]).pro() == pytest.approx(0.5)


FIGURES = [
    metrics.image_auroc, metrics.average_precision, metrics.f1_optimal, metrics.full_recall, metrics.roc,
    metrics.precision_recall,
]  # fmt: skip


@pytest.mark.parametrize("figure", FIGURES)
def test_a_missing_class_is_named(figure) -> None:
    """A figure that needs both classes says which one is not there."""
    with pytest.raises(BadInput, match="got 0 good and 2 defective"):
        figure([], [1.0, 2.0])
    with pytest.raises(BadInput, match="got 1 good and 0 defective"):
        figure([1.0], [])
    with pytest.raises(ValueError, match="finite"):
        figure([1.0], [np.nan])


def test_pixel_figures_without_defects_or_with_masks_of_another_size_are_refused() -> None:
    """No defective pixel, no picture at all, a mask of another size: each says so."""
    heat = np.zeros((4, 4), np.float32)
    with pytest.raises(BadInput, match="got 16 good and 0 defective"):
        metrics.pixel_curves([heat], [np.zeros((4, 4), bool)])
    with pytest.raises(BadInput, match="got 0 good and 0 defective"):
        metrics.pixel_curves([], [])
    with pytest.raises(ValueError, match="same size"):
        metrics.pixel_curves([heat], [np.zeros((4, 5), bool)])


@pytest.mark.parametrize("bad", range(1, 120))
def test_an_auroc_is_never_more_than_1(bad: int) -> None:
    """Shares of 1/42 add up to more than 1 in floating point."""
    assert metrics.image_auroc([1.0] * 7, [2.0 + i for i in range(bad)]) <= 1.0
