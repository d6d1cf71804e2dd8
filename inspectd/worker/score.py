"""Scores one batch: guards, prepare, one forward pass per tensor shape, then each bank once. A batch in is a batch out."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inspectd.vision import guards
from inspectd.vision.detector import Detector, Result
from inspectd.wire import codec
from inspectd.wire.messages import Answer, Reason, WorkItem

Pixels = npt.NDArray[np.uint8]
Heat = npt.NDArray[np.uint16]


class Scored(NamedTuple):
    """The answer to one item, and its heat map in per mille of the threshold (None where it was not judged)."""

    answer: Answer
    heat: Heat | None


def score(items: Sequence[WorkItem], parts: Sequence[memoryview], detectors: Mapping[str, Detector]) -> list[Scored]:
    """Judge every item by the bundle it names; an item that cannot be judged does not harm the others."""
    scored: list[Scored | None] = [None] * len(items)
    groups: dict[tuple[object, ...], list[tuple[int, Detector, Pixels]]] = defaultdict(list)
    for index, (item, part) in enumerate(zip(items, parts, strict=True)):
        detector = detectors.get(item.fingerprint)
        if detector is None:
            scored[index] = _undecided(item, Reason.WRONG_BUNDLE, "this worker does not hold the bundle")
            continue
        pixels = codec.pixels(part, item.shape)
        reason, text = guards.check(pixels, item.pixel_format, detector.manifest.picture)
        if reason:
            scored[index] = _undecided(item, reason, text)
            continue
        tensor = detector.prepare(pixels)
        groups[detector.batch_key, tensor.shape].append((index, detector, tensor))
    for group in groups.values():
        for index, result in _judge(group):
            scored[index] = _answer(items[index], result, detectors[items[index].fingerprint])
    return [
        one if one is not None else _undecided(item, Reason.WORKER_ERROR, "") for one, item in zip(scored, items, strict=True)
    ]


def _judge(group: list[tuple[int, Detector, Pixels]]) -> list[tuple[int, Result | str]]:
    """Run one forward pass for all, then search each detector's bank once; an error is returned in words."""
    try:
        vectors = group[0][1].backbone.run(np.stack([tensor for _, _, tensor in group]))
        by_detector: dict[int, list[int]] = defaultdict(list)
        for place, (_, detector, _) in enumerate(group):
            by_detector[id(detector)].append(place)
        results: dict[int, Result] = {}
        for places in by_detector.values():
            results |= zip(places, group[places[0]][1].judge_batch(vectors[places]), strict=True)
        return [(group[place][0], results[place]) for place in range(len(group))]
    except Exception as error:  # noqa: BLE001 (whatever fails in numerics, these parts are UNDECIDED and the line goes on)
        return [(index, f"{type(error).__name__}: {error}") for index, _, _ in group]


def _answer(item: WorkItem, result: Result | str, detector: Detector) -> Scored:
    if isinstance(result, str):
        return _undecided(item, Reason.WORKER_ERROR, result)
    if not math.isfinite(result.score):
        return _undecided(item, Reason.BAD_SCORE, f"the score is {result.score}")
    heat = np.ascontiguousarray(detector.map_per_mille(result))
    answer = Answer(key=item.key, fingerprint=detector.fingerprint, score=result.score, map_shape=heat.shape)
    return Scored(answer, heat)


def _undecided(item: WorkItem, reason: Reason, text: str) -> Scored:
    return Scored(Answer(key=item.key, fingerprint=item.fingerprint, reason=reason, text=text), None)
