"""A threshold rejects no more good parts than promised, and says when the pictures cannot promise that."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration import threshold
from inspectd.errors import NotEnoughPictures


@pytest.mark.parametrize(("groups", "rate"), [(149, 0.02), (299, 0.01), (598, 0.005)])
def test_149_299_and_598_groups_support_2_1_and_half_a_percent(groups: int, rate: float) -> None:
    """With these many groups the rate is supported, with one fewer it is not."""
    assert threshold.rank_for(groups, rate) == 1
    assert threshold.rank_for(groups - 1, rate) == 0
    assert threshold.groups_for(rate) == groups
    assert threshold.supported_rate(groups) <= rate < threshold.supported_rate(groups - 1)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3000), st.floats(0.001, 0.4), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_rank_is_the_largest_that_the_binomial_allows(groups: int, rate: float, confidence: float) -> None:
    """P(Bin >= rank) is at least the confidence, and for the next rank it is below (scipy's binomial)."""
    rank = threshold.rank_for(groups, rate, confidence)
    assert rank == 0 or scipy.stats.binom.sf(rank - 1, groups, rate) >= confidence - 1e-9
    assert scipy.stats.binom.sf(rank, groups, rate) < confidence + 1e-9


@given(st.integers(1, 100_000))
def test_the_best_supported_rate_is_supported_by_the_highest_score(groups: int) -> None:
    """Whatever the number of groups, the rate they support gives them rank 1, and needs no more groups than they are."""
    rate = threshold.supported_rate(groups)
    assert threshold.rank_for(groups, rate) == 1
    assert threshold.groups_for(rate) == groups


@pytest.mark.parametrize(("groups", "rate"), [(60, "best"), (200, 0.05), (400, 0.02)])
def test_in_95_of_100_lines_the_false_reject_rate_is_what_was_promised(groups: int, rate: threshold.Rate) -> None:
    """4,000 simulated calibrations on exponential scores: the true rate above the threshold keeps the promise in 95 %."""
    rng = np.random.default_rng(groups)
    promised = threshold.supported_rate(groups) if rate == "best" else rate
    names = [str(i) for i in range(groups)]
    found = [threshold.max_false_reject(rng.exponential(size=groups), names, rate, exact=True).value for _ in range(4000)]
    kept = np.mean(np.exp(-np.array(found)) <= promised)
    assert kept >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 4000)  # three standard errors of the simulation


