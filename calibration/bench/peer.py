"""Another program in an environment of its own, spoken to in lock step: one JSON line asks, one answers.

    ours   -> {"do": "coreset", "vectors": "/tmp/x/vectors.npy", "count": 100, "seed": 0}
    theirs -> {"ms": 16100.0, "chosen": [5, 17, …]}          or {"error": "why not"}

It says what it is in its first line, {"peer": "anomalib 2.7.0"}, works only when asked, times itself, and ends with its input.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from inspectd.errors import BadInput

ANOMALIB = Path(__file__).with_name("anomalib_peer.py")
_SET_UP = "python3 -m venv DIR && DIR/bin/pip install torch torchvision anomalib, then --peer-python DIR/bin/python"
_PATIENCE_S = 30.0  # to end after its input has


class Peer:
    """A running peer; `name` is what it says it is."""

    def __init__(self, python: Path, script: Path = ANOMALIB) -> None:
        """BadInput if it does not start, with the end of what it complained of."""
        self._python = python
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in __exit__)
        try:
            self._process = subprocess.Popen(  # noqa: S603 (the user names the program)
                [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints, text=True
            )
        except OSError as error:
            self._complaints.close()
            raise BadInput(f"{python}: expected a Python with anomalib, got {error.strerror}; {_SET_UP}") from error
        try:
            self.name = str(self._answer()["peer"])
        except BaseException:
            self._end()
            raise

    def ask(self, do: str, **about: Any) -> dict[str, Any]:
        """Let it do one thing and return its answer; BadInput if it cannot or has died."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **about}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its end is told by the answer that does not come
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            answer: dict[str, Any] = json.loads(line) if line else {"error": f"it ended: {self._last_words()}"}
        except json.JSONDecodeError:
            answer = {"error": f"expected a line of JSON, got {line.strip()[:200]}"}
        if "error" in answer:
            raise BadInput(f"{self._python}: {answer['error']}; expected a Python with anomalib: {_SET_UP}")
        return answer

    def _last_words(self) -> str:
        self._process.wait(_PATIENCE_S)
        self._complaints.seek(0)
        return " / ".join(self._complaints.read().strip().splitlines()[-3:])

    def _end(self) -> None:
        """Close its input, and end it if it goes on nevertheless."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._process.kill()  # it may be at work for minutes on what nobody will read
        self._end()
