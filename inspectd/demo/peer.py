"""The demo's end of the PLC peer's process: its results as they come, and all of them at the end."""

import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from inspectd.demo.tally import Read
from inspectd.errors import MissingExtra, PlcError
from inspectd.wire.enums import Reason


@dataclass(frozen=True)
class Result:
    """One result as the peer read it."""

    read: Read
    part_id: str
    reason: str  # of an UNDECIDED; empty: PASS or FAIL
    score: float | None
    latency_ms: int


class PlcPeer:
    """Runs `inspectd.demo.client` and collects what it prints."""

    def __init__(
        self, station: str, address: str, block: int, poll_ms: float = 1.0, cores: frozenset[int] | None = None
    ) -> None:
        """`cores`: where it runs (None: anywhere)."""
        if importlib.util.find_spec("pyModbusTCP") is None:
            raise MissingExtra("the PLC peer needs pyModbusTCP of the extra `demo`: pip install 'inspectd[demo]'")
        host, port = address.rsplit(":", 1)
        command = [sys.executable, "-m", "inspectd.demo.client", _reachable(host), port, str(block), str(poll_ms)]
        self._station = station
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 (our own module)
        if cores:
            os.sched_setaffinity(self._process.pid, cores)
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()
        self.results: list[Result] = []

    def _collect(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)

    def new(self) -> int:
        """Add to `results` what was read since the last call; returns how many."""
        known = len(self.results)
        while not self._lines.empty():
            self.results.append(parse(json.loads(self._lines.get()), self._station))
        return len(self.results) - known

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
        self.new()
        if code:
            raise PlcError(f"the PLC peer ended with exit code {code}, expected 0; what it said stands above")
        return self.results


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 (compared, not bound)


def parse(line: dict[str, Any], station: str) -> Result:
    """Read one line of the peer."""
    read = Read(f"{station}/{line['run']}/{line['seq']}", line["verdict"], line["late"], line["t_ns"])
    return Result(read, line["part_id"], _name(line["reason"]), line["score"], line["latency_ms"])


def _name(code: int) -> str:
    try:
        return Reason(code).name.lower() if code else ""
    except ValueError:
        return f"reason {code}"
