"""Addresses for tests, and a Modbus client that shares no code with the server."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from pyModbusTCP.client import ModbusClient


def free_address() -> str:
    """host:port that nobody listens on at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def client(address: str, unit: int = 1) -> Iterator[ModbusClient]:
    """A connected client, closed at the end."""
    host, port = address.split(":")
    peer = ModbusClient(host, int(port), unit_id=unit, timeout=5.0)
    try:
        yield peer
    finally:
        peer.close()
