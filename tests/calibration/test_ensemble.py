"""Members are scored by banks that do not contain the part, golden parts are in nobody's bank, and all judge as one."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration import ensemble, fitting, threshold
from calibration.ensemble import Learnt, Pupil
from calibration.features import Extractor, Features
from calibration.progress import Progress, Silent
from inspectd.station.schema import Weighted
from inspectd.vision.backbone import Backbone
from inspectd.vision.methods import Arrays
from inspectd.vision.neighbours import standardise
from tests.calibration import parts
from tests.calibration.parts import METHOD, Watch

TWO = (
    Weighted(backbone="lite0", layers=(4, 10), input_px=64, bank=100, weight=2),
    Weighted(backbone="lite0", layers=(4, 10), input_px=(96, 64), bank=60, score="max", stride=2),
)


@pytest.fixture
def features(extractor: Extractor, tmp_path: Path) -> Features:
    folder = parts.good_folder(tmp_path / "good", 15)
    return Features(extractor, parts.samples(folder), 0, lambda _done: None)


@pytest.fixture
def pupils(backbone: Backbone, features: Features) -> list[Pupil]:
    """Two members that see the same parts in other sizes."""
    eyes = [Extractor(backbone, one.size_px, stride=one.stride, size=(64, 64)) for one in TWO]
    seen = [Features(eye, features.samples, 0, lambda _done: None) for eye in eyes]
    return list(map(Pupil, TWO, eyes, seen))


def learnt_by(pupils: list[Pupil], seed: int = 0, holdout: float | None = None, progress: Progress | None = None) -> Learnt:
    groups = [sample.group for sample in pupils[0].features.samples]
    return ensemble.learn(pupils, threshold.split(groups, 5, holdout, seed), seed, progress or Silent())


def learnt_from(features: Features, seed: int = 0, holdout: float | None = None, progress: Progress | None = None) -> Learnt:
    return learnt_by([Pupil(METHOD, features.extractor, features)], seed, holdout, progress)


def in_bank(features: Features, fitted: Arrays, picture: int) -> int:
    """How many of a picture's patches are vectors of the bank."""
    vectors = features.vectors(np.array([picture]))
    patches = standardise(vectors.reshape(-1, vectors.shape[-1]), fitted["channel_mean"], fitted["channel_scale"])
    bank = {vector.tobytes() for vector in fitted["bank"]}
    return sum(vector.tobytes() in bank for vector in patches)


def test_cross_fit_scores_every_part_and_keeps_golden_ones_out(features: Features) -> None:
    """15 parts, 15 scores in order; four golden parts give nothing to the bank, which the others fill."""
    watch = Watch()
    learnt = learnt_from(features, seed=0, progress=watch)
    assert learnt.good.pictures.tolist() == list(range(15))
    assert learnt.panel.fitted[0]["bank"].shape == (METHOD.bank, 152)
    assert len(set(learnt.golden.tolist())) == 4
    counts = [in_bank(features, learnt.panel.fitted[0], picture) for picture in range(15)]
    assert all(counts[picture] == 0 for picture in learnt.golden)
    assert sum(counts) == METHOD.bank
    assert not learnt.exact
    assert watch.stages == {"scores of good parts": [515, 515], "bank": [100, 100]}


def test_golden_parts_are_typical_ones(features: Features) -> None:
    """They come from the lower half of the scores, and the seed decides which."""
    learnt = learnt_from(features, seed=0)
    assert learnt.good.scores[learnt.golden].max() <= np.median(learnt.good.scores)
    other = learnt_from(features, seed=1)
    assert learnt.golden.tolist() != other.golden.tolist()


