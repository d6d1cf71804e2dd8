"""Every record of the spool becomes part of its row exactly once; nothing is lost while SQLite cannot be written."""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspectd.errors import JournalError
from inspectd.journal import schema, segments
from inspectd.journal.drain import BATCH, Drain
from inspectd.journal.reader import Reader
from inspectd.journal.records import Record
from inspectd.station.state import StateDir
from inspectd.wire.messages import Commanded
from tests.journal.make import DAY_NS, FULL_DISK, NOON, closed, key, life, opened, spool_of

TODAY = "2026-09-21"


def lives(first: int, last: int, utc_ns: int = NOON) -> list[Record]:
    return [record for seq in range(first, last + 1) for record in life(key(seq), utc_ns)]


def drained(state: StateDir) -> Drain:
    """A drain at the spool's end, closed."""
    drain = Drain(state.spool, state.journal)
    while drain.turn():
        pass
    drain.close()
    return drain


def seqs(state: StateDir) -> list[int]:
    return [part.seq for part in Reader(state).parts()]


def test_all_records_become_rows_and_drained_segments_are_deleted(state: StateDir) -> None:
    spool_of(state.spool, lives(1, 40), lives(41, 50))
    drain = drained(state)
    assert seqs(state) == list(range(1, 51))
    counts = Reader(state).counts()
    assert (counts.opens, counts.closes, counts.settled, counts.in_flight) == (50, 50, 50, 0)
    assert segments.numbers(state.spool) == [2]
    assert drain.counts == {
        "records": 150, "rows": 150, "opens": 50, "closes": 50, "outcomes": 50, "repeats": 0, "undecoded": 0, "torn": 0,
    }  # fmt: skip


def test_a_new_drain_goes_on_where_the_last_commit_ended(state: StateDir) -> None:
    spool_of(state.spool, lives(1, 60))
    first = Drain(state.spool, state.journal)
    assert first.turn() == BATCH
    first.close()
    second = drained(state)
    assert second.counts["records"] == 180 - BATCH + 1  # the batch began with a Checkpoint
    assert second.counts["repeats"] == 0
    assert seqs(state) == list(range(1, 61))


def test_a_day_is_a_file_and_a_record_goes_to_the_day_of_its_trigger(state: StateDir) -> None:
    facts = [opened(key(1), NOON - DAY_NS), *lives(2, 3), closed(key(1), NOON - DAY_NS)]
    spool_of(state.spool, facts)
    drained(state)
    assert [day for day, _ in schema.days(state.journal)] == ["2026-09-20", TODAY]
    with closing(sqlite3.connect(schema.path_of(state.journal, "2026-09-20"))) as db:
        assert db.execute("SELECT seq, verdict FROM parts").fetchall() == [(1, "PASS")]
    assert seqs(state) == [1, 2, 3]


