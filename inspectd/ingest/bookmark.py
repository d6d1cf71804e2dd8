"""Where a replay stands, over the death of its process: the picture that was handed out last.

One record, overwritten in place: | session, 16 bytes | file name, at most 255 bytes (NAME_MAX), zeros to the end |.
One write inside one page, so that a kill leaves the old record or the new one. It need not outlive the machine: a new
daemon has a new session, and begins its replay at the beginning.
"""

import os
from contextlib import suppress
from pathlib import Path

_SESSION = 16
_RECORD = _SESSION + 255


class Bookmark:
    """The record of one station, for one session of the daemon."""

    def __init__(self, path: Path, session: str) -> None:
        self._path, self._session = path, session.encode("ascii").ljust(_SESSION, b"\0")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)  # once: `write` is asked for every part

    def read(self) -> str:
        """Return the name that was written last in this session; empty if none was."""
        with suppress(OSError):
            record = self._path.read_bytes()
            if record.startswith(self._session):
                return os.fsdecode(record[_SESSION:].rstrip(b"\0"))
        return ""

    def write(self, name: str) -> None:
        """Keep a name. A disk that does not take it does not stop the line: a restart then repeats some pictures."""
        with suppress(OSError):
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(handle, (self._session + os.fsencode(name)).ljust(_RECORD, b"\0"), 0)
            finally:
                os.close(handle)
