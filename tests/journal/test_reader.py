"""The reader finds rows over all days, while the daemon writes or not, and says clearly what it cannot read."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from inspectd.errors import BadInput, JournalError
from inspectd.journal import gaps, rows, schema
from inspectd.journal.pictures import map_path, picture_path
from inspectd.journal.reader import Reader
from inspectd.journal.records import Record
from inspectd.station.state import StateDir
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from inspectd.wire.messages import Outline
from tests.journal.make import DAY_NS, NOON, closed, first_version, key, life, opened, outcome

YESTERDAY, TODAY = "2026-09-20", "2026-09-21"
SECOND = 1_000_000_000


def write(state: StateDir, facts: list[Record]) -> None:
    for day, of_day in rows.by_day(facts).items():
        with closing(schema.open_for_writing(schema.path_of(state.journal, day))) as db:
            rows.write(db, of_day)


@pytest.fixture
def reader(state: StateDir) -> Reader:
    """Two days: parts 1 to 3 yesterday, 4 to 6 today; 2 fails, 5 is undecided, 6 is open; another station's part today."""
    old = NOON - DAY_NS
    write(state, [*life(key(1), old), *life(key(3), old + 2 * SECOND)])
    write(state, [opened(key(2), old + SECOND), closed(key(2), old + SECOND, Verdict.FAIL), outcome(key(2), old + SECOND)])
    write(state, [*life(key(4)), opened(key(5), NOON + SECOND), opened(key(6), NOON + 2 * SECOND)])
    write(state, [closed(key(5), NOON + SECOND, Verdict.UNDECIDED, Reason.LATE)])
    write(state, [outcome(key(5), NOON + SECOND, LineOutcome.LATE)])
    write(state, life(key(1, station="cap"), NOON + 3 * SECOND))
    return Reader(state)


def test_rows_come_over_all_days_oldest_first(reader: Reader) -> None:
    assert [str(part.key) for part in reader.parts()] == [*(f"tile/1/{seq}" for seq in range(1, 7)), "cap/1/1"]


def test_days_of_version_1_are_read_beside_those_of_today(reader: Reader, state: StateDir) -> None:
    """A row of an older release has no outline; one of today has its boxes as numbers."""
    first_version(schema.path_of(state.journal, "2026-09-19"))
    found = Outline(threshold=3.0, area_px=2, regions=1, boxes=((1, 2, 2, 1),))
    write(state, [msgspec.structs.replace(closed(key(9), NOON + 9 * SECOND), outline=found)])
    oldest, *_, newest = reader.parts()
    assert (oldest.part_id, oldest.score, oldest.boxes, oldest.recheck) == ("part-1", 1.25, None, None)
    assert (newest.seq, newest.boxes, newest.area_px) == (9, ((1, 2, 2, 1),), 2)


def test_rows_are_chosen_by_station_verdict_and_time(reader: Reader) -> None:
    assert [part.seq for part in reader.parts(station="cap")] == [1]
    assert [part.seq for part in reader.parts(verdict=Verdict.FAIL)] == [2]
    assert [part.seq for part in reader.parts(station="tile", since=NOON, until=NOON + 2 * SECOND)] == [4, 5]
    assert [part.seq for part in reader.parts(since=NOON - DAY_NS + SECOND, until=NOON)] == [2, 3]


def test_a_limit_takes_the_newest_and_still_gives_the_oldest_first(reader: Reader) -> None:
    assert [part.seq for part in reader.parts(station="tile", limit=4)] == [3, 4, 5, 6]
    assert [part.seq for part in reader.parts(station="tile", limit=2)] == [5, 6]
    assert list(reader.parts(limit=0)) == []


def test_a_part_is_found_by_its_newest_id_or_by_its_key(reader: Reader, state: StateDir) -> None:
    assert reader.part("part-2").key == key(2)
    assert reader.part("part-1").key == key(1, station="cap")
    assert reader.part("tile/1/1").verdict is Verdict.PASS
    assert reader.part("tile/1/6").verdict is None


def test_a_key_is_a_key_also_where_a_part_is_called_like_it(reader: Reader, state: StateDir) -> None:
    """What `show` names to choose among parts of one id must lead to that part."""
    namesake = msgspec.structs.replace(opened(key(8), NOON + 9 * SECOND), part_id="tile/1/1")
    write(state, [namesake])
    assert reader.part("tile/1/1").key == key(1)


def test_all_parts_of_one_id_come_newest_first(reader: Reader) -> None:
    assert [part.key for part in reader.named("part-1")] == [key(1, station="cap"), key(1)]
    assert list(reader.named("part-99")) == []


def test_every_station_with_rows_is_named(reader: Reader) -> None:
    assert reader.stations() == ["cap", "tile"]