def test_a_kill_between_the_commits_of_two_days_loses_nothing(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    spool_of(state.spool, [*lives(1, 3, NOON - DAY_NS), *lives(4, 6)])
    drain = Drain(state.spool, state.journal)
    commit = Drain._commit

    def killed(self: Drain, day: str, facts: list[Record], *, is_last: bool) -> None:
        if is_last:
            raise KeyboardInterrupt
        commit(self, day, facts, is_last=is_last)

    monkeypatch.setattr(Drain, "_commit", killed)
    with pytest.raises(KeyboardInterrupt):
        drain.turn()
    drain.close()
    monkeypatch.undo()
    assert seqs(state) == [1, 2, 3]
    again = drained(state)
    assert seqs(state) == [1, 2, 3, 4, 5, 6]
    assert again.counts["repeats"] == 9


def test_a_record_of_a_finished_segment_that_is_torn_is_counted_and_draining_goes_on(state: StateDir) -> None:
    spool_of(state.spool, lives(1, 3), lives(5, 6))
    path = segments.path_of(state.spool, 1)
    path.write_bytes(path.read_bytes().rstrip(b"\0")[:-5])
    assert drained(state).counts["torn"] == 1
    assert seqs(state) == [1, 2, 3, 5, 6]
    assert [str(gap) for gap in Reader(state).gaps()] == ["tile/1/4"]


def test_commands_are_kept(state: StateDir) -> None:
    command = Commanded(utc_ns=NOON, who="anna", what="threshold", args={"value": "3.4"}, ok=False, text="refused")
    spool_of(state.spool, [command])
    drained(state)
    assert list(Reader(state).commands()) == [command]


def test_a_file_of_a_newer_version_stops_the_draining_until_it_is_moved_away(state: StateDir) -> None:
    spool_of(state.spool, lives(1, 3))
    path = schema.path_of(state.journal, TODAY)
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 7")
    drain = Drain(state.spool, state.journal)
    for _ in range(2):
        with pytest.raises(JournalError, match="got version 7"):
            drain.turn()
    path.unlink()
    while drain.turn():
        pass
    drain.close()
    assert seqs(state) == [1, 2, 3]


def test_a_damaged_day_is_moved_aside_and_what_the_spool_still_holds_comes_back(state: StateDir) -> None:
    spool_of(state.spool, lives(1, 3))
    drained(state)
    path = schema.path_of(state.journal, TODAY)
    path.write_bytes(b"no database at all" * 1000)
    with segments.path_of(state.spool, 1).open("r+b") as file:
        file.seek(file_end(state))
        file.write(b"".join(map(segments.records.pack, lives(4, 4))))
    drain = Drain(state.spool, state.journal)
    with pytest.raises(JournalError, match="not a database"):
        drain.turn()
    assert drain.set_aside == [path]
    while drain.turn():
        pass
    drain.close()
    assert seqs(state) == [1, 2, 3, 4]
    assert path.with_name(f"{path.name}.damaged-1").read_bytes().startswith(b"no database")


@pytest.mark.parametrize("with_companions", [True, False])
def test_a_day_that_is_deleted_while_in_use_is_told_and_later_rows_are_found(state: StateDir, with_companions: bool) -> None:
    spool_of(state.spool, lives(1, 33), lives(34, 40))
    drain = Drain(state.spool, state.journal)
    assert drain.turn() == BATCH
    path = schema.path_of(state.journal, TODAY)
    for file in schema.companions(path) if with_companions else [path]:
        file.unlink(missing_ok=True)
    while drain.turn():
        pass
    assert drain.vanished == [path]
    drain.close()
    assert seqs(state) == list(range(34, 41))


def file_end(state: StateDir) -> int:
    """Offset behind the last record of segment 1."""
    data = segments.path_of(state.spool, 1).read_bytes()
    return list(segments.records.scan(data))[-1].end


def test_a_journal_directory_that_cannot_be_made_keeps_everything_in_the_spool(state: StateDir) -> None:
    spool_of(state.spool, lives(1, 3))
    state.journal.write_text("a file where the directory should be")
    drain = Drain(state.spool, state.journal)
    with pytest.raises(JournalError, match="cannot be written"):
        drain.turn()
    state.journal.unlink()
    while drain.turn():
        pass
    drain.close()
    assert seqs(state) == [1, 2, 3]


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> StateDir:
    """What a power cut leaves: everything drained, nothing closed, all rows still in the write-ahead log."""
    live, left = (StateDir(tmp_path_factory.mktemp(name)) for name in ("live", "left"))
    spool_of(live.spool, lives(1, 60), size=60_000)
    drain = Drain(live.spool, live.journal)
    while drain.turn():
        pass
    shutil.copytree(live.root, left.root, dirs_exist_ok=True)
    drain.close()
    (left.journal / f"journal-{TODAY}.db-shm").unlink()
    return left


@settings(max_examples=25, deadline=None)
@given(share=st.integers(0, 10_000), has_spool=st.booleans())
def test_a_write_ahead_log_cut_at_any_byte_opens_and_the_spool_gives_back_what_it_lost(
    crashed: StateDir, share: int, has_spool: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        state = StateDir(Path(name))
        shutil.copytree(crashed.root, state.root, dirs_exist_ok=True)
        wal = state.journal / f"journal-{TODAY}.db-wal"
        with wal.open("r+b") as file:
            file.truncate(wal.stat().st_size * share // 10_000)
        kept = seqs(state)
        assert kept == list(range(1, len(kept) + 1))
        if has_spool:
            drained(state)
            assert seqs(state) == list(range(1, 61))
            assert Reader(state).counts().settled == 60


ON_A_FULL_DISK = """
import sys
from pathlib import Path
from inspectd.errors import JournalError
from inspectd.journal.drain import Drain
from inspectd.journal.reader import Reader
from inspectd.station.state import StateDir
from tests.journal.make import key, life, spool_of
disk = Path(sys.argv[1])
state = StateDir(disk / "state")
spool_of(state.spool, [record for seq in range(1, 801) for record in life(key(seq))], size=1 << 20)
drain = Drain(state.spool, state.journal)
drain.turn()
with open(disk / "others", "wb", buffering=0) as others:
    try:
        while True:
            others.write(bytes(4096))
    except OSError:
        pass
refused = 0
try:
    while drain.turn():
        pass
except JournalError as error:
    assert "full" in str(error) or "I/O" in str(error), error
    refused = 1
assert refused
try:
    drain.turn()
    raise SystemExit("expected a second refusal")
except JournalError:
    pass
(disk / "others").unlink()
while drain.turn():
    pass
drain.close()
assert [part.seq for part in Reader(state).parts()] == list(range(1, 801))
counts = Reader(state).counts()
assert (counts.opens, counts.closes, counts.settled) == (800, 800, 800)
"""


@pytest.mark.slow
def test_a_full_disk_stops_the_draining_and_every_row_comes_when_there_is_room(tmp_path: Path) -> None:
    command = [*FULL_DISK, "8m", tmp_path, sys.executable, "-c", ON_A_FULL_DISK, tmp_path]
    subprocess.run(command, check=True, timeout=60)
