"""Loads, checks and warms bundles in a thread, so that a new one comes in beside the old while the line goes on.

A bundle is announced only when its golden pictures gave their scores again (Detector.open) and batches have been run.
"""

import queue
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np

from inspectd import clock
from inspectd.errors import InspectdError
from inspectd.station.reread import Reread
from inspectd.station.schema import Config
from inspectd.vision import fits, neighbours
from inspectd.vision.backbone import Backbone
from inspectd.vision.detector import Detector
from inspectd.wire.messages import BundleRef


class Loaded(NamedTuple):
    """What came of loading one bundle: a detector and its times, or why it was refused."""

    ref: BundleRef
    detector: Detector | None
    refusal: str
    times_ms: dict[int, float]  # by batch size


class Loader:
    """One background thread; sessions are shared by the sha256 of their graph."""

    def __init__(self, config: Config) -> None:
        workers = config.line.workers
        self._config, self._workers, self._sizes = config, workers, sorted({1, workers.max_batch})
        neighbours.use_threads(workers.threads)  # `threads` is a promise to the other processes of the line
        self._backbones: dict[str, Backbone] = {}
        self._wanted: queue.SimpleQueue[BundleRef] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Loaded] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="loader", daemon=True).start()

    def want(self, ref: BundleRef) -> None:
        """Ask for a bundle."""
        self._wanted.put(ref)

    def reread(self, station: str, file: Reread) -> None:
        """Take an edited station file: bundles are loaded if they were made for what it says."""
        self._config.stations[station] = file.onto(self._config.stations[station])

    def done(self) -> list[Loaded]:
        """Collect what has been loaded or refused since the last call."""
        ended = []
        while not self._done.empty():
            ended.append(self._done.get())
        return ended

    def _run(self) -> None:
        while True:
            ref = self._wanted.get()
            self._done.put(self._load(ref))

    def _load(self, ref: BundleRef) -> Loaded:
        try:
            threads, device = self._workers.threads, self._workers.device
            detector = Detector.open(Path(ref.path), threads, self._backbones, device=device)
            fits.need_same(detector.manifest, ref.fingerprint, ref.threshold, ref.path)
            fits.need_fit(detector.manifest, self._config, ref.station)
            return Loaded(ref, detector, "", {size: warm_up(detector, size) for size in self._sizes})
        except InspectdError as error:
            return Loaded(ref, None, str(error), {})
        except Exception as error:  # noqa: BLE001 (whatever is wrong with a bundle, it is refused and the worker lives)
            return Loaded(ref, None, f"{ref.path}: {type(error).__name__}: {error}", {})


def warm_up(detector: Detector, size: int) -> float:
    """Score a batch of empty pictures twice, heat maps included; returns the second time in ms."""
    spec = detector.manifest.picture
    empty = np.zeros((*spec.judged_px, 3) if spec.pixel_format == "rgb8" else spec.judged_px, np.uint8)
    start = 0
    for _ in range(2):
        start = clock.now_ns()
        for result in detector.score([empty] * size):
            detector.map_per_mille(result)
    return (clock.now_ns() - start) / clock.MS
