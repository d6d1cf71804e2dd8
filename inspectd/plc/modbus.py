"""Modbus TCP, the one home of pymodbus: inspectd is the server, the PLC polls. Any unit id is answered.

pymodbus serves in the loop thread. Each request meets `_on_request` there, under a lock that `show` and `take` share, so that
an answer holds one image whole and nobody learns of a read late. pymodbus keeps registers of its own; ours are copied over the
part that a request reads, just before it is answered.
"""

import asyncio
import logging
import os
import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from inspectd.errors import PlcError
from inspectd.plc.adapter import Read, Taken, Written
from inspectd.plc.loop import LoopThread
from inspectd.plc.registers import (
    HOLDING_STRIDE,
    INPUT_STRIDE,
    RESULT_SPAN,
    Control,
    Image,
    decode_control,
    encode,
)

_READ_INPUT = 4
_BITS = frozenset({1, 2, 5, 15})  # coils and discrete inputs: we have none
_ANY_UNIT = 0
_START_S = 5.0
_HEAD = 6  # bytes of a request up to its length field, which counts the rest
_SHORTEST, _LONGEST = 2, 254  # bytes from the unit id on
_PENDING_MAX = 16 * 260  # bytes: as many requests as a Modbus server need take before it has answered the first
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))  # an unplugged peer: gone in 25 s


