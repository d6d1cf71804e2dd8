"""A tail reads every whole record once, in order, over all segments, while they grow."""

from pathlib import Path

import pytest

from inspectd.dispatch.spool import Spool
from inspectd.errors import JournalError
from inspectd.journal import segments
from inspectd.journal.records import pack
from inspectd.journal.segments import Position, Segment, Tail, path_of
from tests.journal.make import checkpoint, closed, key, life, opened, spool_of

START = Position(0, 0)


def everything(tail: Tail, at_most: int = 7) -> list[object]:
    """What the tail can read now, decoded, without checkpoints."""
    found: list[object] = []
    while bodies := tail.read(at_most):
        assert len(bodies) <= at_most
        found += segments.decode(bodies)[0]
    return [record for record in found if not hasattr(record, "sources")]


def test_a_tail_follows_a_writer_through_its_segments(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "spool", START)
    assert tail.read(10) == []
    spool = Spool.open(tmp_path / "spool", 4096)
    spool.begin(checkpoint)
    found = []
    for seq in range(1, 60):
        spool.append_many(life(key(seq)))
        if seq % 7 == 0:
            found += everything(tail)
    found += everything(tail)
    assert found == [record for seq in range(1, 60) for record in life(key(seq))]
    assert tail.torn == []
    assert tail.position.segment > 3


def test_a_tail_waits_at_a_torn_record_until_a_newer_segment_begins_and_then_says_where_it_was(tmp_path: Path) -> None:
    spool_of(tmp_path, life(key(1)))
    whole = len(path_of(tmp_path, 1).read_bytes().rstrip(b"\0"))
    tail = Tail(tmp_path, START)
    assert everything(tail) == life(key(1))
    end = tail.position
    assert end.offset >= whole
    with path_of(tmp_path, 1).open("r+b") as file:
        file.seek(end.offset)
        file.write(pack(closed(key(2)))[:30])
    path_of(tmp_path, 2).write_bytes(bytes(4096))  # the reserve
    assert everything(tail) == []
    assert tail.position == end
    spool_of(tmp_path / "other", [], life(key(3)))
    path_of(tmp_path / "other", 2).replace(path_of(tmp_path, 2))
    assert everything(tail) == life(key(3))
    assert tail.torn == [end]


def test_records_written_just_before_the_next_segment_began_are_not_passed_over(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, 4096)
    spool.begin(checkpoint)
    tail = Tail(tmp_path, START)
    everything(tail)
    read = Segment.bodies

    def late(self: Segment, offset: int, at_most: int) -> list[object]:
        """Look, and only then let dispatch write on and roll over."""
        found = read(self, offset, at_most)
        if not found and self.path == path_of(tmp_path, 1) and spool._live and spool._live.path == self.path:
            spool.append(opened(key(1)))
            spool._roll()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Segment, "bodies", late)
        assert everything(tail) == [opened(key(1))]


def test_a_place_that_is_gone_or_no_longer_between_two_records_is_replaced_by_a_sound_one(tmp_path: Path) -> None:
    spool_of(tmp_path, life(key(1)), life(key(2)), life(key(3)))
    path_of(tmp_path, 1).unlink()
    assert everything(Tail(tmp_path, Position(1, 100))) == life(key(2)) + life(key(3))
    assert everything(Tail(tmp_path, Position(2, 13))) == life(key(2)) + life(key(3))
    assert everything(Tail(tmp_path, Position(9, 100))) == life(key(2)) + life(key(3))  # another spool was put here
    after_first = Tail(tmp_path, START)
    after_first.read(2)
    assert everything(Tail(tmp_path, after_first.position)) == life(key(2))[1:] + life(key(3))


def test_a_record_longer_than_what_is_read_at_once_is_read_whole(tmp_path: Path) -> None:
    long = opened(key(1)).__class__(key=key(1), t_ns=0, utc_ns=0, host="x" * 3 * segments._CHUNK)
    spool_of(tmp_path, [long, opened(key(2))])
    assert everything(Tail(tmp_path, START)) == [long, opened(key(2))]


def test_bodies_of_another_version_are_left_out_and_counted() -> None:
    good = pack(opened(key(1)))[8:]
    assert segments.decode([memoryview(good), memoryview(b"\xff" + good[1:])]) == ([opened(key(1))], 1)


def test_a_segment_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"spool-00000007\.seg: cannot be opened"):
        Segment(path_of(tmp_path, 7))
    assert segments.checkpoint_of(path_of(tmp_path, 7)) is None
