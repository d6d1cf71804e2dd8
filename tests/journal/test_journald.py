"""journald as a whole: rows, pictures, health and the ordered stop; and rows exactly once whatever kills it."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from inspectd import clock, image
from inspectd.dispatch.spool import Spool
from inspectd.journal import journald, schema, segments
from inspectd.journal.reader import Reader
from inspectd.station.schema import Retention
from inspectd.station.state import StateDir
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import Health, KeptPicture
from inspectd.wire.sockets import Hub
from tests import support
from tests.journal.make import DAY_NS, checkpoint, closed, key, life, opened, outcome
from tests.journal.seat import Supervisor, seat

NOW = clock.utc_ns()
HEALTHY = Retention(min_free_mb=1)


@contextmanager
def running(state: StateDir, run_dir: Path, keep: Retention = HEALTHY) -> Iterator[Supervisor]:
    """journald in a thread; stopped and joined at the end."""
    supervisor = Supervisor(run_dir)
    thread = threading.Thread(target=journald.main, args=(seat(state, run_dir, keep),))
    thread.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()
        thread.join(10)
        supervisor.hear()
        supervisor.hub.close()
    assert not thread.is_alive()


@pytest.fixture
def spool(state: StateDir) -> Iterator[Spool]:
    spool = Spool.open(state.spool, 16_384)
    spool.begin(lambda: checkpoint(utc_ns=NOW))
    yield spool
    spool.close()


def test_facts_become_rows_while_it_runs_and_all_of_them_before_it_ends(state: StateDir, run_dir: Path, spool: Spool) -> None:
    with running(state, run_dir) as supervisor:
        spool.append_many(life(key(1), NOW))
        support.until(lambda: supervisor.count("outcomes") == 1)
        assert Reader(state).part("part-1").key == key(1)
        support.until(lambda: supervisor.count("fdatasync") > 0)
        for seq in range(2, 500):
            spool.append_many(life(key(seq), NOW))
            spool.prepare()
    assert [part.seq for part in Reader(state).parts()] == list(range(1, 500))
    assert supervisor.health is not None
    assert supervisor.health.done
    assert supervisor.health.state is HealthState.OK
    assert supervisor.health.counters["opens"] == 499
    assert supervisor.health.counters["behind_bytes"] == 0
    assert len(segments.numbers(state.spool)) == 2  # the one in use and its reserve


def test_pictures_come_to_disk_with_their_maps(state: StateDir, run_dir: Path, spool: Spool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    heat = np.random.default_rng(1).integers(0, 3_000, (40, 50), np.uint16)
    with running(state, run_dir) as supervisor, Hub(run_dir) as hub:
        port = hub.connect("pictures")
        for seq in range(1, 31):
            kept = KeptPicture(key=key(seq), utc_ns=NOW, shape=(40, 50), pixel_format="mono8", map_shape=(40, 50))
            support.send(port, kept, [pixels, heat])
        support.until(lambda: supervisor.count("pictures") == 30)
    reader = Reader(StateDir(state.root))
    for seq in range(1, 31):
        path, of_map = reader.picture(key(seq)), reader.map(key(seq))
        assert path is not None
        assert of_map is not None
        assert np.array_equal(image.read(path).pixels, pixels)
        assert np.array_equal(image.decode_map(of_map.read_bytes(), "map"), heat)


def test_on_a_nearly_full_disk_pictures_stop_and_say_so_and_rows_go_on(state: StateDir, run_dir: Path, spool: Spool) -> None:
    with running(state, run_dir, Retention(min_free_mb=10_000_000)) as supervisor, Hub(run_dir) as hub:
        port = hub.connect("pictures")
        kept = KeptPicture(key=key(1), utc_ns=NOW, shape=(40, 50), pixel_format="mono8")
        support.send(port, kept, [np.zeros((40, 50), np.uint8), b""])
        spool.append_many(life(key(1), NOW))
        support.until(lambda: supervisor.count("pictures_refused") == 1 and supervisor.count("outcomes") == 1)
        health = supervisor.hear()
        assert health is not None
        assert health.state is HealthState.DEGRADED
        assert "less than min_free_mb (10000000 MB) is free" in health.reasons[0]
    assert not state.pictures.exists()


def test_while_sqlite_refuses_it_says_why_and_goes_on_by_itself(state: StateDir, run_dir: Path, spool: Spool) -> None:
    state.journal.write_text("a file where the directory should be")
    with running(state, run_dir) as supervisor:
        spool.append_many(life(key(1), NOW))

        def degraded() -> Health | None:
            health = supervisor.hear()
            return health if health and health.state is HealthState.DEGRADED and health.counters["behind_bytes"] > 0 else None

        assert "cannot be written" in support.until(degraded).reasons[0]
        state.journal.unlink()
        support.until(lambda: supervisor.count("outcomes") == 1)
        support.until(lambda: (health := supervisor.hear()) is not None and health.state is HealthState.OK)
    assert Reader(state).counts().settled == 1


def test_it_ends_even_if_sqlite_refuses_and_the_spool_keeps_the_rest(state: StateDir, run_dir: Path, spool: Spool) -> None:
    state.journal.write_text("a file where the directory should be")
    spool.append_many(life(key(1), NOW))
    with running(state, run_dir):
        pass
    state.journal.unlink()
    with running(state, run_dir):
        pass
    assert Reader(state).counts().settled == 1


def test_days_beyond_retention_are_deleted_at_its_start(state: StateDir, run_dir: Path) -> None:
    old, recent = (schema.path_of(state.journal, clock.utc_day(NOW - days * DAY_NS)) for days in (12, 9))
    for path in (old, recent):
        schema.open_for_writing(path).close()
        (state.pictures / path.stem.removeprefix("journal-") / "tile").mkdir(parents=True)
    with running(state, run_dir, Retention(days=10, picture_days=5, min_free_mb=1)):
        support.until(lambda: not old.exists() and not list(state.pictures.iterdir()))
    assert recent.exists()


@pytest.mark.slow
def test_killed_at_any_moment_under_load_every_fact_is_in_its_row_exactly_once(
    state: StateDir, run_dir: Path, spool: Spool
) -> None:
    chance = random.Random(7)
    midnight = NOW - NOW % DAY_NS  # two days are written side by side
    command = [sys.executable, "-m", "tests.journal.seat", str(state.root), str(run_dir)]
    supervisor = Supervisor(run_dir)
    seq = 0
    for _ in range(6):
        process = subprocess.Popen(command)
        drained = Reader(state).counts().rows if state.journal.exists() and list(state.journal.glob("*.db")) else 0
        goal = drained + chance.randint(20, 400)

        def load_until_drained(goal: int = goal) -> bool:
            nonlocal seq
            seq += 1
            utc_ns = midnight + (seq % 3 - 1) * 60 * 1_000_000_000
            assert spool.append(opened(key(seq), utc_ns))
            assert spool.append_many([closed(key(seq), utc_ns), outcome(key(seq), utc_ns)])
            spool.prepare()
            days = list(state.journal.glob("journal-*.db"))
            return len(days) == 2 and Reader(state).counts().rows >= goal

        support.until(load_until_drained, 30)
        process.send_signal(signal.SIGKILL)
        process.wait()
    process = subprocess.Popen(command)
    supervisor.health = None
    support.until(lambda: (health := supervisor.hear()) is not None and health.pid == process.pid, 20)
    supervisor.stop()
    assert process.wait(30) == 0
    supervisor.hub.close()

    parts = list(Reader(state).parts())
    assert sorted(part.seq for part in parts) == list(range(1, seq + 1))
    assert all(part.trigger_ns == 5_000_000 + part.seq and part.verdict and part.outcome for part in parts)
    assert Reader(state).gaps() == []
    assert len(schema.days(state.journal)) == 2
    assert len(segments.numbers(state.spool)) == 2
