"""Helpers that many tests share."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from inspectd.wire.sockets import Envelope, Port

Value = TypeVar("Value")


def until(condition: Callable[[], Value], timeout: float = 5.0, what: str = "", pause: float = 0.002) -> Value:
    """Poll until the condition gives something true and return that; AssertionError when the time is over."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"did not come true in {timeout} s: {what or condition}"
        time.sleep(pause)


def receive(port: Port, timeout: float = 5.0) -> Envelope:
    """Return the next message of a port, waiting for it."""
    return until(port.receive, timeout, f"a message on {port.channel.name}")


def send(port: Port, message: Any, parts: Any = (), to: bytes | None = None, timeout: float = 5.0) -> None:
    """Send, waiting for the peer to be there and to have room."""
    until(lambda: port.send(message, parts, to=to), timeout, f"room on {port.channel.name}")