class ModbusTcp:
    """The adapter for `protocol: modbus_tcp`."""

    def __init__(self, name: str, address: str, blocks: Mapping[str, int]) -> None:
        """`address`: host:port to listen on; `blocks`: station -> number of its block."""
        host, _, port = address.rpartition(":")
        self._name, self._address = name, (host, int(port))
        self._stations = {block: station for station, block in blocks.items()}
        self._lock = threading.Lock()
        self._shown = {station: (Image(), encode(Image())) for station in blocks}
        self._told: dict[str, tuple[Image, bool]] = {}  # the last read told of, so that polling does not flood plcd
        self._controls = dict.fromkeys(blocks, Control())
        self._events: list[Read | Written] = []
        self._heard: set[str] = set()
        self._wake_out, self._wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread: LoopThread | None = None
        self._server: ModbusTcpServer | None = None

    def open(self) -> None:
        """Listen and serve the safe state; PlcError if the address cannot be had."""
        # pymodbus logs each malformed request, at a peer's pace; they are answered with exceptions, that is enough
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        self._thread = LoopThread("modbus")
        try:
            self._server = self._thread.run(self._listen(), _START_S)
        except (RuntimeError, OSError, TimeoutError) as error:
            reason = self._why_not() or str(error)
            self.close()
            host, port = self._address
            raise PlcError(
                f"plcs: {self._name}: expected a free address of this machine, cannot listen on {host}:{port}: {reason};"
                " end the other program or change the address in line.yaml (ports below 1024 need a privilege)"
            ) from error

    def fileno(self) -> int:
        """Return the descriptor that is readable when `take` has news."""
        return self._wake_out

    def show(self, images: Mapping[str, Image]) -> None:
        """Replace the images that changed."""
        changed = {s: (image, encode(image)) for s, image in images.items() if image != self._shown[s][0]}
        with self._lock:
            self._shown.update(changed)

    def take(self) -> Taken:
        """Return and forget what happened since the last call."""
        with suppress(BlockingIOError):
            os.read(self._wake_out, 4096)
        with self._lock:
            taken = Taken(self._events, frozenset(self._heard))
            self._events, self._heard = [], set()
        return taken

    def close(self) -> None:
        """End all connections and the loop thread."""
        if self._thread is None:
            return
        if self._server is not None:
            self._thread.run(_shut(self._server), _START_S)
        self._thread.close()
        self._thread = self._server = None
        os.close(self._wake_out)
        os.close(self._wake_in)

    # --- in the loop thread ------------------------------------------------------------------------------------------

    async def _listen(self) -> ModbusTcpServer:
        server = _Server(self._device(), address=self._address)
        await server.serve_forever(background=True)  # RuntimeError if it cannot listen
        assert isinstance(server.transport, asyncio.Server)
        for listening in server.transport.sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # accepted sockets inherit these
            for option, value in _KEEPALIVE:
                listening.setsockopt(socket.IPPROTO_TCP, option, value)
        return server

    def _device(self) -> SimDevice:
        # pymodbus wants at least one coil and one discrete input; `_on_request` refuses them
        bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        inputs, holding = (
            [SimData(block * stride, count=stride, values=0, datatype=DataType.REGISTERS) for block in sorted(self._stations)]
            for stride in (INPUT_STRIDE, HOLDING_STRIDE)
        )
        return SimDevice(_ANY_UNIT, simdata=(bits, list(bits), holding, inputs), action=self._on_request)

    async def _on_request(
        self, function: int, start: int, address: int, count: int, registers: list[int], values: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        """One request: `registers` begin at address `start` and are what pymodbus will answer from."""
        stride = INPUT_STRIDE if function == _READ_INPUT else HOLDING_STRIDE
        blocks = range(address // stride, (address + count - 1) // stride + 1)
        if function in _BITS or not self._stations.keys() >= set(blocks):  # some pymodbus versions let gaps pass
            return ExcCodes.ILLEGAL_ADDRESS
        with self._lock:
            for block in blocks:
                base = block * stride
                own = slice(base - start, base - start + stride)
                if function == _READ_INPUT:
                    registers[own] = self._answer(self._stations[block], base, address, count)
                elif values:
                    self._accept(self._stations[block], registers[own], address - base, values)
                self._heard.add(self._stations[block])
        return None

    def _answer(self, station: str, base: int, address: int, count: int) -> list[int]:
        """Registers of the block at `base`; told of unless the request begins behind its status word."""
        image, encoded = self._shown[station]
        told, told_whole = self._told.get(station, (None, False))
        whole = address + count >= base + RESULT_SPAN
        if address <= base and (told is not image or whole > told_whole):
            self._told[station] = (image, whole)
            self._tell(Read(station, image, whole))
        return encoded

    def _accept(self, station: str, before: list[int], offset: int, values: list[int] | list[bool]) -> None:
        """The peer writes `values` from `offset` of the station's control block, which may lie outside of it."""
        after = before.copy()
        for target, value in enumerate(values, offset):
            if 0 <= target < HOLDING_STRIDE:
                after[target] = int(value)
        control = decode_control(after)
        if control != self._controls[station]:
            self._controls[station] = control
            self._tell(Written(station, control, self._shown[station][0]))

    def _tell(self, event: Read | Written) -> None:
        self._events.append(event)
        with suppress(BlockingIOError):  # the pipe is full: plcd is awake
            os.write(self._wake_in, b"\0")

    def _why_not(self) -> str:
        """Ask the kernel again why the address cannot be had, since pymodbus keeps it to its log; empty if it can."""
        try:
            family, kind, _, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen()
        except OSError as error:
            return error.strerror or str(error)
        return ""


class _Server(ModbusTcpServer):
    """pymodbus's server with our connections."""

    def callback_new_connection(self) -> "_Connection":
        return _Connection(self, self.trace_packet, self.trace_pdu, self.trace_connect)


class _Connection(ServerRequestHandler):
    """One client. pymodbus loses requests that arrive before it has answered; so it is handed one at a time.

    | transaction (2 bytes) | protocol (2): 0 | length of the rest (2) | unit (1) | function (1) | ...
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)  # type: ignore[no-untyped-call]
        self._pending = bytearray()
        self._busy = False

    def data_received(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) > _PENDING_MAX:
            self.close()  # no Modbus client, or one that does not wait for answers
        elif not self._busy:
            self._next()

    def _next(self) -> None:
        """Hand over the oldest request once it is whole."""
        self._busy = False
        if len(self._pending) < _HEAD:
            return
        protocol, length = struct.unpack_from(">HH", self._pending, 2)
        if protocol != 0 or not _SHORTEST <= length <= _LONGEST:
            self.close()
            return
        if len(self._pending) >= _HEAD + length:
            request, self._pending = bytes(self._pending[: _HEAD + length]), self._pending[_HEAD + length :]
            self._busy = True
            super().data_received(request)

    def handle_later(self) -> None:
        """Answer in this turn of the loop.

        pymodbus would make a task and wake the loop for it, through a socket of its own: most of a request's time, though
        nothing in it waits.
        """
        request = self.handle_request()  # type: ignore[no-untyped-call]
        with suppress(StopIteration):
            request.send(None)
            raise RuntimeError("expected pymodbus to answer at once, it waits: this version does not suit")

    def server_send(self, pdu: ModbusPDU, addr: tuple[str, int] | None) -> None:
        super().server_send(pdu, addr)  # type: ignore[no-untyped-call]
        self._busy = False
        if self._pending:
            self.loop.call_soon(self._next)


async def _shut(server: ModbusTcpServer) -> None:
    server.close()
    await asyncio.sleep(0)  # transports close their sockets in the loop's next turn
