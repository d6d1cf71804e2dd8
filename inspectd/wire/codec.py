"""Messages to bytes and back: one version byte, then msgpack; pixels follow as parts of their own. Nothing is unpickled.

part 0   | version (1 byte) | msgpack of the body, its class in the field `is` |
part 1.. | pixels or maps, C-contiguous, as the body announces                 |
"""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from inspectd.errors import WireError
from inspectd.text import printable
from inspectd.wire.messages import Answer, Answers, AnyMessage, Frame, KeptPicture, Message, Work, WorkItem

VERSION = 1
MAX_SIDE_PX = 20_000  # above any area-scan camera; a header beyond it is a fault, not a picture
_CHANNELS_OF = {"mono8": 1, "rgb8": 3}
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(AnyMessage)

Bytes = bytes | bytearray | memoryview
Array = npt.NDArray[Any]


def encode(message: Message) -> bytes:
    """Header part of a message. Text that is none (a path of bytes that are not UTF-8) travels with escapes."""
    try:
        return bytes([VERSION]) + _encoder.encode(message)
    except UnicodeEncodeError:
        return bytes([VERSION]) + _encoder.encode(_printable(msgspec.to_builtins(message)))


def decode(header: Bytes) -> Any:
    """Read a header part; WireError if it is of another version or not one of our messages."""
    view = memoryview(header)
    if len(view) < 2:
        raise WireError(f"expected a message header, got {len(view)} bytes")
    if view[0] != VERSION:
        raise WireError(f"expected message version {VERSION}, got {view[0]}: processes of two releases are mixed, restart all")
    try:
        return _decoder.decode(view[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the last: nested too deep
        raise WireError(f"message does not decode: {error}") from error


def check_parts(message: Message, parts: Sequence[Bytes]) -> None:
    """Hold the parts against what the body announces; WireError before any of them is used."""
    expected = _part_sizes(message)
    if len(parts) != len(expected):
        raise WireError(f"{type(message).__name__}: expected {len(expected)} parts, got {len(parts)}")
    for index, (size, part) in enumerate(zip(expected, parts, strict=True)):
        got = memoryview(part).nbytes
        if got != size:
            raise WireError(f"{type(message).__name__}: part {index}: expected {size} bytes, got {got}")


def pixels(part: Bytes, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Read-only uint8 view of a pixel part; its size must have been checked."""
    return np.frombuffer(part, np.uint8).reshape(shape)


def heat(part: Bytes, shape: tuple[int, ...]) -> npt.NDArray[np.uint16] | None:
    """Read-only uint16 [H, W] view of a map part, in per mille of the threshold; None for an empty one."""
    return np.frombuffer(part, np.uint16).reshape(shape) if shape else None


def _printable(thing: Any) -> Any:
    match thing:
        case str():
            return printable(thing)
        case dict():
            return {_printable(key): _printable(value) for key, value in thing.items()}
        case list() | tuple():
            return [_printable(item) for item in thing]
        case _:
            return thing


def _part_sizes(message: Message) -> list[int]:
    match message:
        case Frame():
            return [_picture_bytes(message)]
        case Work():
            return [_picture_bytes(item) for item in message.items]
        case Answers():
            return [_map_bytes(item) for item in message.items]
        case KeptPicture():
            return [_picture_bytes(message), _map_bytes(message)]
        case _:
            return []


def _picture_bytes(item: Frame | WorkItem | KeptPicture) -> int:
    channels = _CHANNELS_OF.get(item.pixel_format)
    if channels is None:
        raise WireError(f"{item.key}: expected pixel format mono8 or rgb8, got {item.pixel_format!r}")
    wanted = 2 if channels == 1 else 3
    shape = item.shape
    if len(shape) != wanted or (wanted == 3 and shape[2] != 3) or not all(0 < side <= MAX_SIDE_PX for side in shape):
        raise WireError(f"{item.key}: expected a {item.pixel_format} shape, got {shape}")
    return math.prod(shape)


def _map_bytes(item: Answer | KeptPicture) -> int:
    shape = item.map_shape
    if not shape:
        return 0
    if len(shape) != 2 or not all(0 < side <= MAX_SIDE_PX for side in shape):
        raise WireError(f"{item.key}: expected a map shape (H, W), got {shape}")
    return 2 * math.prod(shape)
