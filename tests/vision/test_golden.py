"""The golden check refuses a detector whose numbers moved, whose labels flip, or that cannot tell good from defective."""

from types import SimpleNamespace

import numpy as np
import pytest

from inspectd.errors import BadBundle
from inspectd.vision.golden import Golden, check_golden
from tests.vision import make


class Replay:
    """A detector that gives the golden scores, each moved by a little."""

    threshold = 5.0

    def __init__(self, golden, by=0.0, **scores):
        self.scores = {golden.good.tobytes(): golden.good_scores, golden.defective.tobytes(): golden.defective_scores}
        for kind, values in scores.items():
            self.scores[getattr(golden, kind).tobytes()] = np.array(values, float)
        self.by = by

    def score(self, images):
        return [SimpleNamespace(score=float(score) + self.by) for score in self.scores[np.stack(images).tobytes()]]


def test_the_same_scores_are_accepted():
    check_golden(Replay(make.golden()), make.golden())


@pytest.mark.parametrize("by", [0.049, -0.049])
def test_a_score_may_move_by_less_than_1_percent_of_the_threshold(by):
    check_golden(Replay(make.golden(), by), make.golden())


@pytest.mark.parametrize("by", [0.051, -0.051, float("nan"), float("inf")])
def test_a_score_that_moves_by_more_is_refused(by):
    with pytest.raises(BadBundle, match="golden good picture 1: expected score 1 within 1% of the threshold 5, got"):
        check_golden(Replay(make.golden(), by), make.golden())


def test_one_moved_score_of_a_defective_picture_is_enough():
    with pytest.raises(BadBundle, match="golden defective picture 3: expected score 8 "):
        check_golden(Replay(make.golden(), defective=[6, 7, 8.1, 9]), make.golden())


def test_a_label_that_flips_is_refused_however_little_the_score_moved():
    near = make.golden()
    near.good_scores[1] = 4.999
    with pytest.raises(BadBundle, match=r"golden good picture 2: expected PASS, got score 5\.001 at threshold 5"):
        check_golden(Replay(near, good=[1, 5.001, 3, 4]), near)


def test_a_detector_that_says_the_same_of_all_is_refused():
    alike = make.golden()
    alike.defective_scores[:] = alike.good_scores
    alike.defective_failed[:] = False
    with pytest.raises(BadBundle, match="cannot tell them apart"):
        check_golden(Replay(alike), alike)


def test_a_detector_that_finds_good_parts_worse_is_refused():
    golden = make.golden()
    swapped = Golden(
        good=golden.defective, defective=golden.good, good_scores=golden.defective_scores,
        defective_scores=golden.good_scores, good_failed=golden.defective_failed, defective_failed=golden.good_failed,
    )  # fmt: skip
    with pytest.raises(BadBundle, match=r"got -5 on average"):
        check_golden(Replay(swapped), swapped)


def test_the_same_pictures_give_the_same_file(tmp_path):
    for name in ("a.npz", "b.npz"):
        make.golden().write(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_pictures_without_their_scores_are_refused(tmp_path):
    golden = make.golden()
    np.savez(tmp_path / "golden.npz", **{**vars(golden), "good_scores": golden.good_scores[:3]})
    with pytest.raises(BadBundle, match=r"golden\.npz: expected as many scores and labels as pictures"):
        Golden.read(tmp_path / "golden.npz")


@pytest.mark.parametrize("data", [b"", b"no zip at all", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_npz_is_refused(tmp_path, data):
    (tmp_path / "golden.npz").write_bytes(data)
    with pytest.raises(BadBundle, match=r"golden\.npz: expected golden pictures and scores"):
        Golden.read(tmp_path / "golden.npz")
