"""The rule asked for is the active one, and what an engineer must know is told, the gravest first."""

import numpy as np
import pytest

from calibration import findings
from calibration.findings import Good, Named, Suspects
from inspectd.errors import NotEnoughPictures

NONE = np.zeros(0)
NOTHING = Suspects([], [], [])


def names(count: int, prefix: str = "good") -> list[str]:
    return [f"{prefix}/{i}.png" for i in range(count)]


def parts(scores: np.ndarray, *, exact: bool = False) -> Good:
    """Good parts, each a group of its own, whose maps reach half of their scores."""
    return Good(scores, names(len(scores)), scores / 2, exact)


def test_every_rule_that_the_pictures_allow_is_found_and_the_asked_one_is_active() -> None:
    """Good parts alone give one threshold, labelled defects two more."""
    good, bad = np.linspace(1, 2, 40), np.array([1.9, 3.0, 4.0])
    alone = findings.find(parts(good), NONE, "max_false_reject", "best")
    assert alone.rule == "max_false_reject"
    assert set(alone.thresholds) == {"max_false_reject", "pixel"}
    both = findings.find(parts(good), bad, "f1", "best")
    assert both.rule == "f1"
    assert set(both.thresholds) == {"max_false_reject", "f1", "full_recall", "pixel"}
    assert both.active.value == pytest.approx(2.5)
    assert findings.find(parts(good), bad, "full_recall", "best").active.value <= 1.9


def test_a_rate_is_insisted_on_only_where_its_rule_is_active() -> None:
    """40 groups do not support 2 %: refused as the active rule, told at their best beside another."""
    good, bad = np.linspace(1, 2, 40), np.array([3.0])
    with pytest.raises(NotEnoughPictures, match="149"):
        findings.find(parts(good), NONE, "max_false_reject", 0.02)
    assert findings.find(parts(good), bad, "f1", 0.02).thresholds["max_false_reject"].facts["rank"] == 1


def test_outlines_are_promised_as_rejects_are() -> None:
    """The pixel threshold lies just above the map of the same rank, at the same rate, and says so."""
    found = findings.find(parts(np.linspace(1, 2, 400)), NONE, "max_false_reject", 0.02)
    pixel, active = found.thresholds["pixel"], found.active
    assert pixel.value == pytest.approx(active.value / 2)
    assert (pixel.facts["rate"], pixel.facts["rank"]) == (0.02, active.facts["rank"])
    assert "just above heat map" in pixel.how
    assert "outlined anywhere" in pixel.how


def test_a_recheck_band_begins_at_a_factor_or_at_a_share_of_good_parts() -> None:
    """A factor of whatever threshold is active; a share as the promise has it: at most so many are rechecked or rejected."""
    good = np.linspace(1, 2, 400)
    factor = findings.find(parts(good), np.array([3.0, 4.0]), "f1", "best", 0.9).thresholds["recheck"]
    assert factor.value == pytest.approx(0.9 * 2.5)
    share = findings.find(parts(good), NONE, "max_false_reject", 0.02, "10%").thresholds["recheck"]
    assert 0 < (good >= share.value).mean() <= 0.1
    assert "rechecked or rejected" in share.how


def test_a_known_defect_in_the_recheck_band_does_not_pass() -> None:
    """It is not told among those that do."""
    good, bad = Named(np.linspace(1, 2, 400), names(400)), Named(np.array([1.2]), names(1, "bad"))
    wide, narrow = (findings.find(parts(good.scores), bad.scores, "max_false_reject", 0.02, band) for band in (0.5, 0.9))
    assert wide.passes_below == pytest.approx(0.5 * wide.active.value)
    assert not any("known defects pass" in told for told in findings.warnings(wide, good, bad, NOTHING, 0))
    assert "1 of 1 known defects pass" in findings.warnings(narrow, good, bad, NOTHING, 0)[0]


