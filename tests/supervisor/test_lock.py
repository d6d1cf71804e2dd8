"""One daemon on a run directory."""

import os
from pathlib import Path

import pytest

from inspectd.errors import DaemonError
from inspectd.supervisor import lock
from inspectd.supervisor.lock import Lock


def test_the_holder_is_known_by_its_pid_for_as_long_as_it_holds(run_dir: Path) -> None:
    assert lock.holder(run_dir) is None
    with Lock(run_dir):
        assert lock.holder(run_dir) == os.getpid()
    assert lock.holder(run_dir) is None


def test_a_second_daemon_is_refused_and_the_first_keeps_the_lock(run_dir: Path) -> None:
    with Lock(run_dir):
        with pytest.raises(DaemonError, match=f"pid {os.getpid()}"):
            Lock(run_dir)
        assert lock.holder(run_dir) == os.getpid()
    with Lock(run_dir):
        assert lock.holder(run_dir) == os.getpid()


def test_a_file_without_a_holder_blocks_nobody(run_dir: Path) -> None:
    (run_dir / "lock").write_text("999999999\n")
    assert lock.holder(run_dir) is None
    with Lock(run_dir):
        assert lock.holder(run_dir) == os.getpid()


def test_a_holder_that_has_not_said_its_pid_is_a_holder(run_dir: Path) -> None:
    with Lock(run_dir):
        (run_dir / "lock").write_text("")
        assert lock.holder(run_dir) == 0
        with pytest.raises(DaemonError, match="not yet known"):
            Lock(run_dir)


def test_a_new_run_directory_is_closed_to_others(run_dir: Path) -> None:
    with Lock(run_dir / "new"):
        assert (run_dir / "new").stat().st_mode & 0o777 == 0o700


def test_a_run_directory_open_to_others_is_refused_with_what_to_do(run_dir: Path) -> None:
    (run_dir / "open").mkdir()
    (run_dir / "open").chmod(0o755)
    with pytest.raises(DaemonError, match=r"expected mode 0700 .*, got mode 0755 .*chmod 700"):
        Lock(run_dir / "open")


def test_a_run_directory_too_long_for_sockets_is_refused(run_dir: Path) -> None:
    with pytest.raises(DaemonError, match="at most 80 characters, got 94"):
        lock.prepare(run_dir / ("x" * (93 - len(str(run_dir)))))


def test_a_run_directory_that_cannot_be_made_is_refused(run_dir: Path) -> None:
    (run_dir / "file").touch()
    with pytest.raises(DaemonError, match="cannot be made"):
        Lock(run_dir / "file")
