"""The demo's end of the PLC peer's process: its results as they come, and all of them at the end."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from inspectd.demo.tally import Read
from inspectd.errors import MissingExtra


@dataclass(frozen=True)
class Result:
    """One result as the peer read it."""

    read: Read
    part_id: str
    score: float | None
    threshold: float | None  # score / per mille; None where the score says nothing of it
    latency_ms: int


class PlcPeer:
    """Runs `inspectd.demo.client` and collects what it prints."""

    def __init__(self, station: str, address: str, block: int, poll_ms: float = 1.0, buffered: bool = True) -> None:
        host, port = address.rsplit(":", 1)
        command = [sys.executable, "-m", "inspectd.demo.client", _reachable(host), port, str(block), str(poll_ms)]
        command += [] if buffered else ["--unbuffered"]
        self._station = station
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()
        self.results: list[Result] = []

    def _collect(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)

    def new(self) -> Iterator[Result]:
        """Yield the results that were read since the last call."""
        while not self._lines.empty():
            result = parse(json.loads(self._lines.get()), self._station)
            self.results.append(result)
            yield result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self._thread.join(5)
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()

    def stop(self) -> list[Result]:
        """End the peer; returns all that it read."""
        if self._process.stdin:
            self._process.stdin.close()
        code = self._process.wait(10)
        self._close()
        list(self.new())
        if code:
            raise MissingExtra(
                "the PLC peer did not run: it needs pyModbusTCP of the extra `demo`: pip install 'inspectd[demo]'"
            )
        return self.results


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 (compared, not bound)


def parse(line: dict[str, Any], station: str) -> Result:
    """Read one line of the peer."""
    score, per_mille = line["score"], line["per_mille"]
    threshold = score * 1000 / per_mille if score and 0 < per_mille < 0xFFFF else None
    read = Read(f"{station}/{line['run']}/{line['seq']}", line["verdict"], line["late"], line["t_ns"])
    return Result(read, line["part_id"], score, threshold, line["latency_ms"])
