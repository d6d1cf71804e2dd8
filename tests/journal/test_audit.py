"""A command given without a daemon stands in the journal like any other, or the giver is told that it does not."""

import os
from pathlib import Path

import pytest

from inspectd.errors import JournalError
from inspectd.journal import audit
from inspectd.journal.reader import Reader
from inspectd.station.state import StateDir


def test_a_line_that_was_written_is_read_again(state: StateDir) -> None:
    """Into a journal that does not exist yet, and into one that does."""
    for number in ("1", "2"):
        audit.note(state, "anna", "activate", {"bundle": number}, number == "1", "said")
    found = list(Reader(state).commands())
    assert [(one.who, one.what, one.args, one.ok, one.text) for one in found] == [
        ("anna", "activate", {"bundle": "1"}, True, "said"),
        ("anna", "activate", {"bundle": "2"}, False, "said"),
    ]


def test_a_journal_that_cannot_be_written_or_is_anothers_is_an_error_with_its_path(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that root makes could not be written by the daemon's user."""
    state.journal.write_text("no directory")
    with pytest.raises(JournalError, match="journal"):
        audit.note(state, "anna", "activate", {}, True, "")
    Path(state.journal).unlink()
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(JournalError, match=f"belongs to uid {uid}"):
        audit.note(state, "anna", "activate", {}, True, "")
    assert not state.journal.exists()
