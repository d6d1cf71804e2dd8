"""The learning curve falls while more pictures bring something new, is flat when they do not, and says by which rule."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration import curve, ensemble, threshold
from calibration.curve import Curve
from calibration.ensemble import Pupil
from calibration.features import Extractor, Features
from calibration.progress import Silent
from tests.calibration import parts
from tests.calibration.parts import METHOD, Watch


def pupil(extractor: Extractor, folder: Path, **changes: object) -> Pupil:
    features = Features(extractor, parts.samples(folder), 0, lambda _done: None)
    return Pupil(msgspec.structs.replace(METHOD, **changes), extractor, features)


def drawn(one: Pupil, holdout: float | None = None, folds: int = 5, watch: Watch | None = None) -> Curve | None:
    groups = [sample.group for sample in one.features.samples]
    split = threshold.split(groups, folds, holdout, 0)
    return curve.draw([one], ensemble.learn([one], split, 0, Silent()), split, 0, watch or Watch())


def test_folds_are_scored_by_one_two_and_four_of_the_others(extractor: Extractor, tmp_path: Path) -> None:
    """Twenty parts in five folds: banks of 4, 8 and 16; every step is told, and the last scores are 1 on average."""
    watch = Watch()
    found = drawn(pupil(extractor, parts.good_folder(tmp_path / "good", 20)), watch=watch)
    assert found is not None
    assert found.pictures == [4, 8, 16]
    assert found.scores.shape == (3, 3)
    assert found.scores[:, -1].mean() == pytest.approx(1)
    assert watch.stages == {"learning curve": [6, 6]}


def test_a_hold_out_scores_its_parts_by_shares_of_the_rest(extractor: Extractor, tmp_path: Path) -> None:
    """A quarter of 16 is held out; banks come from 3, 6 and 12 of the others."""
    found = drawn(pupil(extractor, parts.good_folder(tmp_path / "good", 16)), holdout=0.25)
    assert found is not None
    assert found.pictures == [3, 6, 12]
    assert found.scores.shape == (3, 3)


def test_parts_that_all_differ_ask_for_more_and_parts_of_few_kinds_do_not(extractor: Extractor, tmp_path: Path) -> None:
    """Brightness anew in every part against two plates that come again and again with a little noise."""
    rng = np.random.default_rng(0)
    kinds = [np.kron(rng.integers(40, 200, (8, 8)), np.ones((8, 8))) for _ in range(2)]
    same = {f"{i:02}.png": np.clip(kinds[i % 2] + rng.normal(0, 1, (64, 64)), 0, 255).astype(np.uint8) for i in range(20)}
    new = {f"{i:02}.png": np.kron(rng.integers(0, 256, (8, 8), np.uint8), np.ones((8, 8), np.uint8)) for i in range(20)}
    flat = drawn(pupil(extractor, parts.write(tmp_path / "same", same)))
    steep = drawn(pupil(extractor, parts.write(tmp_path / "new", new)))
    assert flat is not None
    assert steep is not None
    assert steep.gain > flat.gain
    assert steep.helps
    assert steep.scores[:, 0].mean() > 1 + curve.GAIN


def test_the_verdict_follows_its_rule_and_names_it() -> None:
    """A gain of 3 % helps, one of 1 % does not; both say how sure that is."""
    many = 200
    helps = Curve([10, 20, 40], np.array([[1.2, 1.03, 1.0], [1.2, 1.031, 1.0]]))
    flat = Curve([10, 20, 40], np.array([[1.2, 1.01, 1.0], [1.2, 1.012, 1.0]]))
    assert curve.told(helps, many).startswith("More pictures would help: learning from 40 pictures instead of 20")
    assert "the score of good parts that were not learnt from by 3.0% (standard error 0.0%)" in curve.told(helps, many)
    assert curve.told(flat, many).startswith("More pictures would not help")
    assert "where it is lowered by 2% or more, more help" in curve.told(flat, many)


@pytest.mark.parametrize("scores", [[[1.1, 1.0], [0.93, 1.0]], [[0.97, 1.0], [0.96, 1.0]]], ids=["spread", "rising"])
def test_what_the_folds_do_not_agree_on_or_cannot_be_is_called_unclear(scores: list[list[float]]) -> None:
    """Scores that rise by 3 % with more pictures say that something else moved them, not that more would be useless."""
    found = Curve([20, 40], np.array(scores))
    assert curve.helps(found, 200) is None
    assert curve.told(found, 200).startswith("It is not clear whether more pictures would help: learning from 40")


def test_fewer_parts_than_a_promise_of_two_per_cent_needs_are_too_few_whatever_the_curve_says() -> None:
    flat = Curve([10, 20, 40], np.array([[1.2, 1.01, 1.0], [1.2, 1.012, 1.0]]))
    assert curve.helps(flat, 148) is True
    assert curve.helps(flat, 149) is False
    said = "More pictures would help: 24 good parts or lots support a promise of 11.7% false rejects, 149 one of 2%"
    assert curve.told(flat, 24).startswith(said)
    assert curve.told(None, 24).startswith(said)
    assert (
        curve.told(None, 149)
        == "It is not clear whether more pictures would help: too few different ones to learn from a part of them."
    )


def test_two_folds_are_too_few_for_a_curve(extractor: Extractor, tmp_path: Path) -> None:
    """There is nothing to double."""
    assert drawn(pupil(extractor, parts.good_folder(tmp_path / "good", 8)), folds=2) is None


def test_shares_with_fewer_different_patches_than_a_bank_give_no_curve(extractor: Extractor, tmp_path: Path) -> None:
    """Five pictures, each four times: the banks of four folds are full, one of a single fold is not; all goes on without."""
    folder = parts.write(tmp_path / "good", {f"{i:02}.png": parts.part(i % 5) for i in range(20)})
    groups = [str(i % 5) for i in range(20)]
    one, split = pupil(extractor, folder), threshold.split(groups, 5, None, 0)
    assert curve.draw([one], ensemble.learn([one], split, 0, Silent()), split, 0, Watch()) is None


@pytest.mark.parametrize("changes", [{"kind": "padim", "channels": 20}, {"kind": "spade", "retrieve": 5}])
def test_every_method_has_a_curve(changes: dict[str, object], extractor: Extractor, tmp_path: Path) -> None:
    """Whatever it learns."""
    found = drawn(pupil(extractor, parts.good_folder(tmp_path / "good", 20), **changes))
    assert found is not None
    assert np.isfinite(found.scores).all()
