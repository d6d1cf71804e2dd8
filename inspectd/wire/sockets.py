"""The one home of zmq: ports on the channels of TABLE 1, and one poller over ports and file descriptors.

A port never blocks: `send` says False where the channel is full or nobody is there, `receive` says None where nothing is.
One context per process, made after spawn.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import zmq

from inspectd.errors import DaemonError, WireError
from inspectd.wire import codec
from inspectd.wire.channels import CHANNELS, Channel
from inspectd.wire.messages import Message

SOCKET_PATH_MAX = 107  # sun_path of Linux, less its final zero
_RECONNECT_MS = 20
_COPY_BELOW = 1 << 20  # bytes; below it a copy is cheaper than zero-copy, for which pyzmq wakes a thread per message


class Envelope(NamedTuple):
    """A message as it came: who sent it (ROUTER ports), its body, and its pixel parts."""

    sender: bytes
    message: Any
    parts: list[memoryview]


@dataclass
class Counts:
    """What went through a port: `refused` found the channel full or nobody there, `bad` did not decode."""

    sent: int = 0
    received: int = 0
    refused: int = 0
    bad: int = 0


@dataclass
class Port:
    """One end of one channel."""

    channel: Channel
    socket: "zmq.Socket[bytes]"
    counts: Counts = field(default_factory=Counts)
    _watched: bool = False

    def send(self, message: Message, parts: Sequence[Any] = (), to: bytes | None = None) -> bool:
        """Send without blocking; False if the channel is full or the peer is gone. Parts must not change afterwards."""
        head = [codec.encode(message)] if to is None else [to, codec.encode(message)]
        try:
            self.socket.send_multipart(head, zmq.DONTWAIT | (zmq.SNDMORE if parts else 0))
            if parts:
                self._send_parts(parts)
        except zmq.Again:
            self.counts.refused += 1
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.counts.refused += 1
            return False
        self.counts.sent += 1
        return True

    def has_room(self) -> bool:
        """Tell whether a send would be taken now."""
        return bool(int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT)

    def watched(self) -> bool:
        """Tell whether somebody reads an XPUB port; ask on every turn, since their coming and going wakes `wait`."""
        while True:
            try:
                self._watched = self.socket.recv(zmq.DONTWAIT)[:1] == b"\x01"  # 1: the first subscribed, 0: the last left
            except zmq.Again:
                return self._watched

    def _send_parts(self, parts: Sequence[Any]) -> None:
        views = [memoryview(part).cast("B") if memoryview(part).nbytes else memoryview(b"") for part in parts]
        for index, view in enumerate(views):
            more = zmq.SNDMORE if index < len(views) - 1 else 0
            # a multipart message is accepted whole: once its head is in, its parts do not meet the high-water mark
            self.socket.send(view, zmq.DONTWAIT | more, copy=view.nbytes < _COPY_BELOW)

    def receive(self) -> Envelope | None:
        """Return the next good message, or None; a message that does not fit its contract is counted and dropped."""
        while True:
            try:
                frames = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return None
            sender = bytes(frames.pop(0).buffer) if self.socket.type == zmq.ROUTER else b""
            try:
                envelope = self._open(sender, frames)
            except WireError:
                self.counts.bad += 1
                continue
            self.counts.received += 1
            return envelope

    def _open(self, sender: bytes, frames: "list[zmq.Frame]") -> Envelope:
        if not frames:
            raise WireError("empty message")
        message = codec.decode(frames[0].buffer)
        parts = [frame.buffer for frame in frames[1:]]
        codec.check_parts(message, parts)
        return Envelope(sender, message, parts)

    def drain(self, at_most: int = 256) -> Iterator[Envelope]:
        """Yield what is waiting, at most so many, so that one busy channel does not starve the others."""
        for _ in range(at_most):
            envelope = self.receive()
            if envelope is None:
                return
            yield envelope


class Hub:
    """The ports of one process: one context, one poller, endpoints in one run directory."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._ports: list[Port] = []

    def bind(self, name: str, subject: str = "") -> Port:
        """Open the binding side of a channel, of its own for each `subject`; DaemonError if the directory does not allow it.

        libzmq takes an ipc endpoint over from whoever held it: only the lock in the run directory keeps two daemons apart.
        """
        port = self._port(name, side=0)
        try:
            port.socket.bind(self._endpoint(name, subject))
        except zmq.ZMQError as error:
            raise DaemonError(f"channel {name}: cannot bind {self._endpoint(name, subject)}: {error}") from error
        return port

    def connect(self, name: str, identity: str = "", subject: str = "") -> Port:
        """Open the connecting side of a channel; the peer need not be there yet."""
        port = self._port(name, side=1)
        if identity:
            port.socket.setsockopt(zmq.IDENTITY, identity.encode())
        if port.socket.type == zmq.SUB:
            port.socket.setsockopt(zmq.SUBSCRIBE, b"")
        else:
            port.socket.setsockopt(zmq.IMMEDIATE, 1)  # with nobody there a send says so, instead of queueing for the dead
        port.socket.connect(self._endpoint(name, subject))
        return port

    def watch_fd(self, fd: int) -> None:
        """Wake `wait` when this file descriptor is readable."""
        self._poller.register(fd, zmq.POLLIN)

    def unwatch_fd(self, fd: int) -> None:
        """Forget a file descriptor; one that was not watched is ignored."""
        if fd in self._poller:
            self._poller.unregister(fd)

    def wait(self, timeout_ms: float) -> set[int]:
        """Sleep until a port has something to read or the time is over; returns the watched descriptors that are ready."""
        ready = self._poller.poll(max(0, math.ceil(timeout_ms)))
        return {thing for thing, _ in ready if isinstance(thing, int)}

    def counts(self) -> dict[str, dict[str, int]]:
        """Traffic of every port, by channel."""
        return {port.channel.name: vars(port.counts).copy() for port in self._ports}

    def close(self, linger_ms: int = 0) -> None:
        """Close all ports; waits at most `linger_ms` for what was sent."""
        for port in self._ports:
            port.socket.close(linger=linger_ms)
        self._ports.clear()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _endpoint(self, name: str, subject: str) -> str:
        """Eight digits stand for the subject: a station's name may be too long for a socket's path."""
        own = f"-{hashlib.sha256(subject.encode()).hexdigest()[:8]}" if subject else ""
        return f"ipc://{self._run_dir / name}{own}.sock"

    def _port(self, name: str, side: int) -> Port:
        channel = CHANNELS[name]
        kind = channel.pattern.split("/")[side]
        socket: zmq.Socket[bytes] = self._context.socket(getattr(zmq, kind))
        socket.setsockopt(zmq.SNDHWM, channel.hwm)
        socket.setsockopt(zmq.RCVHWM, channel.hwm)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        if kind == "ROUTER":
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # a send to a dead worker is an error, not silence
        port = Port(channel, socket)
        if kind not in ("PUB", "PUSH"):
            self._poller.register(socket, zmq.POLLIN)
        self._ports.append(port)
        return port
