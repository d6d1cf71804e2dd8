"""What the service manager is told (sd_notify(3)): ready, state, alive, stopping. Without one, nothing.

The protocol is a datagram of `NAME=value` lines to the socket of $NOTIFY_SOCKET.
"""

import socket
from collections.abc import MutableMapping

from inspectd.supervisor.life import S

STATUS_EVERY_NS = 1 * S
PATIENCE_NS = 60 * S  # a process that never reports is a matter of health, not a reason to restart the whole line


class Notifier:
    """Takes the service manager's variables out of the environment, so that children do not speak in its name."""

    def __init__(self, environ: MutableMapping[str, str], pid: int, now: int) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")
        for_us = environ.pop("WATCHDOG_PID", str(pid)) == str(pid)
        usec = environ.pop("WATCHDOG_USEC", "")
        self._alive_every_ns = int(usec) * 1000 // 2 if usec.isdigit() and for_us else 0
        self._began_ns = self._alive_ns = now
        self._status, self._status_ns = "", 0
        self._ready = self._stopping = False

    def step(self, now: int, ready: bool, beating: bool, status: str) -> None:
        """Say what is due. The line counts as alive while dispatch beats, or while it stops (stages have limits)."""
        if not self._ready and beating and (ready or now - self._began_ns > PATIENCE_NS):
            self._ready = True
            self._send("READY=1")
        if status != self._status and now - self._status_ns >= STATUS_EVERY_NS:
            self._status, self._status_ns = status, now
            self._send(f"STATUS={status}")
        if self._alive_every_ns and now - self._alive_ns >= self._alive_every_ns and (beating or self._stopping):
            self._alive_ns = now
            self._send("WATCHDOG=1")

    def stopping(self, limit_s: float) -> None:
        """Say that the end has begun, and how long it may take: parts in flight wait for their deadlines."""
        self._stopping = True
        self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={round(limit_s * 1e6)}")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
            try:
                sock.connect(address)
                sock.sendall(text.encode())
            except OSError:
                return  # the manager is gone or busy; the line goes on, and the next message comes
