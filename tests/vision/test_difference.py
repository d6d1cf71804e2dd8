"""Two bundles on the same pictures: who would get another verdict, and who cannot be judged by which."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from inspectd import image
from inspectd.station.state import StateDir
from inspectd.vision import difference, revision
from inspectd.vision.bundle import Bundle
from inspectd.vision.detector import Detector
from inspectd.vision.difference import Picture
from inspectd.wire.enums import Verdict
from tests.vision import make


@pytest.fixture
def made(state: StateDir) -> Bundle:
    return make.real_bundle(state)


def picture(folder: Path, name: str, pixels: image.U8, cut: bool = False) -> Picture:
    (folder / name).write_bytes(image.encode_png(pixels))
    return Picture(name, folder / name, cut)


def nobody(_: int) -> None:
    """Count for nobody."""


def test_a_part_between_two_thresholds_changes_and_the_others_do_not(made: Bundle, tmp_path: Path) -> None:
    """Scores are in per mille of each bundle's own threshold."""
    before = Detector.open(made.directory)
    parts = [picture(tmp_path, f"{i}.png", make.defective_part(i)) for i in range(4)]
    parts.append(picture(tmp_path, "good.png", make.good_part(1)))
    scores = [pair.before.score for pair in difference.compare(parts, before, before, nobody)]
    low, high = sorted(scores[:4])[:2]
    revision.revise(made.directory, made.directory.with_name("2"), (low + high) / 2, "a", "b", "")
    after = Detector.open(made.directory.with_name("2"))
    pairs = list(difference.compare(parts, before, after, nobody))
    assert [pair.changed for pair in pairs] == [score == low for score in scores]
    changed = next(pair for pair in pairs if pair.changed)
    assert (changed.before.verdict, changed.after.verdict) == (Verdict.FAIL, Verdict.PASS)
    assert changed.after.per_mille == int(1000 * low / after.threshold) < 1000
    assert difference.summary(pairs) == {"pictures": 5, "changed": 1, "FAIL to PASS": 1}


def test_what_cannot_be_read_or_is_of_another_camera_is_undecided_with_the_reason(made: Bundle, tmp_path: Path) -> None:
    detector = Detector.open(made.directory)
    (tmp_path / "broken.png").write_text("no picture")
    parts = [Picture("broken", tmp_path / "broken.png", False), picture(tmp_path, "small.png", make.good_part(1)[:50])]
    for pair, words in zip(
        difference.compare(parts, detector, detector, nobody), ("broken.png", "expected 96 x 96"), strict=True
    ):
        assert pair.before.verdict is pair.after.verdict is Verdict.UNDECIDED
        assert words in pair.before.reason
        assert pair.before.score is None


def test_the_roi_is_cut_from_a_whole_picture_and_not_from_one_that_the_line_cut(state: StateDir, tmp_path: Path) -> None:
    """As the journal keeps it."""
    detector = Detector.open(make.real_bundle(state).directory)
    part = make.good_part(3)
    framed = np.pad(part, 8)
    spec = replace(detector.manifest.picture, camera_px=framed.shape, roi=(8, 8, make.SIDE, make.SIDE))
    detector.manifest = replace(detector.manifest, picture=spec)
    parts = [picture(tmp_path, "whole.png", framed), picture(tmp_path, "cut.png", part, cut=True)]
    whole, cut = difference.compare(parts, detector, detector, nobody)
    assert whole.before.score == cut.before.score
    assert whole.before.score is not None
