"""The register map, pure: one table a side, from which encoding, decoding and the README's tables are generated.

Status and results are input registers, which no Modbus client can write: station block b holds 125 from b * 125. Control is
holding registers: 32 from b * 32. Numbers of more than one register have their high word first; text has the first
character in the high byte and ends at the first zero.
"""

import math
import struct
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, NamedTuple

LAYOUT = 1  # counts changes of these tables
INPUT_STRIDE = 125  # registers that one Modbus request reads at most
HOLDING_STRIDE = 32
PART_ID_CHARS = 32
UINT16_MAX = 0xFFFF
_FLOAT32_MAX = 3.4028234663852886e38


class Status(IntFlag):
    """Bits of the status word. Pass and Fail are never both set; both clear means that no result is there."""

    READY = 1 << 0
    ONLINE = 1 << 1
    BUSY = 1 << 2
    RESULT_VALID = 1 << 3
    PASS = 1 << 4
    FAIL = 1 << 5
    RECHECK = 1 << 6
    OVERRUN = 1 << 7
    MISSED_TRIGGER = 1 << 8
    LATE = 1 << 9
    DEGRADED = 1 << 10
    FAULT = 1 << 11
    HEARTBEAT = 1 << 12
    TRIGGER_ACK = 1 << 13
    EXECUTE_COMPLETED = 1 << 14
    EXECUTE_FAILED = 1 << 15


class Command(IntFlag):
    """Bits of the control word."""

    TRIGGER_ENABLE = 1 << 0
    TRIGGER = 1 << 1
    RESULT_ACK = 1 << 2
    BUFFER_ENABLE = 1 << 3
    CLEAR_FAULT = 1 << 4
    EXECUTE = 1 << 5


NOTHING = Status(0)
UNTOUCHED = Command(0)


class Register(NamedTuple):
    """One row of the map. `name` is the field of `Image` or `Control`; offset and width count registers."""

    name: str
    offset: int
    width: int
    kind: str
    unit: str
    meaning: str


class Bit(NamedTuple):
    """One bit of the status or control word, for people."""

    bit: Status | Command
    name: str
    meaning: str


@dataclass(frozen=True)
class Image:
    """What one station shows: one row of `INPUT` a field. The default is the safe state: no result, not ready, not online."""

    status: Status = NOTHING
    heartbeat: int = 0
    layout: int = LAYOUT
    run: int = 0
    seq: int = 0
    reason: int = 0
    per_mille: int = 0
    score: float = 0.0
    fingerprint: int = 0
    product: int = 0
    part_id: str = ""
    latency_ms: int = 0
    queued: int = 0
    triggered_run: int = 0
    triggered_seq: int = 0
    triggers: int = 0
    passes: int = 0
    fails: int = 0
    undecided: int = 0
    echo: int = 0


@dataclass(frozen=True)
class Control:
    """What the PLC wrote for one station: one row of `HOLDING` a field. The default is a PLC that has written nothing."""

    word: Command = UNTOUCHED
    heartbeat: int = 0
    product: int = 0
    part_id: str = ""


