"""A PLC's side of the handshake, as a process of its own: reads every result exactly once over Modbus TCP.

It shares no code with the adapter: pyModbusTCP, and the numbers of the README's register table. One JSON line a result goes
to stdout; it ends when its stdin closes.

    python -m inspectd.demo.client HOST PORT BLOCK [POLL_MS]
"""

import json
import math
import select
import struct
import sys
import time
from typing import Any

from pyModbusTCP.client import ModbusClient

RESULT_VALID, PASS, FAIL, LATE = 1 << 3, 1 << 4, 1 << 5, 1 << 9
RESULT_ACK, BUFFER_ENABLE = 1 << 2, 1 << 3
INPUT_STRIDE, HOLDING_STRIDE, SPAN = 125, 32, 33


def main(argv: list[str]) -> int:
    """Poll until stdin closes."""
    host, port, block, *rest = argv
    poll_s = float(rest[0]) / 1000 if rest else 0.001
    peer = Peer(ModbusClient(host, int(port), timeout=1.0, auto_open=True), int(block))
    while not select.select([sys.stdin], [], [], poll_s)[0]:
        result = peer.poll()
        if result:
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
    return 0


class Peer:
    """What the PLC program remembers between two polls."""

    def __init__(self, client: ModbusClient, block: int, buffered: bool = True) -> None:
        self._client, self._buffered = client, buffered
        self._inputs, self._control = block * INPUT_STRIDE, block * HOLDING_STRIDE
        self._word = BUFFER_ENABLE if buffered else 0
        self._written: int | None = None
        self._seen: set[tuple[int, int]] = set()

    def poll(self) -> dict[str, Any] | None:
        """Read one snapshot and move the handshake on; returns a result that was not seen before."""
        if self._written != self._word:
            self._write()
        registers = self._client.read_input_registers(self._inputs, SPAN)
        if registers is None:  # nobody there: after its return the server's control word is 0, and must be written again
            self._word, self._written = self._word & ~RESULT_ACK, None
            return None
        t_ns = time.monotonic_ns()
        if not registers[0] & RESULT_VALID:
            self._word &= ~RESULT_ACK
            return None
        if self._word & RESULT_ACK:
            return None
        if self._buffered:
            self._word |= RESULT_ACK
            self._write()
        return self._fresh(registers, t_ns)

    def _write(self) -> None:
        self._written = self._word if self._client.write_single_register(self._control, self._word) else None

    def _fresh(self, registers: list[int], t_ns: int) -> dict[str, Any] | None:
        raw = struct.pack(f">{SPAN}H", *registers)
        run, seq, reason, per_mille = struct.unpack_from(">HIHH", raw, 6)
        if (run, seq) in self._seen:
            return None
        self._seen.add((run, seq))
        score = struct.unpack_from(">f", raw, 16)[0]
        return {
            "run": run,
            "seq": seq,
            "verdict": verdict(registers[0], reason),
            "late": bool(registers[0] & LATE),
            "reason": reason,
            "score": score if math.isfinite(score) else None,
            "per_mille": per_mille,
            "fingerprint": f"{struct.unpack_from('>Q', raw, 20)[0]:016x}",
            "part_id": raw[30:62].split(b"\0")[0].decode("ascii", "replace"),
            "latency_ms": registers[31],
            "t_ns": t_ns,
        }


def verdict(status: int, reason: int) -> str:
    """Read the two result bits as the machine does: PASS only if Pass is set and Fail is not."""
    if status & PASS and not status & FAIL:
        return "PASS"
    return "UNDECIDED" if reason else "FAIL"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
