"""One file a day, versioned; what is not ours or is newer is refused by name."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from inspectd.errors import JournalError
from inspectd.journal import schema
from inspectd.journal.reader import Part
from tests.journal.make import first_version


def test_a_new_day_has_every_described_table_and_column(tmp_path: Path) -> None:
    with closing(schema.open_for_writing(schema.path_of(tmp_path / "journal", "2026-11-21"))) as db:
        for table in schema.TABLES:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table.name})")]
            assert columns == [column.name for column in table.columns]
            assert all(column.meaning for column in table.columns)


def test_a_part_has_the_columns_of_its_table_in_their_order() -> None:
    assert list(Part.__struct_fields__) == [column.name for column in schema.PARTS.columns]


def test_every_commit_is_on_disk_when_it_returns(tmp_path: Path) -> None:
    with closing(schema.open_for_writing(tmp_path / "journal-2026-11-21.db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_newer_version_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "journal-2026-11-21.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(JournalError, match=r"journal-2026-11-21\.db: expected .* version 2, got version 3; install"):
        schema.open_for_writing(path)


def test_a_file_of_version_1_gets_the_columns_of_today_and_keeps_its_rows(tmp_path: Path) -> None:
    """The file of the day on which a line is updated: columns stand as in a new file, and old rows have them empty."""
    path = first_version(tmp_path / "journal-2026-11-21.db")
    with closing(schema.open_for_writing(path)) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(parts)")]
        assert columns == [column.name for column in schema.PARTS.columns]
        assert db.execute("SELECT part_id, score, recheck, boxes FROM parts").fetchall() == [("part-1", 1.25, None, None)]
        assert schema.version(db, path) == schema.VERSION


def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal-2026-11-21.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(JournalError, match="another database; move it away"):
        schema.open_for_writing(path)


def test_days_are_found_by_name_oldest_first_and_other_files_are_not_days(tmp_path: Path) -> None:
    assert schema.days(tmp_path / "none") == []
    for name in (
        "journal-2026-11-22.db",
        "journal-2026-11-21.db",
        "journal-2026-11-21.db-wal",
        "journal-2026-11-20.db.damaged-1",
    ):
        (tmp_path / name).write_text("")
    assert [day for day, _ in schema.days(tmp_path)] == ["2026-11-21", "2026-11-22"]


def test_the_readme_table_tells_every_column() -> None:
    text = schema.markdown()
    for table in schema.TABLES:
        for column in table.columns:
            assert f"| `{column.name}` | {column.type} | {column.meaning} |" in text