INPUT = (
    Register("status", 0, 1, "bits", "", "status word, see its bits"),
    Register("heartbeat", 1, 1, "uint16", "500 ms", "counts while the work loop lives; the result is void when it stands"),
    Register("layout", 2, 1, "uint16", "", f"version of this map: {LAYOUT}"),
    Register("run", 3, 1, "uint16", "", "key of the result: starts of its trigger source, low 16 bits"),
    Register("seq", 4, 2, "uint32", "", "key of the result: number of the trigger since that start, from 1"),
    Register("reason", 6, 1, "uint16", "", "why the part is undecided; 0: PASS or FAIL"),
    Register("per_mille", 7, 1, "uint16", "0.1 % of the threshold", "score, rounded down; 65,535: that much or more, or none"),
    Register("score", 8, 2, "float32", "", "score; NaN: none"),
    Register("fingerprint", 10, 4, "uint64", "", "bundle that judged; 0: none"),
    Register("product", 14, 1, "uint16", "", "product of the part: 1 is the first of the station's `products`; 0: none"),
    Register("part_id", 15, 16, "text", "", "part id, ASCII"),
    Register("latency_ms", 31, 1, "uint16", "ms", "from the trigger until the result stood here; at most 65,535"),
    Register("queued", 32, 1, "uint16", "", "results that wait behind this one"),
    Register("triggered_run", 33, 1, "uint16", "", "key given to the PLC's last trigger: run, low 16 bits"),
    Register("triggered_seq", 34, 2, "uint32", "", "key given to the PLC's last trigger: seq"),
    Register("triggers", 36, 2, "uint32", "", "triggers heard of since plcd started"),
    Register("passes", 38, 2, "uint32", "", "PASS shown here since plcd started"),
    Register("fails", 40, 2, "uint32", "", "FAIL shown here since plcd started"),
    Register("undecided", 42, 2, "uint32", "", "UNDECIDED shown here since plcd started, late ones included"),
    Register("echo", 44, 1, "uint16", "", "the PLC's heartbeat as last written"),
)  # fmt: skip

HOLDING = (
    Register("word", 0, 1, "bits", "", "control word, see its bits"),
    Register("heartbeat", 1, 1, "uint16", "", "the PLC's heartbeat: any change counts"),
    Register("product", 2, 1, "uint16", "", "ProductSelect: 1 is the first of the station's `products`"),
    Register("part_id", 3, 16, "text", "", "part id for a PLC trigger, ASCII"),
)  # fmt: skip

STATUS_BITS = (
    Bit(Status.READY, "Ready", "a trigger would be taken: the beat is fresh, a worker holds the bundle, no change of"
                               " product and no stop is under way, a supervised heartbeat runs; where the PLC triggers, also"
                               " TriggerEnable is set and TriggerAck clear"),
    Bit(Status.ONLINE, "Online", "dispatch lives; clear 300 ms after its last beat"),
    Bit(Status.BUSY, "Busy", "at least one trigger has no verdict yet"),
    Bit(Status.RESULT_VALID, "ResultValid", "the result registers and Pass or Fail hold the result of the key shown"),
    Bit(Status.PASS, "Pass", "the part is good"),
    Bit(Status.FAIL, "Fail", "reject the part: FAIL, or UNDECIDED if Reason is not 0"),
    Bit(Status.RECHECK, "Recheck", "UNDECIDED(recheck), between two thresholds: to the rework lane; Fail is set too"),
    Bit(Status.OVERRUN, "Overrun", "a result was lost because earlier ones were not taken; until ClearFault"),
    Bit(Status.MISSED_TRIGGER, "MissedTrigger", "Trigger rose while not Ready; until ClearFault"),
    Bit(Status.LATE, "Late", "no verdict in time: this Fail is the adapter's own"),
    Bit(Status.DEGRADED, "Degraded", "the station works with a warning: its last part had no verdict, a worker refused"
                                     " its bundle, or the disk is full"),
    Bit(Status.FAULT, "Fault", "the station cannot judge, or the PLC's supervised heartbeat stands"),
    Bit(Status.HEARTBEAT, "HeartbeatToggle", "lowest bit of the heartbeat"),
    Bit(Status.TRIGGER_ACK, "TriggerAck", "the trigger was taken, its key stands; held until Trigger drops"),
    Bit(Status.EXECUTE_COMPLETED, "ExecuteCompleted", "the product is active; held until Execute drops"),
    Bit(Status.EXECUTE_FAILED, "ExecuteFailed", "the product was not activated, or another change is under way; held until"
                                                  " Execute drops"),
)  # fmt: skip

COMMAND_BITS = (
    Bit(Command.TRIGGER_ENABLE, "TriggerEnable", "allow triggers by the PLC; a change also clears MissedTrigger and Overrun"),
    Bit(Command.TRIGGER, "Trigger", "0 to 1: a part is there; hold until TriggerAck or MissedTrigger"),
    Bit(Command.RESULT_ACK, "ResultAck", "0 to 1: the result was taken; hold until ResultValid drops"),
    Bit(Command.BUFFER_ENABLE, "BufferEnable", "hold each result until ResultAck, up to 8 behind it"),
    Bit(Command.CLEAR_FAULT, "ClearFault", "0 to 1: clears MissedTrigger and Overrun"),
    Bit(Command.EXECUTE, "Execute", "0 to 1: activate ProductSelect; hold until ExecuteCompleted or ExecuteFailed; not Ready"
                                    " until then"),
)  # fmt: skip