def test_an_unknown_part_is_told_with_similar_names(reader: Reader) -> None:
    with pytest.raises(BadInput, match=r"no part 'prat-5' in the journal; near to it: part-5"):
        reader.part("prat-5")
    with pytest.raises(BadInput, match="`inspectd replay` lists all parts"):
        reader.part("tile/1/99")


def test_counts_close_the_ledger(reader: Reader, state: StateDir) -> None:
    write(state, [outcome(key(9))])
    counts = reader.counts()
    assert (counts.rows, counts.opens, counts.closes, counts.settled, counts.in_flight) == (8, 7, 6, 7, 2)
    assert counts.verdicts == {"PASS": 4, "FAIL": 1, "UNDECIDED": 1}
    assert counts.closes == counts.verdicts.total()
    assert counts.reasons == {"late": 1}
    assert counts.outcomes == {"delivered": 6, "fail_safe(late)": 1}
    assert reader.counts("cap").rows == 1


def test_missing_keys_are_named_also_between_days(reader: Reader, state: StateDir) -> None:
    assert reader.gaps() == []
    write(state, [*life(key(9)), *life(key(3, run=2))])
    assert reader.gaps() == [gaps.Gap("tile", 1, 7, 8), gaps.Gap("tile", 2, 1, 2)]


def test_a_picture_and_its_map_are_found_whatever_their_day(reader: Reader, state: StateDir) -> None:
    assert reader.picture(key(1)) is None
    assert reader.map(key(1)) is None
    path = picture_path(state.pictures, YESTERDAY, key(1))
    path.parent.mkdir(parents=True)
    path.touch()
    assert (reader.picture(key(1)), reader.map(key(1))) == (path, None)
    map_path(path).touch()
    assert reader.map(key(1)) == map_path(path)
    assert path.name == "1-1.png"
    assert map_path(path).name == "1-1.map.png"


def test_without_a_journal_it_says_where_it_looked(state: StateDir) -> None:
    with pytest.raises(JournalError, match=r"state/journal: no journal there yet"):
        list(Reader(state).parts())
    with pytest.raises(JournalError, match="no journal there yet"):
        Reader(state).counts()


def test_a_damaged_file_is_named(reader: Reader, state: StateDir) -> None:
    schema.path_of(state.journal, TODAY).write_bytes(b"garbage" * 2000)
    with pytest.raises(JournalError, match=r"journal-2026-09-21\.db: cannot be read: file is not a database"):
        reader.counts()


def test_a_newer_file_is_refused(reader: Reader, state: StateDir) -> None:
    with closing(sqlite3.connect(schema.path_of(state.journal, TODAY))) as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(JournalError, match=f"got version {schema.VERSION + 1}; install"):
        reader.counts()


def test_a_row_that_was_changed_by_hand_is_told(reader: Reader, state: StateDir) -> None:
    with closing(sqlite3.connect(schema.path_of(state.journal, TODAY))) as db, db:
        db.execute("UPDATE parts SET verdict = 'GOOD' WHERE seq = 4")
    with pytest.raises(JournalError, match="a row does not fit the schema"):
        list(reader.parts())


def test_a_file_that_is_still_empty_has_no_rows(reader: Reader, state: StateDir) -> None:
    schema.path_of(state.journal, "2026-09-22").touch()
    assert reader.counts().rows == 7


def test_it_reads_while_a_transaction_is_open(reader: Reader, state: StateDir) -> None:
    with closing(schema.open_for_writing(schema.path_of(state.journal, TODAY))) as db:
        db.execute("BEGIN IMMEDIATE")
        rows.write(db, life(key(7)))
        assert reader.counts().rows == 7
        db.execute("COMMIT")
        assert reader.counts().rows == 8


AS_ANOTHER_USER = """
import os, sys
from pathlib import Path
from inspectd.errors import JournalError
from inspectd.journal.reader import Reader
from inspectd.station.state import StateDir
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print(Reader(StateDir(Path(sys.argv[1]))).counts().rows)
"""


@pytest.mark.slow
def test_a_user_who_may_only_read_reads_and_one_who_may_not_is_told(reader: Reader, run_dir: Path, state: StateDir) -> None:
    run_dir.chmod(0o755)
    there = run_dir / "state"  # pytest's own directories are closed to other users
    state.root.rename(there)
    for path in (there, there / "journal"):
        path.chmod(0o555)
    command = [sys.executable, "-c", AS_ANOTHER_USER, there]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert seen.stdout == "7\n", seen.stderr
    day = schema.path_of(there / "journal", TODAY)
    day.chmod(0)
    seen = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert "JournalError" in seen.stderr
    assert f"{day}: cannot be read: " in seen.stderr
    for path in (there, there / "journal"):
        path.chmod(0o755)
    os.chmod(day, 0o644)  # noqa: PTH101 (so that the directory can be reaped)
