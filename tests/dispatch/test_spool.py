"""The spool keeps every whole record, whatever a crash did to its end, and never stops the verdicts."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspectd.dispatch.spool import Spool
from inspectd.errors import JournalError
from inspectd.journal import records, segments
from inspectd.journal.gaps import Gap
from inspectd.wire.messages import Checkpoint, Closed
from tests.journal.make import FULL_DISK, checkpoint, closed, key, life, opened

SMALL = 4096  # bytes of a segment, so that few records fill it


def written(directory: Path, count: int, size: int = 32 * SMALL) -> Spool:
    """A spool with the lives of so many parts."""
    spool = Spool.open(directory, size)
    last = 0
    assert spool.begin(lambda: checkpoint(last))
    for seq in range(1, count + 1):
        last = seq
        assert spool.append_many(life(key(seq)))
    return spool


def test_what_was_appended_is_recovered_from_the_newest_checkpoint_on(tmp_path: Path) -> None:
    written(tmp_path, 3).close()
    again = Spool.open(tmp_path, SMALL)
    assert again.recovered == [checkpoint(0), *life(key(1)), *life(key(2)), *life(key(3))]
    again.begin(lambda: checkpoint(3))
    assert again.recovered == []
    again.append(opened(key(4)))
    assert Spool.open(tmp_path, SMALL).recovered == [checkpoint(3), opened(key(4))]


def test_a_new_dispatch_never_writes_into_the_segment_of_an_older_one(tmp_path: Path) -> None:
    written(tmp_path, 1).close()
    before = segments.path_of(tmp_path, 1).read_bytes()
    with_torn_end = before.rstrip(b"\0") + records.pack(closed(key(2)))[:20]
    segments.path_of(tmp_path, 1).write_bytes(with_torn_end)
    spool = Spool.open(tmp_path, SMALL)
    spool.begin(lambda: checkpoint(1))
    spool.append(opened(key(2)))
    assert segments.path_of(tmp_path, 1).read_bytes() == with_torn_end
    assert Spool.open(tmp_path, SMALL).recovered == [checkpoint(1), opened(key(2))]


def test_the_reserve_of_an_older_dispatch_is_used_again_but_not_if_anything_stands_in_it(tmp_path: Path) -> None:
    written(tmp_path, 1, SMALL).close()
    assert segments.numbers(tmp_path) == [1, 2]
    spool = Spool.open(tmp_path, SMALL)
    spool.begin(lambda: checkpoint(1))
    spool.close()
    assert segments.numbers(tmp_path) == [1, 2, 3]
    reserve = bytearray(SMALL)
    reserve[SMALL // 2] = 1  # its first page was lost by a power cut, a later one not
    segments.path_of(tmp_path, 3).write_bytes(reserve)
    spool = Spool.open(tmp_path, SMALL)
    spool.begin(lambda: checkpoint(1))
    assert segments.numbers(tmp_path) == [1, 2, 3, 4, 5]
    assert segments.path_of(tmp_path, 3).read_bytes() == reserve


def test_a_full_segment_is_followed_by_one_that_begins_with_the_state_as_it_is(tmp_path: Path) -> None:
    spool = written(tmp_path, 40, SMALL)
    for number in segments.numbers(tmp_path)[1:-1]:
        head = segments.checkpoint_of(segments.path_of(tmp_path, number))
        assert head is not None
        assert head.sources["tile"][1] > 0
    assert spool.unwritten == 0
    spools = [segments.path_of(tmp_path, number).read_bytes() for number in segments.numbers(tmp_path)]
    everything = [scanned.record for spool in spools for scanned in records.scan(spool)]
    facts = [record for record in everything if not isinstance(record, Checkpoint)]
    assert facts == [record for seq in range(1, 41) for record in life(key(seq))]


def test_prepare_rolls_over_before_an_append_has_to(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, SMALL)
    spool.begin(checkpoint)
    filling = [opened(key(1))] * (SMALL * 15 // 16 // len(records.pack(opened(key(1)))))
    assert spool.append_many(filling)
    assert segments.numbers(tmp_path) == [1, 2]
    assert spool.prepare()
    assert segments.numbers(tmp_path) == [1, 2, 3]
    assert segments.checkpoint_of(segments.path_of(tmp_path, 2)) == checkpoint()


def test_a_record_longer_than_a_segment_is_kept(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, SMALL)
    spool.begin(checkpoint)
    long = Closed(key=key(1), utc_ns=0, text="x" * 3 * SMALL)
    assert spool.append(long)
    assert spool.append(opened(key(2)))
    assert Spool.open(tmp_path, SMALL).recovered[-1] == opened(key(2))


def test_what_a_short_write_left_whole_is_kept_and_the_rest_is_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """journald may have read the whole ones already: the next record must stand behind them."""
    spool = Spool.open(tmp_path, SMALL)
    spool.begin(checkpoint)
    facts = life(key(1))
    pwrite = os.pwrite

    def short(fd: int, data: bytes, offset: int) -> int:
        if offset == 0:  # not even a new segment's head
            raise OSError(28, "No space left on device")
        return pwrite(fd, data[: len(records.pack(facts[0])) + 20], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", short)
        assert not spool.append_many(facts)
        assert spool.unwritten == 2
    assert spool.append(opened(key(2)))
    assert Spool.open(tmp_path, SMALL).recovered == [checkpoint(), facts[0], opened(key(2))]


def test_before_begin_nothing_is_written_and_that_is_counted(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, SMALL)
    assert not spool.append(opened(key(1)))
    assert spool.unwritten == 1


def test_a_directory_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be made"):
        Spool.open(tmp_path / "file" / "spool")


def test_holes_in_seq_and_what_a_later_checkpoint_had_counted_are_named(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, SMALL)
    spool.begin(lambda: checkpoint(2))
    spool.append_many([*life(key(3)), *life(key(6))])
    spool.close()
    later = Spool.open(tmp_path, SMALL)
    later.begin(lambda: checkpoint(9))
    later.append_many([opened(key(10)), opened(key(2, run=2))])
    assert later.gaps() == [Gap("tile", 1, 4, 5), Gap("tile", 1, 7, 9), Gap("tile", 2, 1, 1)]


@settings(max_examples=120, deadline=None)
@given(
    count=st.integers(0, 10),
    share=st.integers(0, 10_000),
    behind=st.sampled_from([b"", bytes(64)]) | st.binary(max_size=64),
)
def test_a_segment_cut_at_any_byte_keeps_what_was_whole_and_names_the_missing_keys(
    count: int, share: int, behind: bytes
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        written(directory, count).close()
        path = segments.path_of(directory, 1)
        whole = path.read_bytes()
        ends = [scanned.end for scanned in records.scan(whole)]
        at = ends[-1] * share // 10_000
        cut = whole[:at] + behind
        path.write_bytes(cut)
        facts = [record for seq in range(1, count + 1) for record in life(key(seq))]
        kept = [record for record, end in zip([checkpoint(), *facts], ends, strict=True) if cut[:end] == whole[:end]]

        again = Spool.open(directory, SMALL)
        assert again.recovered == kept
        again.begin(lambda: checkpoint(count))  # the source says how many it had counted
        last = max((record.key.seq for record in kept[1:]), default=0)
        assert again.gaps() == ([Gap("tile", 1, last + 1, count)] if kept and last < count else [])
        again.close()


ON_A_FULL_DISK = """
import sys
from pathlib import Path
from inspectd.dispatch.spool import Spool
from inspectd.journal.records import scan
from inspectd.journal.segments import numbers, path_of
from inspectd.wire.messages import Checkpoint
from tests.journal.make import checkpoint, key, life
disk = Path(sys.argv[1])
spool = Spool.open(disk / "spool", 16384)
assert spool.begin(checkpoint)
with open(disk / "others", "wb", buffering=0) as others:
    try:
        while True:
            others.write(bytes(4096))
    except OSError:
        pass
