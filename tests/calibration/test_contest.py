"""Who wins a comparison of settings, from scores that are made up."""

import numpy as np
import pytest

from calibration import contest, metrics
from calibration.contest import Answers, Draws, Floats

PARTS, DEFECTS = 40, 160
PART_OF = np.arange(DEFECTS) % PARTS


def answers(by: float, seed: int = 0, bad: int = 0) -> Answers:
    """Scores of a setting to which defects look so many standard deviations away; all settings see the same parts."""
    rng = np.random.default_rng(seed)
    good, painted, known = rng.normal(0, 1, PARTS), rng.normal(0, 1, DEFECTS), rng.normal(0, 1, bad)
    return Answers(good, painted + by, known + by)


def draws(bad: int = 0) -> Draws:
    return contest.draw([str(i) for i in range(PARTS)], bad, seed=1)


def figure(by: float, seed: int = 0) -> Floats:
    return contest.figures(answers(by, seed), PART_OF, draws())


def test_the_figure_is_the_auroc_against_other_parts() -> None:
    """As an independent implementation has it, but for each defect's own part, with which it is not compared."""
    said = answers(1.0)
    whole = metrics.image_auroc(said.good, said.painted)
    own = np.mean(said.painted > said.good[PART_OF])
    assert figure(1.0)[0] == pytest.approx((whole * PARTS - own) / (PARTS - 1))


def test_real_defects_count_the_more_the_more_there_are() -> None:
    """Twenty of them half, whatever the painted ones say."""
    said = answers(0.0, bad=20)
    sure = Answers(said.good, said.painted, said.bad + 50)
    blind = contest.figures(Answers(said.good, said.painted, np.empty(0)), PART_OF, draws())[0]
    assert contest.figures(sure, PART_OF, draws(20))[0] == pytest.approx((1 + blind) / 2)


def test_parts_of_one_group_are_drawn_together() -> None:
    """With ten groups of four, a part counts as often as the others of its group."""
    drawn = contest.draw([str(i // 4) for i in range(PARTS)], 0, seed=3).good
    assert (drawn[0] == 1).all()
    assert (drawn.reshape(-1, 10, 4) == drawn.reshape(-1, 10, 4)[:, :, :1]).all()
    assert not (drawn[1] == 1).all()


def test_the_spread_is_that_of_other_parts() -> None:
    """The interval from one sample of parts holds the figure of most others, and is no wider than theirs."""
    low, high = contest.interval(figure(1.0))
    others = [figure(1.0, seed)[0] for seed in range(100)]
    assert 70 <= sum(low <= other <= high for other in others) <= 100
    assert 0.5 < (high - low) / (np.quantile(others, 0.975) - np.quantile(others, 0.025)) < 2


def test_the_favourite_wins_unless_another_is_clearly_better() -> None:
    """Better by less than the margin, or by chance alone, is not enough; clearly better is."""
    same, better = figure(1.0), figure(2.0)
    assert contest.winner([same, same + contest.MARGIN / 2], [50.0, 5.0], 0, contest.MARGIN) == 0
    noise = np.concatenate([[0.0], np.random.default_rng(0).normal(0, 0.1, contest.DRAWS)])
    assert contest.winner([same, same + noise + 0.05], [50.0, 5.0], 0, contest.MARGIN) == 0
    assert contest.winner([same, better], [5.0, 50.0], 0, contest.MARGIN) == 1


def test_of_those_as_good_as_the_best_the_cheapest_wins() -> None:
    """Where the favourite is far behind."""
    far, best = figure(0.0), figure(2.0)
    found = [far, best, best - contest.TIE / 2, best - 3 * contest.TIE]
    assert contest.winner(found, [5.0, 40.0, 30.0, 10.0], 0, contest.MARGIN) == 2


def test_who_can_hardly_be_ahead_of_the_favourite_any_more_leaves_and_never_the_favourite() -> None:
    """One that is behind by less than noise stays."""
    noise = np.concatenate([[0.0], np.random.default_rng(0).normal(0, 0.05, contest.DRAWS)])
    favourite = figure(1.0)
    found = [favourite, figure(2.0), figure(0.5), favourite + noise, favourite + 0.01]
    assert contest.remaining(found, 0, contest.MARGIN) == [0, 1, 3]


def test_the_more_real_defects_are_known_the_less_is_the_favourite_preferred() -> None:
    assert contest.margin(0) == contest.MARGIN
    assert contest.margin(20) == pytest.approx((contest.MARGIN + contest.TIE) / 2)
    assert contest.margin(10_000) == pytest.approx(contest.TIE, rel=0.1)


def test_how_sure_is_how_often_it_would_be_chosen_again() -> None:
    """Always of one far ahead of the favourite; about half of the draws where the favourite is now ahead, now behind."""
    far, best = figure(0.0), figure(2.0)
    assert contest.sureness([far, best], 1, 0, contest.MARGIN) == 1
    assert contest.sureness([best, far], 0, 0, contest.MARGIN) == 1
    swing = np.concatenate([[0.0], np.tile([0.1, -0.1], contest.DRAWS // 2)])
    assert contest.sureness([best, best + swing], 0, 0, contest.MARGIN) == 0.5
