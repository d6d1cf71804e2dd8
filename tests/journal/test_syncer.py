"""What was written is synced, once, and the place behind it is known."""

import os
from pathlib import Path

import pytest

from inspectd.dispatch.spool import Spool
from inspectd.journal.segments import Position, path_of
from inspectd.journal.syncer import Syncer
from tests.journal.make import checkpoint, key, life


def test_a_segment_is_synced_when_it_grew_and_only_then(tmp_path: Path) -> None:
    syncer = Syncer(tmp_path)
    syncer.turn()
    assert syncer.syncs == 0
    spool = Spool.open(tmp_path, 4096)
    spool.begin(checkpoint)
    syncer.turn()
    assert syncer.syncs == 2  # the directory and the segment; the reserve is empty
    syncer.turn()
    assert syncer.syncs == 2
    spool.append_many(life(key(1)))
    syncer.turn()
    assert syncer.syncs == 3


def test_it_knows_how_far_the_journal_is_behind(tmp_path: Path) -> None:
    syncer = Syncer(tmp_path)
    spool = Spool.open(tmp_path, 4096)
    spool.begin(checkpoint)
    syncer.turn()
    start = syncer.written
    assert start.segment == 1
    spool.append_many(life(key(1)))
    syncer.turn()
    assert syncer.behind(start) == syncer.written.offset - start.offset > 0
    assert syncer.behind(syncer.written) == 0
    for seq in range(2, 20):
        spool.append_many(life(key(seq)))
    syncer.turn()
    assert syncer.written.segment > 1
    before = syncer.behind(Position(1, 0))
    path_of(tmp_path, 1).unlink()
    syncer.turn()
    assert syncer.behind(Position(2, 0)) < before


def test_a_failing_sync_is_told_and_is_over_when_one_succeeds(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, 4096)
    spool.begin(checkpoint)
    syncer = Syncer(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fdatasync", _no_disk)
        syncer.turn()
    assert "spool not synced" in syncer.trouble
    spool.append_many(life(key(1)))
    syncer.turn()
    assert syncer.trouble == ""


def _no_disk(_: int) -> None:
    raise OSError(5, "Input/output error")