def test_a_group_counts_once_with_its_highest_score() -> None:
    """Many pictures of a few parts support no more than those parts do."""
    scores = np.arange(300.0)
    found = threshold.max_false_reject(scores, [str(i // 5) for i in range(300)], "best", exact=False)
    assert found.facts["groups"] == 60
    assert found.value == np.nextafter(299.0, np.inf)
    assert "cross-fitted" in found.how
    assert "estimate" in found.how
    assert "estimate" not in threshold.max_false_reject(scores, [str(i) for i in range(300)], "best", exact=True).how


def test_the_part_at_the_threshold_passes() -> None:
    """Scores equal to that of the rank, however many, are not rejected: the promise counts scores above it."""
    scores = np.array([1.0] * 100 + [2.0] * 100)
    found = threshold.max_false_reject(scores, [str(i) for i in range(200)], 0.1, exact=True)
    assert (scores >= found.value).sum() == 0


@given(st.integers(1, 400), st.data())
@settings(deadline=None, max_examples=40)
def test_the_interval_of_rejects_is_clopper_and_pearson_s(count: int, data: st.DataObject) -> None:
    """As scipy has it from the beta distribution; the share to expect lies inside."""
    rejected = data.draw(st.integers(0, count))
    scores = np.r_[np.ones(rejected), np.zeros(count - rejected)]
    found = threshold.rejects(scores, [str(i) for i in range(count)], 0.5)
    exact = scipy.stats.binomtest(rejected, count).proportion_ci(0.95, "exact")
    assert (found.rejected, found.groups) == (rejected, count)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert found.low <= found.expected <= found.high


def test_what_is_expected_of_a_promised_threshold_is_the_mean_of_wilks_distribution() -> None:
    """Just above the rank-th of n good scores: Beta(rank, n - rank + 1), its mean and its upper end."""
    scores = np.linspace(1, 2, 400)
    groups = [str(i) for i in range(400)]
    promised = threshold.max_false_reject(scores, groups, 0.02, exact=True)
    found = threshold.rejects(scores, groups, promised.value)
    wilks = scipy.stats.beta(promised.facts["rank"], 400 - promised.facts["rank"] + 1)
    assert found.expected == pytest.approx(wilks.mean())
    assert found.high == pytest.approx(wilks.ppf(0.975))


def test_too_few_groups_are_refused_with_the_rate_they_support() -> None:
    """The message names how many are needed, how many came, and a rate that is granted when asked for."""
    scores, names = np.arange(100.0), [str(i) for i in range(100)]
    with pytest.raises(
        NotEnoughPictures, match=r"at least 149 held-out good groups .* rate of 0.02, got 100; they support 0.0296: "
    ):
        threshold.max_false_reject(scores, names, 0.02, exact=True)
    assert threshold.max_false_reject(scores, names, 0.0296, exact=True).value == np.nextafter(99.0, np.inf)


def test_a_split_refuses_a_rate_that_the_scored_groups_do_not_support() -> None:
    """Cross-fitted, all groups count, once each; held out, only those of the share. `best` is always supported."""
    groups = [str(i // 2) for i in range(300)]
    crossed, held = threshold.split(groups, 5, None, 0), threshold.split(groups, 5, 0.2, 0)
    crossed.support(0.02)
    with pytest.raises(NotEnoughPictures, match=r"at least 299 good groups .* got 150; they support 0.0198:"):
        crossed.support(0.01)
    with pytest.raises(NotEnoughPictures, match=r"at least 149 held-out good groups .* got 30; they support 0.0951:"):
        held.support(0.02)
    held.support("best")
    assert len(crossed.scored) == 300
    assert {groups[i] for i in held.scored} == {groups[i] for i in np.flatnonzero(held.fold_of == 0)}


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.3, 0.4, 0.5])
def test_the_share_that_is_held_out_is_the_one_that_was_asked_for(share: float) -> None:
    """To the picture where each is a group of its own, to half a group where they stand together."""
    alone, pairs = [str(i) for i in range(160)], [str(i // 4) for i in range(160)]
    assert len(threshold.split(alone, 5, share, 0).scored) == round(share * 160)
    held = threshold.split(pairs, 5, share, 0)
    assert abs(len(held.scored) - share * 160) <= 2
    assert not {pairs[i] for i in held.scored} & {pairs[i] for i in np.flatnonzero(held.fold_of)}


def test_of_two_groups_one_is_held_out_and_a_single_one_is_too_few() -> None:
    """The bank needs pictures as well."""
    assert len(threshold.split(["a", "b"], 5, 0.5, 0).scored) == 1
    assert len(threshold.split(["a"] * 9 + ["b"], 5, 0.05, 0).scored) in (1, 9)
    with pytest.raises(NotEnoughPictures, match="at least 2 groups"):
        threshold.split(["a", "a"], 5, 0.5, 0)


def test_a_score_that_is_no_number_is_refused() -> None:
    """NaN would sort itself to the top."""
    with pytest.raises(ValueError, match="finite"):
        threshold.max_false_reject([1.0, np.nan], ["a", "b"], "best", exact=True)


def test_labelled_rules_say_what_they_cost() -> None:
    """F1 trades one against the other; full recall lets no known defect pass. Both name their counts."""
    good, bad = [1.0, 2.0, 3.0, 6.0], [5.0, 7.0, 8.0, 1.5]
    names = list("abcd")
    best = threshold.f1(good, names, bad, 0)
    assert best.value == 4.0
    assert (best.facts["false_rejects"], best.facts["escaped"]) == (1, 1)
    assert best.how.startswith("largest F1 (0.750) over 4 good parts (1 rejected) and 4 bad ones (1 passed); 95% interval ")
    safe = threshold.full_recall(good, names, bad, 0)
    assert safe.value == 1.25
    assert (safe.facts["false_rejects"], safe.facts["escaped"]) == (3, 0)


@pytest.mark.parametrize("rule", [threshold.f1, threshold.full_recall])
def test_an_interval_holds_its_threshold_comes_again_by_seed_and_narrows_with_more_parts(rule) -> None:
    """Overlapping normal scores: 400 parts of each kind say it more sharply than 40, and another seed alike."""
    rng = np.random.default_rng(0)

    def found(count: int, seed: int) -> dict[str, float | str]:
        good, bad = np.sort(rng.normal(0, 1, 400))[:: 400 // count], np.sort(rng.normal(2, 1, 400))[:: 400 // count]
        one = rule(good, [str(i) for i in range(count)], bad, seed)
        again = rule(good, [str(i) for i in range(count)], bad, seed)
        assert one.facts == again.facts
        assert one.facts["low"] <= one.value <= one.facts["high"]
        return one.facts

    few, many = found(40, 1), found(400, 2)
    assert many["high"] - many["low"] < few["high"] - few["low"]


def test_pictures_of_one_lot_are_drawn_together() -> None:
    """Ten pictures each of four lots whose scores are the lot's: the interval is as wide as of four parts, not of forty."""
    scores, bad = np.repeat([0.0, 1.0, 2.0, 3.0], 10), np.array([2.5, 3.5, 4.0, 5.0])
    lots = [str(i // 10) for i in range(40)]
    by_lot, alone = (threshold.f1(scores, groups, bad, 0).facts for groups in (lots, [str(i) for i in range(40)]))
    assert by_lot["high"] - by_lot["low"] >= alone["high"] - alone["low"]


@pytest.mark.slow
@pytest.mark.parametrize(("lots", "each", "rate"), [(160, 1, 0.02), (320, 1, 0.02), (160, 4, 0.02), (80, 3, "best")])
def test_fresh_lots_of_95_of_100_stations_are_rejected_no_more_than_promised(
    lots: int, each: int, rate: threshold.Rate
) -> None:
    """1,000 simulated stations, each of its own scale, lots that differ, parts that differ in a lot, scores in coarse steps.

    Each calibrates, then counts the share of 2,000 fresh lots with a part at or above the threshold.
    """
    rng, kept = np.random.default_rng([lots, each]), 0
    names = [str(i // each) for i in range(lots * each)]
    promised = threshold.supported_rate(lots) if rate == "best" else rate
    for _ in range(stations := 1000):
        scale, step = rng.lognormal(), rng.choice([1e-9, 0.05])

        def scores(count: int, scale=scale, step=step) -> np.ndarray:
            parts = scale * rng.gamma(2, size=(count, 1)) * rng.lognormal(0, 0.2, (count, each))
            return np.floor(parts / (step * scale)) * step * scale

        found = threshold.max_false_reject(scores(lots).ravel(), names, rate, exact=True).value
        kept += (scores(2000) >= found).any(axis=1).mean() <= promised
    # fresh lots are counted, so that a station right at the promise is above it half of the time: 1 % for that
    assert kept / stations >= 0.95 - 0.01 - 3 * np.sqrt(0.95 * 0.05 / stations)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=120), st.integers(2, 5), st.integers(0, 2**31 - 1))
def test_folds_never_split_a_group(groups: list[int], count: int, seed: int) -> None:
    """Every group lies in one fold, no fold is empty, and the same seed deals the same folds."""
    names = [f"lot-{g}" for g in groups]
    if len(set(names)) < count:
        with pytest.raises(NotEnoughPictures, match=f"at least {count} groups"):
            threshold.folds(names, count, seed)
        return
    dealt = threshold.folds(names, count, seed)
    assert len({(name, fold) for name, fold in zip(names, dealt.tolist(), strict=True)}) == len(set(names))
    assert set(dealt.tolist()) == set(range(count))
    assert dealt.tolist() == threshold.folds(names, count, seed).tolist()


def test_single_pictures_are_dealt_evenly_and_by_seed() -> None:
    """Folds of parts with one picture each differ by at most one; another seed deals otherwise."""
    names = [str(i) for i in range(103)]
    dealt = threshold.folds(names, 5, 0)
    assert sorted(np.bincount(dealt).tolist()) == [20, 20, 21, 21, 21]
    assert dealt.tolist() != threshold.folds(names, 5, 1).tolist()