def test_a_part_is_scored_by_a_bank_of_other_groups(extractor: Extractor, tmp_path: Path) -> None:
    """Two pictures of a group of which one is a copy of the other: a bank with either would give it a score near 0."""
    folder = parts.good_folder(tmp_path / "good", 10)
    parts.write(folder, {"0000b.png": parts.part(0)})
    features = Features(extractor, parts.samples(folder, r"^(\d+)"), 0, lambda _done: None)
    learnt = learnt_from(features, seed=0)
    whole = fitting.judge(learnt.panel.fitted[0], METHOD, extractor)
    everything = msgspec.structs.replace(METHOD, bank=600)
    full = fitting.judge(fitting.fit(features, np.arange(11), everything, 0, lambda _done: None), everything, extractor)
    vectors = features.vectors(np.array([0]))
    assert full.judge(vectors).scores[0] < learnt.good.scores[0] / 2
    assert whole.judge(vectors).scores[0] > 0


def test_held_out_parts_are_scored_by_the_bundles_own_bank(features: Features) -> None:
    """A fifth is held out and gives nothing to the bank; golden parts are of it; the scores are exact."""
    learnt = learnt_from(features, holdout=0.34)
    assert learnt.exact
    assert len(learnt.good.pictures) == 5
    assert set(learnt.golden.tolist()) <= set(learnt.good.pictures.tolist())
    assert all(in_bank(features, learnt.panel.fitted[0], picture) == 0 for picture in learnt.good.pictures)
    judge = fitting.judge(learnt.panel.fitted[0], METHOD, features.extractor)
    again = fitting.score(judge, features.vectors, learnt.good.pictures, 2, lambda _done: None)
    assert np.array_equal(again.scores, learnt.good.scores)


@pytest.mark.parametrize("holdout", [None, 0.34])
def test_the_score_is_the_weighted_sum_in_units_of_each_members_spread(pupils: list[Pupil], holdout: float | None) -> None:
    """The scores that the threshold rests on; the same split for all members."""
    learnt = learnt_by(pupils, holdout=holdout)
    one, other = learnt.good.members
    assert np.array_equal(one.pictures, other.pictures)
    assert learnt.panel.scales == pytest.approx([one.scores.std(), other.scores.std()])
    assert learnt.good.scores == pytest.approx(2 * one.scores / one.scores.std() + other.scores / other.scores.std())


def test_no_member_learns_from_golden_parts(pupils: list[Pupil]) -> None:
    """They are drawn once, by the score of all."""
    learnt = learnt_by(pupils)
    assert len(learnt.golden) == 4
    for pupil, fitted in zip(pupils, learnt.panel.fitted, strict=True):
        assert [in_bank(pupil.features, fitted, picture) for picture in learnt.golden] == [0, 0, 0, 0]
        assert len(fitted["bank"]) == pupil.method.bank
    assert learnt.good.scores[learnt.golden].max() <= np.median(learnt.good.scores)


def test_held_out_parts_are_scored_by_the_panel_itself(pupils: list[Pupil]) -> None:
    """Seen again they score the same, and unseen bad parts score higher than all of them."""
    learnt = learnt_by(pupils, holdout=0.34)
    samples = pupils[0].features.samples
    told: list[int] = []
    again = learnt.panel.see([samples[i] for i in learnt.good.pictures], 1, told.append)
    assert again.scores == pytest.approx(learnt.good.scores, rel=1e-4)
    assert sum(told) == 2 * len(learnt.good.pictures)
    bad = learnt.panel.score([parts.bad_part(i)[0] for i in range(4)])
    assert bad.min() > learnt.good.scores.max()


def test_stages_of_several_members_are_told_apart(pupils: list[Pupil]) -> None:
    """Each ends where it said it would."""
    watch = Watch()
    learnt_by(pupils, progress=watch)
    assert watch.stages == {
        "scores of good parts, member 0": [515, 515],
        "scores of good parts, member 1": [315, 315],
        "bank, member 0": [100, 100],
        "bank, member 1": [60, 60],
    }


def test_good_parts_that_are_all_equal_do_not_make_rounding_the_unit() -> None:
    """A member whose good scores do not vary is divided by a thousandth of their mean."""
    assert ensemble.spread(np.full(9, 5.0)) == pytest.approx(0.005)
    assert ensemble.spread(np.zeros(9)) > 0
