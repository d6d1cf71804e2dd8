"""Too few pictures are refused, and a method learns as its settings say."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration import fitting, threshold
from calibration.features import Extractor, Features
from calibration.fitting import Judged
from inspectd.errors import NotEnoughPictures
from inspectd.station.schema import Method
from tests.calibration import parts
from tests.calibration.parts import METHOD


@pytest.fixture
def features(extractor: Extractor, tmp_path: Path) -> Features:
    folder = parts.good_folder(tmp_path / "good", 15)
    return Features(extractor, parts.samples(folder), 0, lambda _done: None)


def bank_of(vectors: int | str) -> Method:
    return msgspec.structs.replace(METHOD, bank=vectors)


def test_too_few_pictures_for_the_bank_or_the_golden_ones_are_refused() -> None:
    """Before anything is computed; each says how many are needed or were expected."""
    groups = [str(i) for i in range(15)]
    with pytest.raises(NotEnoughPictures, match=r"at least 13 good pictures for a bank of 800 .* got 11 of 15.* about 18"):
        fitting.check_enough(threshold.split(groups, 5, None, 0), 64, bank_of(800))
    with pytest.raises(NotEnoughPictures, match=r"at least 13 good pictures for a bank of 800 .* got 10 of 15.* about 20"):
        fitting.check_enough(threshold.split(groups, 5, 0.34, 0), 64, bank_of(800))
    with pytest.raises(NotEnoughPictures, match="at least 4 good pictures held out, got 2 of 15"):
        fitting.check_enough(threshold.split(groups, 5, 0.13, 0), 64, bank_of(100))
    fitting.check_enough(threshold.split(groups, 5, None, 0), 64, bank_of(11 * 64))


def test_a_share_of_all_patches_and_methods_without_a_bank_need_no_more_pictures() -> None:
    """However large the number that PatchCore would keep."""
    split = threshold.split([str(i) for i in range(15)], 5, None, 0)
    fitting.check_enough(split, 64, bank_of("100%"))
    fitting.check_enough(split, 64, msgspec.structs.replace(METHOD, kind="padim", bank=800))
    fitting.check_enough(split, 64, msgspec.structs.replace(METHOD, kind="spade", bank=800))


def test_no_pictures_have_no_scores(extractor: Extractor, features: Features) -> None:
    """Where no bad parts are given, their scores are empty."""
    fitted = fitting.fit(features, np.arange(15), METHOD, 0, lambda _done: None)
    judge = fitting.judge(fitted, METHOD, extractor)
    nothing = fitting.score(judge, features.vectors, np.arange(0), 1, lambda _done: None)
    assert len(nothing.scores) == len(nothing.pictures) == len(nothing.distances) == 0


def test_what_was_said_of_parts_of_the_pictures_is_put_together_by_picture() -> None:
    """Distances and scores go with their pictures, however those were dealt."""
    dealt = [np.array([4, 1]), np.array([0, 3, 2])]
    parts_ = [Judged(some, np.float32(some)[:, None, None] * np.ones((1, 2, 3), np.float32), some / 2) for some in dealt]
    whole = fitting.in_order(parts_)
    assert whole.pictures.tolist() == [0, 1, 2, 3, 4]
    assert whole.scores.tolist() == [0, 0.5, 1, 1.5, 2]
    assert whole.distances.shape == (5, 2, 3)
    assert (whole.distances == np.arange(5)[:, None, None]).all()


def test_the_sampler_is_the_one_asked_for(features: Features) -> None:
    """Greedy spreads the bank: its two closest vectors lie farther apart than those of a random one."""

    def closest(sampler: str) -> float:
        method = msgspec.structs.replace(METHOD, sampler=sampler)
        bank = fitting.fit(features, np.arange(15), method, 0, lambda _done: None)["bank"]
        apart = np.linalg.norm(bank[:, None] - bank[None], axis=2)
        return float(apart[~np.eye(len(bank), dtype=bool)].min())

    assert closest("greedy") > closest("random")
