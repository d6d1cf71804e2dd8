"""The rule asked for is the active one, and what an engineer must know is told, the gravest first."""

import numpy as np
import pytest

from calibration import findings
from calibration.findings import Named
from inspectd.errors import NotEnoughPictures

NONE = np.zeros(0)


def names(count: int, prefix: str = "good") -> list[str]:
    return [f"{prefix}/{i}.png" for i in range(count)]


def test_every_rule_that_the_pictures_allow_is_found_and_the_asked_one_is_active() -> None:
    """Good parts alone give one threshold, labelled defects two more."""
    good, bad = np.linspace(1, 2, 40), np.array([1.9, 3.0, 4.0])
    alone = findings.find(good, names(40), NONE, "max_false_reject", "best", exact=False)
    assert alone.rule == "max_false_reject"
    assert set(alone.thresholds) == {"max_false_reject"}
    both = findings.find(good, names(40), bad, "f1", "best", exact=False)
    assert both.rule == "f1"
    assert set(both.thresholds) == {"max_false_reject", "f1", "full_recall"}
    assert both.active.value == pytest.approx(2.5)
    assert findings.find(good, names(40), bad, "full_recall", "best", exact=False).active.value <= 1.9


def test_a_rate_is_insisted_on_only_where_its_rule_is_active() -> None:
    """40 groups do not support 2 %: refused as the active rule, told at their best beside another."""
    good, bad = np.linspace(1, 2, 40), np.array([3.0])
    with pytest.raises(NotEnoughPictures, match="149"):
        findings.find(good, names(40), NONE, "max_false_reject", 0.02, exact=False)
    assert findings.find(good, names(40), bad, "f1", 0.02, exact=False).thresholds["max_false_reject"].facts["rank"] == 1


def test_figures_are_those_that_the_labels_allow() -> None:
    """Without bad parts only good ones are counted."""
    good, bad = np.array([1.0, 2.0, 3.0]), np.array([2.5, 4.0])
    assert findings.figures(good, NONE, 2.0) == {"false_positives": 2, "good": 3}
    found = findings.figures(good, bad, 3.5)
    assert (found["false_positives"], found["false_negatives"], found["bad"]) == (0, 1, 2)
    assert found["image_auroc"] == pytest.approx(5 / 6)
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["f1_optimal"] == pytest.approx(0.8)
    assert found["false_positives_at_full_recall"] == 1


def test_escaped_defects_are_told_first_lowest_score_first() -> None:
    """Then blind golden pictures, poor separation, odd good parts, copies."""
    good = Named(np.append(np.linspace(1, 2, 40), 9.0), names(41))
    bad = Named(np.array([1.9, 1.2, 4.0]), names(3, "bad"))
    found = findings.find(good.scores, good.names, bad.scores, "f1", "best", exact=False)
    value = found.active.value
    told = findings.warnings(found, good, bad, ["good/7.png"], 2)
    if value > 1.9:
        assert told[0].startswith("2 of 3 known defects pass")
        assert "bad/1.png, bad/0.png" in told[0]
    assert ["known defects pass" in told[0], "2 of the golden" in told[1], "AUROC" in told[2]] == [True] * 3
    assert "far above all others: good/40.png" in told[3]
    assert "copies of others and support nothing: good/7.png" in told[4]


def test_a_clean_set_gives_no_warning() -> None:
    """Separated parts, enough of them, held out: nothing to warn of."""
    good = Named(np.linspace(1, 2, 149), names(149))
    bad = Named(np.linspace(5, 6, 10), names(10, "bad"))
    found = findings.find(good.scores, good.names, bad.scores, "f1", "best", exact=False)
    assert findings.warnings(found, good, bad, [], 0) == []
    alone = findings.find(good.scores, good.names, NONE, "max_false_reject", "best", exact=True)
    assert findings.warnings(alone, good, Named(NONE, []), [], 0) == []


def test_what_good_parts_alone_do_not_promise_is_told() -> None:
    """Too few groups for 2 %, and cross-fitted scores: both."""
    good = Named(np.linspace(1, 2, 40), names(40))
    found = findings.find(good.scores, good.names, NONE, "max_false_reject", "best", exact=False)
    told = findings.warnings(found, good, Named(NONE, []), [], 0)
    assert len(told) == 2
    assert "Up to 7.2% of good parts may be rejected: 40 groups of good pictures; 149 would support 2%, 299" in told[0]
    assert "estimate" in told[1]


def test_long_lists_of_names_are_cut() -> None:
    """Five names and how many more."""
    good = Named(np.linspace(1, 2, 40), names(40))
    found = findings.find(good.scores, good.names, NONE, "max_false_reject", "best", exact=True)
    told = findings.warnings(found, good, Named(NONE, []), names(9), 0)
    assert any("good/4.png and 4 more." in one for one in told)
