"""A revision: the same bundle with a threshold that a person chose, as a bundle of its own that says who, why and when.

It has copies of its parent's files, not second names for them: one damaged file must not take every version with it. The
manifest alone is new, and with it the fingerprint.
"""

import math
import shutil
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from inspectd.errors import BadInput, StateError
from inspectd.vision import bundle as bundles
from inspectd.vision.bundle import FoundThreshold, Manifest, Revision
from inspectd.vision.golden import TOLERANCE, Golden

RULE = "by_hand"  # under which the manifest's thresholds name it
CALIBRATION = {"report.html": "calibration.html", "report.json": "calibration.json"}  # what a parent's reports are called then


def revise(parent: Path, made: Path, threshold: float, who: str, why: str, when: str) -> Manifest:
    """Write the revision of a bundle into a new directory; return its manifest, with its fingerprint.

    The reports of the calibration come with it, under names of their own: their figures are of another threshold.

    BadInput if the threshold is none, or one by which the golden pictures are not told apart any more; BadBundle if the
    parent is damaged, StateError if the disk does not take it. Only the detector that loads it scores the golden pictures anew.
    """
    manifest = bundles.verify(parent)
    if threshold == manifest.threshold:
        raise BadInput(f"threshold: expected another one than now, got {threshold:g}, which it is already")
    kept = {name: name for name in CALIBRATION.values()} if manifest.revision else CALIBRATION
    there = {name: manifest.reports[name] for name in kept if name in manifest.reports}
    check(threshold, Golden.read(parent / bundles.GOLDEN), manifest.thresholds.get(bundles.RECHECK))
    told = f"set to {threshold:g} from {manifest.threshold:g} by {who}: {why}"
    revised = replace(
        manifest,
        threshold=threshold,
        thresholds=manifest.thresholds | {RULE: FoundThreshold(value=threshold, how=told)},
        revision=Revision(parent=manifest.fingerprint, threshold=manifest.threshold, who=who, why=why, when=when),
        metrics={},  # those of the parent are of its threshold
        timings={},
        created=when,
        reports={kept[name]: sha256 for name, sha256 in there.items()},
        signature="",
    )
    made.mkdir(parents=True)
    for name in (*(ref.file for ref in manifest.arrays), bundles.GOLDEN):
        _copy(parent / name, made / name)
    for name in there:
        _copy(parent / name, made / kept[name])
    return bundles.seal(made, revised)


def check(threshold: float, golden: Golden, recheck: FoundThreshold | None = None) -> None:
    """BadInput if a threshold is no number above 0, rejects a golden good picture or lets all golden defects pass.

    Nor may it lie below the recheck band, if there is one: nothing would go to the rework lane any more.
    """
    if not (math.isfinite(threshold) and threshold > 0):
        raise BadInput(f"threshold: expected a number above 0, got {threshold:g}")
    if recheck and not threshold > recheck.value:
        raise BadInput(f"threshold {threshold:g}: expected one above {recheck.value:.6g}, where the recheck band begins")
    now = golden.at(threshold)
    rejected = np.flatnonzero(now.good_failed & ~golden.good_failed)
    if rejected.size:
        score = golden.good_scores[rejected].max()
        expected = f"expected one above {score:.6g}, the score of golden good picture {rejected[0] + 1}"
        raise BadInput(f"threshold {threshold:g}: {expected}: it would reject a part that is known to be good")
    caught = golden.defective_failed
    if caught.any() and not (now.defective_failed & caught).any():
        highest = golden.defective_scores[caught].max()
        raise BadInput(
            f"threshold {threshold:g}: expected at most {highest:.6g}, the highest score of a golden picture with a defect: "
            "it would let all of them pass"
        )
    gap = float(np.mean(golden.defective_scores - golden.good_scores))
    if not gap > TOLERANCE * threshold:
        raise BadInput(
            f"threshold {threshold:g}: expected one below {gap / TOLERANCE:.6g}: golden pictures with and without defects "
            f"differ by {gap:.4g}, which must be more than {TOLERANCE:.0%} of the threshold"
        )


def _copy(file: Path, other: Path) -> None:
    try:
        shutil.copyfile(file, other)
    except OSError as error:
        raise StateError(f"{other}: cannot be written: {error.strerror}; check the rights and the free space there") from error
