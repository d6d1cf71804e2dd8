"""`inspectd benchmark line`: what the line costs beside the detector alone. Both sides in turns, in one run.

Throughput: rate max, deadline 60 s, one worker with one thread; parts with a score per second against `Detector.score` in
one process on the same decoded pictures at the same maximum batch. Latency: 5 parts/s, from the decoded picture to the read
of a Modbus client that polls every millisecond, minus `Detector.score` at batch 1 on pictures that come at the same pace (a
cache that has gone cold between two parts is no cost of the line).
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inspectd import clock, image
from inspectd.bench.rig import Daemon
from inspectd.bench.settled import settled
from inspectd.demo import parts as made
from inspectd.demo.peer import PlcPeer
from inspectd.errors import InspectdError
from inspectd.journal.reader import Part, Reader
from inspectd.station import load
from inspectd.station.schema import Config
from inspectd.station.state import StateDir
from inspectd.supervisor import cores
from inspectd.vision import neighbours
from inspectd.vision.detector import Detector

STATION, MAX_BATCH, DEADLINE_MS = "bench", 8, 60_000
Pixels = npt.NDArray[np.uint8]
Calibrate = Callable[[Config, str, Path, StateDir], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    calibration: int = 200
    throughput_parts: int = 300
    latency_parts: int = 50
    rounds: int = 5
    latency_rate: float = 5.0


def run(calibrate: Calibrate, say: Say, size: Size | None = None, good: Path | None = None) -> dict[str, Any]:
    """Measure both; returns figures per round and their medians. `good` are pictures to use instead of made ones."""
    size = size or Size()
    with tempfile.TemporaryDirectory(prefix="ins-", dir="/tmp") as folder:
        bench = _Bench(Path(folder), size, say)
        bench.set_up(calibrate, good)
        rounds = [bench.round(number) for number in range(size.rounds)]
        return summary(rounds, bench.facts())


def summary(rounds: Sequence[dict[str, Any]], facts: dict[str, Any]) -> dict[str, Any]:
    """Medians over the rounds, and their spread."""
    ratios = [one["line_parts_per_s"] / one["detector_parts_per_s"] for one in rounds]
    over = [one["latency_ms"]["p50"] - one["detector_batch1_ms"] for one in rounds]
    tail = [one["latency_ms"]["p99"] - one["detector_batch1_ms"] for one in rounds]
    return {
        "throughput_ratio": statistics.median(ratios),
        "throughput_ratio_spread": [min(ratios), max(ratios)],
        "latency_over_detector_ms": statistics.median(over),
        "latency_over_detector_ms_spread": [min(over), max(over)],
        "latency_over_detector_p99_ms": statistics.median(tail),
        **facts,
        "rounds": list(rounds),
    }


class _Bench:
    """One folder with a calibrated station, used over and over."""

    def __init__(self, folder: Path, size: Size, say: Say) -> None:
        self._folder, self._size, self._say = folder, size, say
        self._state = StateDir(folder / "state")
        self._config = folder / "stations"
        self._pictures: list[Pixels] = []

    def set_up(self, calibrate: Calibrate, good: Path | None) -> None:
        """Make pictures and calibrate the station with one worker of one thread."""
        size = self._size
        if good is None:
            made.write(self._folder / "parts", count=size.calibration + size.throughput_parts, seed=1)
            good = self._folder / "parts" / "train" / "good"
        files = image.pictures_in(good)
        most = max(size.throughput_parts, size.latency_parts)
        for name, chosen in (("good", files[: size.calibration]), ("line", files[size.calibration :][:most])):
            (self._folder / name).mkdir()
            for file in chosen:
                (self._folder / name / file.name).symlink_to(file.resolve())
        if not image.pictures_in(self._folder / "line"):
            raise InspectdError(f"{good}: expected more than {size.calibration} pictures, got {len(files)}")
        self._pictures = [image.read(file).pixels for file in image.pictures_in(self._folder / "line")]
        self._write_config("max")
        calibrate(load.load(self._config), STATION, self._folder / "good", self._state)

    def round(self, number: int) -> dict[str, Any]:
        """Measure one turn of each side."""
        neighbours.use_threads(1)  # as the worker
        detector = Detector.open(self._bundle(), threads=1)
        batch_s = self._detector_throughput(detector)
        line_s, batches = self._line_throughput()
        before = self._detector_latency(detector)  # on both sides of the line: another program's load comes and goes
        latency = self._line_latency()
        batch1_ms = statistics.median([*before, *self._detector_latency(detector)])
        figures = {
            "detector_parts_per_s": batch_s, "line_parts_per_s": line_s, "line_batches": batches,
            "detector_batch1_ms": batch1_ms, "latency_ms": latency,
        }  # fmt: skip
        self._say(f"round {number + 1}: {figures}")
        return figures

    def facts(self) -> dict[str, Any]:
        """What was measured on."""
        detector = Detector.open(self._bundle(), threads=1)
        member = detector.manifest.members[0]
        return {
            "max_batch": MAX_BATCH,
            "picture": list(self._pictures[0].shape),
            "settings": {"backbone": member.backbone_name, "layers": list(member.layers), "input_px": list(member.input_px)},
            "parts": {"throughput": len(self._pictures), "latency": self._size.latency_parts},
        }

    # --- the detector alone ----------------------------------------------------------------------------------------

    def _detector_throughput(self, detector: Detector) -> float:
        self._score(detector, self._pictures[:MAX_BATCH])
        start = clock.now_ns()
        for first in range(0, len(self._pictures), MAX_BATCH):
            self._score(detector, self._pictures[first : first + MAX_BATCH])
        return len(self._pictures) / ((clock.now_ns() - start) / 1e9)

    def _detector_latency(self, detector: Detector) -> list[float]:
        times = []
        for pixels in self._pictures[: self._size.latency_parts]:
            clock.sleep(1 / self._size.latency_rate)
            start = clock.now_ns()
            self._score(detector, [pixels])
            times.append((clock.now_ns() - start) / clock.MS)
        return times

    @staticmethod
    def _score(detector: Detector, pictures: list[Pixels]) -> None:
        for result in detector.score(pictures):
            detector.map_per_mille(result)  # the worker sends the heat map too

    # --- the line ---------------------------------------------------------------------------------------------------

    def _line_throughput(self) -> tuple[float, dict[str, float]]:
        parts, _ = self._run_line("max", len(self._pictures), THROUGHPUT_POLL_MS)
        scored = [part for part in parts if part.score is not None]
        if len(scored) != len(self._pictures):
            raise InspectdError(f"expected {len(self._pictures)} scored parts, got {len(scored)}: something was dropped")
        first = min(part.trigger_ns or 0 for part in scored)
        last = max((part.trigger_ns or 0) + int((part.scored_ms or 0) * clock.MS) for part in scored)
        sizes = [part.batch or 0 for part in scored]
        return len(scored) / ((last - first) / 1e9), {"median": statistics.median(sizes), "max": max(sizes)}

    def _line_latency(self) -> dict[str, float]:
        parts, reads = self._run_line(self._size.latency_rate, self._size.latency_parts, LATENCY_POLL_MS)
        triggers = {str(part.key): part.trigger_ns or 0 for part in parts}
        ms = [(t_ns - triggers[key]) / clock.MS for key, t_ns in reads.items()]
        if len(ms) != len(parts):
            raise InspectdError(f"expected {len(parts)} results at the PLC, got {len(ms)}")
        return {f"p{q}": float(np.percentile(ms, q)) for q in (50, 95, 99)}

    def _run_line(self, rate: float | str, parts: int, poll_ms: float) -> tuple[list[Part], dict[str, int]]:
        """Run the daemon on so many parts; returns their journal rows and when the PLC peer read them."""
        self._write_config(rate, None if rate == "max" else parts)
        daemon = Daemon(self._config, self._state.root, self._folder / "run", self._folder / "log")
        address = self._address()
        try:
            with PlcPeer(STATION, address, 0, poll_ms, self._off_the_workers()) as peer:  # there before the first result
                daemon.start()
                status = daemon.status()
                while not settled(status, STATION):
                    clock.sleep(0.25)
                    status = daemon.status()
                results = peer.stop()
            daemon.stop()
        finally:
            daemon.kill()
        run = int(status["sources"][STATION]["counters"]["run"])
        rows = [part for part in Reader(self._state).parts(station=STATION) if part.run == run]
        return rows, {result.read.key: result.read.t_ns for result in results}

    def _off_the_workers(self) -> frozenset[int]:
        """Cores for the PLC's stand-in, 1,000 requests a second: a PLC computes elsewhere and takes no worker's core."""
        return cores.divide(os.sched_getaffinity(0), load.load(self._config).line.workers).of_others

    def _bundle(self) -> Path:
        current = self._state.read_current(STATION)
        assert current is not None  # set_up activated it
        return self._state.bundle(STATION, "default", current.bundle)

    def _address(self) -> str:
        return load.load(self._config).line.plcs["plc"].address

    def _write_config(self, rate: float | str, parts: int | None = None) -> None:
        self._config.mkdir(exist_ok=True)
        line = "line" if parts is None else self._few(parts)
        (self._config / "line.yaml").write_text(LINE.format(max_batch=MAX_BATCH, port=PORT), encoding="utf-8")
        text = STATION_FILE.format(station=STATION, line=line, rate=rate, deadline=DEADLINE_MS)
        (self._config / f"{STATION}.yaml").write_text(text, encoding="utf-8")

    def _few(self, parts: int) -> str:
        folder = self._folder / "few"
        if not folder.exists():
            folder.mkdir()
            for file in image.pictures_in(self._folder / "line")[:parts]:
                (folder / file.name).symlink_to(file.resolve())
        return folder.name


PORT = 15_020
LATENCY_POLL_MS, THROUGHPUT_POLL_MS = 1.0, 5.0  # a PLC's scan takes 2 to 10 ms; to time latency the peer looks more often
LINE = """\
workers: {{count: 1, threads: 1, max_batch: {max_batch}}}
plcs:
  plc: {{protocol: modbus_tcp, address: "127.0.0.1:{port}"}}
"""
STATION_FILE = """\
station: {station}
camera: {{kind: folder, path: ../{line}, rate: {rate}}}
deadline_ms: {deadline}
plc: {{name: plc, block: 0}}
keep: {{pictures: none}}
method: {{backbone: lite0, layers: [4, 10], input_px: 224}}
"""