seq = 1
while spool.append_many(life(key(seq))):
    seq += 1
assert seq > 40, seq  # two segments were reserved, and both are full now
assert not spool.prepare()
assert not spool.append_many(life(key(seq + 1)))
assert spool.unwritten > 3, spool.unwritten
unwritten = spool.unwritten
(disk / "others").unlink()
assert spool.prepare()
assert spool.append_many(life(key(seq + 2)))
spools = [path_of(disk / "spool", number).read_bytes() for number in numbers(disk / "spool")]
facts = [s.record for spool in spools for s in scan(spool) if not isinstance(s.record, Checkpoint)]
assert facts[-3:] == life(key(seq + 2))
assert facts[: 3 * seq - 3] == [record for n in range(1, seq) for record in life(key(n))]
assert len(facts) == 3 * (seq + 2) - unwritten, (len(facts), seq, unwritten)
"""


@pytest.mark.slow
def test_a_full_disk_stops_the_spool_only_when_its_reserve_is_full_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    command = [*FULL_DISK, "256k", tmp_path, sys.executable, "-c", ON_A_FULL_DISK, tmp_path]
    subprocess.run(command, check=True, timeout=30)


WRITER = """
import os, sys
from pathlib import Path
from inspectd.dispatch.spool import Spool
from tests.journal.make import checkpoint, key, life
spool = Spool.open(Path(sys.argv[1]), 16384)
seq = 0
spool.begin(lambda: checkpoint(seq))
while True:
    seq += 1
    assert spool.append_many(life(key(seq)))
    os.write(1, b"%d\\n" % seq)  # handed on
    spool.prepare()
"""


@pytest.mark.slow
def test_a_killed_dispatch_has_in_its_spool_whatever_it_had_handed_on(tmp_path: Path) -> None:
    for number in range(5):
        directory = tmp_path / str(number)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, directory], stdout=subprocess.PIPE)
        assert writer.stdout
        first = [writer.stdout.readline() for _ in range(200 + 37 * number)]
        writer.kill()
        handed_on = int([*first, *writer.stdout.read().split()][-1])
        writer.wait()
        writer.stdout.close()
        data = [segments.path_of(directory, number).read_bytes() for number in segments.numbers(directory)]
        facts = [scanned.record for segment in data for scanned in records.scan(segment)]
        facts = [fact for fact in facts if not isinstance(fact, Checkpoint)]
        assert facts[: 3 * handed_on] == [fact for seq in range(1, handed_on + 1) for fact in life(key(seq))]
        assert len(facts) <= 3 * handed_on + 3
        assert Spool.open(directory, 16_384).gaps() == []