RESULT_SPAN = 15  # registers from the status word to the product: a request that covers them has read the result whole

_CODES = {"bits": "H", "uint16": "H", "uint32": "I", "uint64": "Q", "float32": "f", "text": f"{PART_ID_CHARS}s"}


def _layout(table: tuple[Register, ...]) -> struct.Struct:
    return struct.Struct(">" + "".join(_CODES[row.kind] for row in table))


_INPUT, _HOLDING = _layout(INPUT), _layout(HOLDING)


def encode(image: Image) -> list[int]:
    """Registers of a whole block, 125 of them; counters wrap at their width."""
    return _encode(INPUT, _INPUT, image, INPUT_STRIDE)


def decode(registers: list[int]) -> Image:
    """Read a block back, as a client does."""
    return Image(**_decode(INPUT, _INPUT, registers))


def encode_control(control: Control) -> list[int]:
    """Registers of a whole control block, 32 of them."""
    return _encode(HOLDING, _HOLDING, control, HOLDING_STRIDE)


def decode_control(registers: list[int]) -> Control:
    """Read what a PLC wrote; bits without a name are ignored, characters that are not printable ASCII become `?`."""
    return Control(**_decode(HOLDING, _HOLDING, registers))


def _encode(table: tuple[Register, ...], layout: struct.Struct, image: Image | Control, stride: int) -> list[int]:
    raw = layout.pack(*(_to_wire(row, getattr(image, row.name)) for row in table))
    return list(struct.unpack(f">{stride}H", raw.ljust(2 * stride, b"\0")))


def _decode(table: tuple[Register, ...], layout: struct.Struct, registers: list[int]) -> dict[str, Any]:
    raw = struct.pack(f">{layout.size // 2}H", *registers[: layout.size // 2])
    return {row.name: _from_wire(row, value) for row, value in zip(table, layout.unpack(raw), strict=True)}


def _to_wire(row: Register, value: Any) -> int | float | bytes:
    if row.kind == "text":
        return bytes(value.encode("ascii", "replace")[:PART_ID_CHARS])
    if row.kind == "float32":
        return math.copysign(math.inf, value) if abs(value) > _FLOAT32_MAX else float(value)
    return int(value) & ((1 << 16 * row.width) - 1)


def _from_wire(row: Register, value: Any) -> Any:
    if row.kind == "text":
        text = value.partition(b"\0")[0].decode("ascii", "replace")
        return "".join(char if char.isascii() and char.isprintable() else "?" for char in text).strip()
    if row.name == "status":
        return Status(value)
    if row.name == "word":
        return Command(value & sum(Command))
    return value


def markdown() -> str:
    """Write the whole map as Markdown tables, as the README shows it."""
    return "\n".join(
        [
            f"Input registers, from `block * {INPUT_STRIDE}`:", "", *_rows(INPUT), "",
            "Bits of the status word:", "", *_bits(STATUS_BITS), "",
            f"Holding registers, from `block * {HOLDING_STRIDE}`:", "", *_rows(HOLDING), "",
            "Bits of the control word:", "", *_bits(COMMAND_BITS), "",
        ]
    )  # fmt: skip


def _rows(table: tuple[Register, ...]) -> list[str]:
    head = ["| offset | registers | name | type | unit | meaning |", "|---|---|---|---|---|---|"]
    return head + [f"| {r.offset} | {r.width} | {r.name} | {r.kind} | {r.unit} | {r.meaning} |" for r in table]


def _bits(table: tuple[Bit, ...]) -> list[str]:
    head = ["| bit | name | meaning |", "|---|---|---|"]
    return head + [f"| {row.bit.bit_length() - 1} | {row.name} | {row.meaning} |" for row in table]
