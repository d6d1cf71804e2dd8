"""Commands given while no daemon runs: their audit lines go straight into the journal, as those of a running line do."""

import os
import sqlite3
from contextlib import closing

from inspectd import clock
from inspectd.errors import JournalError
from inspectd.journal import rows, schema
from inspectd.station.state import StateDir
from inspectd.wire.messages import Commanded


def note(state: StateDir, who: str, what: str, args: dict[str, str], ok: bool, text: str) -> None:
    """Write one line; JournalError if the journal cannot be written."""
    now = clock.utc_ns()
    path = schema.path_of(state.journal, clock.utc_day(now))
    owner = next(place for place in (path, *path.parents) if place.exists()).stat().st_uid
    if owner != os.geteuid():  # a file of ours would lock the daemon out, whose user is another
        raise JournalError(f"{path}: belongs to uid {owner}, this is uid {os.geteuid()}; give the command as that user")
    try:
        with closing(schema.open_for_writing(path)) as db:
            rows.write(db, [Commanded(utc_ns=now, who=who, what=what, args=args, ok=ok, text=text)])
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"{path}: cannot be written: {error}; check its rights and the free space there") from error
