"""What is too old is deleted: whole days of rows and of pictures."""

import shutil
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from inspectd.journal import pictures, schema


def expired(days: Iterable[str], today: str, keep: int) -> list[str]:
    """List the days to delete so that today and the `keep` days before it stay; names that are no day are left alone."""
    oldest = date.fromisoformat(today) - timedelta(days=keep)
    return [day for day in days if (of := _date(day)) is not None and of < oldest]


def delete_rows(journal: Path, today: str, keep: int) -> int:
    """Delete day files beyond retention; returns how many days. OSError if one cannot be deleted."""
    gone = expired((day for day, _ in schema.days(journal)), today, keep)
    for day in gone:
        # the log before its database: a log without one would be taken for that of a new file of this name
        for path in reversed(schema.companions(schema.path_of(journal, day))):
            path.unlink(missing_ok=True)
    return len(gone)


def delete_pictures(folder: Path, today: str, keep: int) -> int:
    """Delete days of pictures beyond retention; returns how many. OSError if one cannot be deleted."""
    gone = expired(pictures.days(folder), today, keep)
    for day in gone:
        shutil.rmtree(folder / day)
    return len(gone)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
