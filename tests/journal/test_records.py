"""Framing: what was packed comes back, and nothing that was not."""

from hypothesis import given
from hypothesis import strategies as st

from inspectd.journal import records
from inspectd.wire.messages import Closed
from tests.journal.make import key, life

FACTS = [record for seq in range(1, 6) for record in life(key(seq))]


def packed() -> bytes:
    return b"".join(map(records.pack, FACTS))


def test_records_come_back_in_order_and_the_scan_ends_at_zeros() -> None:
    assert [scanned.record for scanned in records.scan(packed() + bytes(64))] == FACTS


@given(at=st.integers(0, len(packed()) - 1), flip=st.integers(1, 255))
def test_a_changed_byte_ends_the_scan_before_the_record_it_is_in(at: int, flip: int) -> None:
    damaged = bytearray(packed())
    damaged[at] ^= flip
    before = sum(scanned.end <= at for scanned in records.scan(packed()))
    assert [scanned.record for scanned in records.scan(bytes(damaged))] == FACTS[:before]


def test_a_scan_can_go_on_behind_any_record() -> None:
    for number, scanned in enumerate(records.scan(packed()), 1):
        assert [later.record for later in records.scan(packed(), scanned.end)] == FACTS[number:]


def test_a_body_of_another_version_is_whole_but_ends_the_scan() -> None:
    old = bytearray(records.pack(Closed(key=key(1), utc_ns=0)))
    body = bytearray(old[records.HEAD_BYTES :])
    body[0] += 1
    foreign = records._HEAD.pack(len(body), records.zlib.crc32(body)) + body
    assert [bytes(found.body) for found in records.bodies(foreign)] == [bytes(body)]
    assert list(records.scan(foreign)) == []
