"""Signals as a queue: the handler only appends, the loop acts. A descriptor wakes the loop's poller."""

import os
import signal
from collections import deque
from types import FrameType, TracebackType
from typing import Any, Self

from inspectd.supervisor.launch import STOP_SIGNALS


class StopSignals:
    """Collects SIGINT, SIGTERM and SIGHUP while it is entered (in the main thread); puts the old handlers back."""

    def __init__(self) -> None:
        self.queue: deque[signal.Signals] = deque()
        self.fd, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before: dict[signal.Signals, Any] = {}
        self._fd_before = -1

    def __enter__(self) -> Self:
        # the byte that Python writes only wakes the poller; a full pipe means that it is awake already
        self._fd_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._append) for number in STOP_SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        os.close(self.fd)
        os.close(self._writer)

    def take(self) -> list[signal.Signals]:
        """Return what came since the last call, and quiet the descriptor."""
        try:
            while os.read(self.fd, 4096):
                pass
        except BlockingIOError:
            pass
        return [self.queue.popleft() for _ in range(len(self.queue))]

    def _append(self, number: int, _: FrameType | None) -> None:
        self.queue.append(signal.Signals(number))
