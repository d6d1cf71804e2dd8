"""What every setting is asked: the same for all, of all kinds and sizes, on parts from which nobody learns."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from calibration import defects, exam
from calibration.exam import OPACITIES
from calibration.pictures import Sample
from tests.calibration import parts


def samples(count: int, groups: int) -> list[Sample]:
    return [Sample(Path(), f"good/{i}.png", f"{i:064x}", str(i), str(i % groups), 64, 64, "mono8") for i in range(count)]


@pytest.mark.parametrize(("count", "groups"), [(20, 20), (60, 6), (400, 400)])
def test_nobody_learns_from_a_part_that_is_judged_nor_from_its_group(count: int, groups: int) -> None:
    """And of many parts only some are taken."""
    one = exam.deal(samples(count, groups), [], 64, 3)
    assert not {sample.group for sample in one.learn} & {sample.group for sample in one.held}
    assert 1 <= len(one.learn) <= exam.LEARNT
    assert 1 <= len(one.held) <= exam.HELD
    assert {defect.part for defect in one.defects} == set(range(len(one.held)))


def test_each_round_has_every_kind_and_size_once_and_all_rounds_every_opacity() -> None:
    """So that figures after each round can be compared."""
    one = exam.deal(samples(40, 40), [], 64, 3)
    cells = {(defect.kind, defect.size) for defect in one.defects}
    assert cells == {(kind, size) for kind in defects.KINDS for size in (3, 5, 8, 13, 22)}
    for rounds in range(1, len(OPACITIES) + 1):
        counts = Counter((defect.kind, defect.size) for defect in one.first(rounds))
        assert set(counts.values()) == {rounds}
        shares = Counter(defect.opacity for defect in one.first(rounds))
        assert max(shares.values()) - min(shares.values()) <= rounds
    assert len({(defect.kind, defect.size, defect.opacity) for defect in one.defects}) == len(one.defects)


def test_a_fainter_defect_is_the_same_one_with_less_contrast() -> None:
    """Half the opacity is half the difference, in the same place; the seed alone says where."""
    one = exam.deal(samples(40, 40), [], 64, 3)
    picture = parts.part(1)
    plain = next(defect for defect in one.defects if defect.opacity == 1 and defect.size == 13)
    faint = exam.Defect(plain.part, plain.kind, plain.size, 0.5, plain.number)
    whole = one.paint(plain, picture, None).astype(float) - picture
    half = one.paint(faint, picture, None).astype(float) - picture
    assert np.abs(whole).max() > 10
    assert np.abs(half - whole / 2).max() <= 0.5
    assert (one.paint(plain, picture, None) == one.paint(plain, picture, None)).all()
