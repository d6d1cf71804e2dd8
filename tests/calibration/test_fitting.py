"""Parts are scored by banks that do not contain them, and golden parts are in no bundle's bank."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration import fitting, threshold
from calibration.features import Extractor, Features
from calibration.progress import Progress, Silent
from inspectd.errors import NotEnoughPictures
from inspectd.vision.methods.patchcore import standardise
from tests.calibration import parts
from tests.calibration.parts import METHOD, Watch


@pytest.fixture
def features(extractor: Extractor, tmp_path: Path) -> Features:
    folder = parts.good_folder(tmp_path / "good", 15)
    return Features(extractor, parts.samples(folder), 0, lambda _done: None)


def learnt_from(
    features: Features, seed: int = 0, holdout: float | None = None, progress: Progress | None = None
) -> fitting.Learnt:
    split = threshold.split([sample.group for sample in features.samples], 5, holdout, seed)
    return fitting.learn(features, split, METHOD, seed, progress or Silent())


def in_bank(features: Features, fitted: fitting.Fitted, picture: int) -> int:
    """How many of a picture's patches are vectors of the bank."""
    vectors = features.vectors(np.array([picture]))
    patches = standardise(vectors.reshape(-1, vectors.shape[-1]), fitted.channel_mean, fitted.channel_scale)
    bank = {vector.tobytes() for vector in fitted.bank}
    return sum(vector.tobytes() in bank for vector in patches)


def test_cross_fit_scores_every_part_and_keeps_golden_ones_out(features: Features) -> None:
    """15 parts, 15 scores in order; four golden parts give nothing to the bank, which the others fill."""
    watch = Watch()
    learnt = learnt_from(features, seed=0, progress=watch)
    assert learnt.good.pictures.tolist() == list(range(15))
    assert learnt.fitted.bank.shape == (METHOD.bank, 152)
    assert len(set(learnt.golden.tolist())) == 4
    counts = [in_bank(features, learnt.fitted, picture) for picture in range(15)]
    assert all(counts[picture] == 0 for picture in learnt.golden)
    assert sum(counts) == METHOD.bank
    assert not learnt.exact
    assert watch.stages == {"banks of the folds": [500, 500], "scores of good parts": [15, 15], "bank": [100, 100]}


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
    whole = fitting.judge(learnt.fitted, METHOD, extractor)
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
    assert all(in_bank(features, learnt.fitted, picture) == 0 for picture in learnt.good.pictures)
    judge = fitting.judge(learnt.fitted, METHOD, features.extractor)
    again = fitting.score(judge, features.vectors, learnt.good.pictures, 2, lambda _done: None)
    assert np.array_equal(again.scores, learnt.good.scores)


def test_too_few_pictures_for_the_bank_or_the_golden_ones_are_refused() -> None:
    """Before anything is computed; each says how many are needed or were expected."""
    groups = [str(i) for i in range(15)]
    with pytest.raises(NotEnoughPictures, match=r"at least 13 good pictures for a bank of 800 .* got 11 of 15.* about 18"):
        fitting.check_enough(threshold.split(groups, 5, None, 0), 64, 800)
    with pytest.raises(NotEnoughPictures, match=r"at least 13 good pictures for a bank of 800 .* got 10 of 15.* about 20"):
        fitting.check_enough(threshold.split(groups, 5, 0.34, 0), 64, 800)
    with pytest.raises(NotEnoughPictures, match="at least 4 good pictures held out, got 2 of 15"):
        fitting.check_enough(threshold.split(groups, 5, 0.1, 0), 64, 100)
    fitting.check_enough(threshold.split(groups, 5, None, 0), 64, 11 * 64)


def test_no_pictures_have_no_scores(extractor: Extractor, features: Features) -> None:
    """Where no bad parts are given, their scores are empty."""
    fitted = fitting.fit(features, np.arange(15), METHOD, 0, lambda _done: None)
    judge = fitting.judge(fitted, METHOD, extractor)
    nothing = fitting.score(judge, features.vectors, np.arange(0), 1, lambda _done: None)
    assert len(nothing.scores) == len(nothing.pictures) == len(nothing.distances) == 0


def test_the_sampler_is_the_one_asked_for(features: Features) -> None:
    """Greedy spreads the bank: its two closest vectors lie farther apart than those of a random one."""

    def closest(sampler: str) -> float:
        method = msgspec.structs.replace(METHOD, sampler=sampler)
        bank = fitting.fit(features, np.arange(15), method, 0, lambda _done: None).bank
        apart = np.linalg.norm(bank[:, None] - bank[None], axis=2)
        return float(apart[~np.eye(len(bank), dtype=bool)].min())

    assert closest("greedy") > closest("random")
