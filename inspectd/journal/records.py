"""Spool records: framing and scanning, pure. dispatch writes segments, journald and a new dispatch read them.

    | length u32 LE | crc32 u32 LE | wire header of Opened, Closed, Outcome, Late, Commanded or Checkpoint |

A segment is preallocated with zeros: length 0 means "not written yet". A record whose length or CRC does not fit ends the scan.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from inspectd.errors import WireError
from inspectd.wire import codec
from inspectd.wire.messages import Checkpoint, Closed, Commanded, Late, Opened, Outcome

_HEAD = struct.Struct("<II")
HEAD_BYTES = _HEAD.size
Record = Opened | Closed | Outcome | Late | Commanded | Checkpoint


class Scanned(NamedTuple):
    """One whole record and the offset just behind it."""

    record: Any
    end: int


class Body(NamedTuple):
    """The body of one whole record, and the offset just behind it."""

    body: memoryview
    end: int


def pack(record: Record) -> bytes:
    """Frame one record."""
    body = codec.encode(record)
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def bodies(segment: bytes | memoryview, offset: int = 0) -> Iterator[Body]:
    """Yield every whole body from `offset` on, not decoded; stops at zeros, at a cut, and at the first damaged record."""
    view = memoryview(segment)
    while offset + HEAD_BYTES <= len(view):
        length, crc = _HEAD.unpack_from(view, offset)
        end = offset + HEAD_BYTES + length
        if length == 0 or end > len(view):
            return
        body = view[offset + HEAD_BYTES : end]
        if zlib.crc32(body) != crc:
            return
        yield Body(body, end)
        offset = end


def scan(segment: bytes | memoryview, offset: int = 0) -> Iterator[Scanned]:
    """Yield every whole record from `offset` on; stops where `bodies` does, and at a record of another version."""
    for body, end in bodies(segment, offset):
        try:
            record = codec.decode(body)
        except WireError:
            return
        yield Scanned(record, end)


def frame_bytes(head: bytes) -> int:
    """How long the record is that begins with this head; 0 if none was written there."""
    length = _HEAD.unpack(head)[0] if len(head) == HEAD_BYTES else 0
    return HEAD_BYTES + length if length else 0
