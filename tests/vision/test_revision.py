"""A revision is its parent with another threshold: a bundle of its own that says who, why and when, and judges by it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspectd.errors import BadBundle, BadInput
from inspectd.station.state import StateDir
from inspectd.vision import bundle, reports, revision
from inspectd.vision.detector import Detector
from inspectd.wire.enums import Verdict
from tests.vision import make

WHEN = "2026-11-22T06:00:00Z"


def revise(parent, number: int, threshold: float):
    """Make a revision beside its parent."""
    return revision.revise(parent, parent.with_name(str(number)), threshold, "anna", "too strict at night", WHEN)


def test_a_revision_names_its_parent_and_who_set_what_when_and_why(state: StateDir) -> None:
    """Its fingerprint is another one, the parent stays as it was."""
    parent = make.real_bundle(state)
    made = revise(parent.directory, 2, parent.manifest.threshold * 1.01)
    assert made == bundle.read_manifest(parent.directory.with_name("2"))
    assert made.fingerprint != parent.manifest.fingerprint
    assert made.revision == bundle.Revision(
        parent=parent.manifest.fingerprint,
        threshold=parent.manifest.threshold,
        who="anna",
        why="too strict at night",
        when=WHEN,
    )
    assert made.thresholds["by_hand"].value == made.threshold
    assert bundle.read_manifest(parent.directory) == parent.manifest


def test_a_revision_judges_by_its_threshold_with_the_scores_of_its_parent(state: StateDir) -> None:
    """A part between the two thresholds changes its verdict."""
    parent = make.real_bundle(state)
    before = Detector.open(parent.directory)
    part = make.defective_part(1)
    score = before.score([part])[0].score
    highest = float(before.threshold + max(parent.golden.defective_scores)) / 2
    revise(parent.directory, 2, highest)
    after = Detector.open(parent.directory.with_name("2"))
    assert [d.score([part])[0].score for d in (before, after)] == [score, score]
    assert [d.score([part])[0].label for d in (before, after)] == [
        Verdict.FAIL,
        Verdict.PASS if score < highest else Verdict.FAIL,
    ]


def test_a_revision_of_a_revision_keeps_the_report_of_the_calibration(state: StateDir) -> None:
    """Under a name that says whose it is: its figures are of another threshold."""
    parent = make.real_bundle(state)
    reports.attach(parent.directory, parent.manifest, {"report.html": b"of the calibration"})
    first = revise(parent.directory, 2, parent.manifest.threshold * 1.01)
    second = revise(parent.directory.with_name("2"), 3, parent.manifest.threshold)
    assert second.revision is not None
    assert second.revision.parent == first.fingerprint
    assert second.fingerprint != parent.manifest.fingerprint  # the same threshold, and not the same history
    assert not (parent.directory.with_name("3") / "report.html").exists()
    assert (parent.directory.with_name("3") / "calibration.html").read_text() == "of the calibration"
    reports.check(parent.directory.with_name("3"), second)


def test_nothing_is_made_of_a_damaged_parent(state: StateDir) -> None:
    """Its damage would be in both."""
    parent = make.real_bundle(state).directory
    (parent / "bank.npy").write_bytes(b"damaged")
    with pytest.raises(BadBundle, match=r"bank\.npy"):
        revise(parent, 2, 1.0)
    assert not parent.with_name("2").exists()


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        (math.nan, "a number above 0, got nan"),
        (math.inf, "a number above 0, got inf"),
        (-1.0, "a number above 0, got -1"),
        (0.0, "a number above 0, got 0"),
        (2.5, "expected one above 4, the score of golden good picture 3"),
        (9.5, "expected at most 9, the highest score of a golden picture with a defect"),
        (1e30, "expected at most 9"),
    ],
)
def test_a_threshold_that_is_none_or_that_golden_pictures_contradict_is_refused(threshold: float, words: str) -> None:
    """Good ones pass, and at least one with a defect does not: scores are 1 to 4 and 6 to 9."""
    with pytest.raises(BadInput, match=words):
        revision.check(threshold, make.golden())


def test_a_threshold_below_the_recheck_band_is_refused() -> None:
    """The rework lane would get nothing any more, and nobody would know."""
    band = bundle.FoundThreshold(value=4.5, how="")
    revision.check(4.6, make.golden(), band)
    with pytest.raises(BadInput, match=r"above 4\.5, where the recheck band begins"):
        revision.check(4.4, make.golden(), band)


@settings(deadline=None)
@given(st.floats(allow_nan=True, allow_infinity=True))
def test_whatever_is_accepted_passes_all_good_golden_pictures_and_rejects_one_with_a_defect(threshold: float) -> None:
    """For every number that a person could type."""
    golden = make.golden()
    try:
        revision.check(threshold, golden)
    except BadInput:
        return
    now = golden.at(threshold)
    assert not now.good_failed.any()
    assert now.defective_failed.any()
    assert np.mean(golden.defective_scores - golden.good_scores) > 0.01 * threshold