def test_a_band_that_would_lie_above_the_threshold_is_none_and_is_told() -> None:
    """1 % cannot be rechecked or rejected where 2 % are rejected already."""
    found = findings.find(parts(np.linspace(1, 2, 400)), NONE, "max_false_reject", 0.02, "1%")
    assert "recheck" not in found.thresholds
    assert findings.no_band("1%", found)[0].startswith("No recheck band: so few good parts cannot promise a rate of 1%")
    assert findings.no_band(None, found) == []


def test_thresholds_of_labelled_parts_come_with_their_intervals() -> None:
    """Value and both ends, by rule; none where there are no labels."""
    good, bad = np.linspace(1, 2, 40), np.array([1.9, 3.0, 4.0])
    told = findings.find(parts(good), bad, "f1", "best").intervals
    assert set(told) == {f"{rule}_threshold{end}" for rule in ("f1", "full_recall") for end in ("", "_low", "_high")}
    assert told["f1_threshold_low"] <= told["f1_threshold"] <= told["f1_threshold_high"]
    assert findings.find(parts(good), NONE, "max_false_reject", "best").intervals == {}


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
    """Then blind golden pictures, poor separation, odd good parts, those that look alike, copies."""
    good = Named(np.append(np.linspace(1, 2, 40), 9.0), names(41))
    bad = Named(np.array([1.9, 1.2, 4.0]), names(3, "bad"))
    found = findings.find(parts(good.scores), bad.scores, "f1", "best")
    value = found.active.value
    odd = findings.suspects(good, [["good/1.png", "good/2.png"], ["good/3.png", "good/7.png"]], ["good/7.png"])
    told = findings.warnings(found, good, bad, odd, 2)
    if value > 1.9:
        assert told[0].startswith("2 of 3 known defects pass")
        assert "bad/1.png, bad/0.png" in told[0]
    assert ["known defects pass" in told[0], "2 of the golden" in told[1], "AUROC" in told[2]] == [True] * 3
    assert "far above all others: good/40.png" in told[3]
    assert "--drop good/40.png." in told[3]
    assert "1 good pictures look like others, as of the same part: good/1.png = good/2.png." in told[4]
    assert "--drop good/2.png." in told[4]
    assert "copies of others and support nothing: good/7.png" in told[5]


def test_a_clean_set_gives_no_warning() -> None:
    """Separated parts, enough of them, held out: nothing to warn of."""
    good = Named(np.linspace(1, 2, 149), names(149))
    bad = Named(np.linspace(5, 6, 10), names(10, "bad"))
    found = findings.find(parts(good.scores), bad.scores, "f1", "best")
    assert findings.warnings(found, good, bad, findings.suspects(good, [], []), 0) == []
    alone = findings.find(parts(good.scores, exact=True), NONE, "max_false_reject", "best")
    assert findings.warnings(alone, good, Named(NONE, []), NOTHING, 0) == []


def test_what_good_parts_alone_do_not_promise_is_told() -> None:
    """Too few groups for 2 %, and cross-fitted scores: both."""
    good = Named(np.linspace(1, 2, 40), names(40))
    found = findings.find(parts(good.scores), NONE, "max_false_reject", "best")
    told = findings.warnings(found, good, Named(NONE, []), NOTHING, 0)
    assert len(told) == 2
    assert "Up to 7.2% of good parts may be rejected: 40 groups of good pictures; 149 would support 2%, 299" in told[0]
    assert "estimate" in told[1]


def test_long_lists_of_names_are_cut() -> None:
    """Five names and how many more; in a command line too, where names stay one word each."""
    good = Named(np.linspace(1, 2, 40), names(40))
    found = findings.find(parts(good.scores, exact=True), NONE, "max_false_reject", "best")
    told = findings.warnings(found, good, Named(NONE, []), Suspects([], [], names(9)), 0)
    assert any("good/4.png and 4 more." in one for one in told)
    assert findings.drop(["good/a b.png"]) == "--drop 'good/a b.png'"
    assert findings.drop(names(9)).endswith("--drop good/4.png …")
