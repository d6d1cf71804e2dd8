"""Scores one batch: guards, then every picture by the detector that its item names. A batch in is a batch out."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inspectd.vision import detector as vision
from inspectd.vision import guards
from inspectd.vision.detector import Detector, Result
from inspectd.wire import codec
from inspectd.wire.enums import Reason
from inspectd.wire.messages import Answer, WorkItem

Pixels = npt.NDArray[np.uint8]
Heat = npt.NDArray[np.uint16]


class Scored(NamedTuple):
    """The answer to one item, and its heat map in per mille of the threshold (None where it was not judged)."""

    answer: Answer
    heat: Heat | None


def score(items: Sequence[WorkItem], parts: Sequence[memoryview], detectors: Mapping[str, Detector]) -> list[Scored]:
    """Judge every item by the bundle it names; an item that cannot be judged does not harm the others."""
    scored: dict[int, Scored] = {}
    seen: dict[int, tuple[Detector, Pixels]] = {}
    for index, (item, part) in enumerate(zip(items, parts, strict=True)):
        detector = detectors.get(item.fingerprint)
        if detector is None:
            scored[index] = _undecided(item, Reason.WRONG_BUNDLE, "this worker does not hold the bundle")
            continue
        pixels = codec.pixels(part, item.shape)
        reason, text = guards.check(pixels, item.pixel_format, item.camera_px, item.corner, detector.manifest.picture)
        if reason:
            scored[index] = _undecided(item, reason, text)
        else:
            seen[index] = detector, pixels
    for index, result in zip(seen, _judge(list(seen.values())), strict=True):
        scored[index] = _answer(items[index], result, seen[index][0])
    return [scored[index] for index in range(len(items))]


def _judge(seen: list[tuple[Detector, Pixels]]) -> list[Result | str]:
    """Judge all at once; if that fails, each alone, so that one picture's error, returned in words, is not the others'."""
    try:
        return list(vision.judge(seen))
    except Exception as error:  # noqa: BLE001 (whatever fails in numerics, these parts are UNDECIDED and the line goes on)
        if len(seen) == 1:
            return [f"{type(error).__name__}: {error}"]
        return [result for one in seen for result in _judge([one])]


def _answer(item: WorkItem, result: Result | str, detector: Detector) -> Scored:
    if isinstance(result, str):
        return _undecided(item, Reason.WORKER_ERROR, result)
    if not math.isfinite(result.score):
        return _undecided(item, Reason.BAD_SCORE, f"the score is {result.score}")
    heat = np.ascontiguousarray(detector.map_per_mille(result))
    answer = Answer(
        key=item.key, fingerprint=detector.fingerprint, score=result.score, map_shape=heat.shape, recheck=detector.recheck,
        outline=detector.outline(result),
    )  # fmt: skip
    return Scored(answer, heat)


def _undecided(item: WorkItem, reason: Reason, text: str) -> Scored:
    return Scored(Answer(key=item.key, fingerprint=item.fingerprint, reason=reason, text=text), None)
