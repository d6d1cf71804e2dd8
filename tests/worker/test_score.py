"""A batch in is a batch out: each item gets its own answer, and one that cannot be judged harms no other."""

import math

import numpy as np
import pytest

from inspectd.wire.enums import Reason
from inspectd.wire.messages import Key, WorkItem
from inspectd.worker.score import score

pytestmark = pytest.mark.slow  # a real bundle


def item(seq, pixels, fingerprint, pixel_format="mono8"):
    return WorkItem(Key("flange", 1, seq), fingerprint, 100.0, pixels.shape, pixel_format, pixels.shape[:2])


def run(pictures, detector, fingerprints=None):
    marks = fingerprints or [detector.fingerprint] * len(pictures)
    items = [item(n, pixels, mark) for n, (pixels, mark) in enumerate(zip(pictures, marks, strict=True))]
    return score(items, [memoryview(p.tobytes()) for p in pictures], {detector.fingerprint: detector})


def test_every_item_gets_the_score_that_the_detector_gives_its_picture_alone(detector, pictures):
    scored = run(pictures[:3], detector)
    alone = [detector.score([pixels])[0].score for pixels in pictures[:3]]
    assert [one.answer.key.seq for one in scored] == [0, 1, 2]
    np.testing.assert_allclose([one.answer.score for one in scored], alone, rtol=1e-4)
    assert all(one.answer.reason is Reason.NONE for one in scored)


def test_the_heat_map_comes_in_roi_pixels_and_per_mille_of_the_threshold(detector, pictures):
    (one,) = run(pictures[:1], detector)
    assert one.answer.map_shape == one.heat.shape == pictures[0].shape
    assert one.heat.dtype == np.uint16


def test_a_picture_of_another_size_is_wrong_and_its_neighbours_are_judged(detector, pictures):
    scored = run([pictures[0], np.zeros((10, 10), np.uint8), pictures[1]], detector)
    assert [one.answer.reason for one in scored] == [Reason.NONE, Reason.WRONG_PICTURE, Reason.NONE]
    assert "expected" in scored[1].answer.text
    assert math.isnan(scored[1].answer.score)
    assert scored[1].heat is None


def test_an_item_of_a_bundle_that_is_not_held_is_refused_by_its_own_fingerprint(detector, pictures):
    scored = run(pictures[:2], detector, [detector.fingerprint, "0" * 16])
    assert scored[1].answer.reason is Reason.WRONG_BUNDLE
    assert scored[1].answer.fingerprint == "0" * 16


def test_an_error_in_the_numbers_makes_its_parts_undecided_and_raises_nothing(detector, pictures, monkeypatch):
    def broken(vectors):
        raise FloatingPointError("overflow")

    monkeypatch.setattr(detector, "results", broken)
    scored = run(pictures[:2], detector)
    assert {one.answer.reason for one in scored} == {Reason.WORKER_ERROR}
    assert "overflow" in scored[0].answer.text
