"""What dispatch knows of workers is replaced by what they say, and frames of the dead go out once more."""

from inspectd.dispatch.pool import Pool
from inspectd.wire.messages import Held, Key, WorkerState

MS = 1_000_000
F = "f" * 16


def state(places: int = 8, received: int = 0, session: str = "s", name: str = "workerd-1", **more) -> WorkerState:
    held = {F: Held("x", 1.0)}
    return WorkerState(
        session=session, name=name, places=places, received=received, held=held, refused={}, p95_ms={"x:1": 10.0}, **more
    )


def keys(*seqs: int) -> list[Key]:
    return [Key("a", 1, seq) for seq in seqs]


def test_places_count_only_once_the_worker_has_seen_all_that_was_sent():
    pool = Pool()
    pool.heard(b"w", state(), "s", 0)
    assert pool.pick(F) == b"w"
    pool.sent(b"w", keys(1), "x", 0)
    assert pool.pick(F) is None
    pool.heard(b"w", state(received=0), "s", 1)  # said before the batch arrived
    assert pool.pick(F) is None
    pool.heard(b"w", state(received=1), "s", 2)
    assert pool.pick(F) == b"w"


def test_a_worker_of_another_session_has_no_places_until_it_was_told_ours():
    pool = Pool()
    assert pool.heard(b"w", state(session="old"), "s", 0).told == -1
    assert pool.pick(F) is None


def test_the_worker_with_the_least_in_work_is_picked_and_only_one_that_holds_the_bundle():
    pool = Pool()
    pool.heard(b"v", state(), "s", 0)
    pool.heard(b"w", state(name="workerd-2"), "s", 0)
    pool.sent(b"v", keys(1), "x", 0)
    pool.heard(b"v", state(received=1), "s", 0)
    assert pool.pick(F) == b"w"
    assert pool.pick("0" * 16) is None


def test_the_frames_of_a_dead_worker_come_back_and_a_frame_that_killed_two_is_poison():
    pool = Pool()
    pool.heard(b"v", state(), "s", 0)
    pool.sent(b"v", keys(1, 2), "x", 0)
    assert pool.died_by_name("workerd-1") == keys(1, 2)
    assert not pool.poisoned(keys(1)[0])
    pool.heard(b"w", state(), "s", 0)
    pool.sent(b"w", keys(1), "x", 0)
    assert pool.died(b"w") == keys(1)
    assert pool.poisoned(keys(1)[0])
    assert not pool.poisoned(keys(2)[0])


def test_an_answer_overdue_by_three_times_p95_and_200_ms_sends_its_frames_again_and_the_worker_gets_nothing():
    pool = Pool()
    pool.heard(b"w", state(), "s", 0)
    pool.sent(b"w", keys(1), "x", 0)
    pool.heard(b"w", state(received=1), "s", 0)
    assert pool.overdue(230 * MS) == []
    assert pool.overdue(231 * MS) == keys(1)
    assert pool.pick(F) is None
    pool.heard(b"w", state(received=1), "s", 240 * MS)
    assert pool.pick(F) == b"w"


def test_an_answer_overdue_twice_is_no_poison_since_nobody_died_of_it_and_goes_out_no_third_time():
    pool = Pool()
    (key,) = keys(1)
    for n, (identity, name) in enumerate([(b"v", "workerd-1"), (b"w", "workerd-2")]):
        pool.heard(identity, state(name=name), "s", n * 300 * MS)
        pool.sent(identity, [key], "x", n * 300 * MS)
        assert pool.may_go_again(key) == (n == 0)
        assert pool.overdue((n + 1) * 300 * MS) == [key]
        assert not pool.poisoned(key)


def test_a_frame_on_which_two_workers_hang_until_they_are_killed_is_poison():
    pool = Pool()
    (key,) = keys(1)
    for n, (identity, name) in enumerate([(b"v", "workerd-1"), (b"w", "workerd-2")]):
        pool.heard(identity, state(name=name), "s", n * 300 * MS)
        pool.sent(identity, [key], "x", n * 300 * MS)
        pool.overdue((n + 1) * 300 * MS)
    assert pool.died_by_name("workerd-1") == [key]
    assert not pool.poisoned(key)
    assert pool.died_by_name("workerd-2") == [key]
    assert pool.poisoned(key)


def test_what_was_answered_by_another_worker_is_no_longer_owed_by_the_late_one():
    pool = Pool()
    pool.heard(b"v", state(), "s", 0)
    pool.sent(b"v", keys(1), "x", 0)
    pool.overdue(300 * MS)
    pool.answered(b"w", keys(1))
    assert pool.died(b"v") == []
    assert pool.deaths == {}


def test_an_answer_frees_its_batch_and_forgets_its_attempts():
    pool = Pool()
    pool.heard(b"w", state(), "s", 0)
    pool.sent(b"w", keys(1, 2), "x", 0)
    pool.answered(b"w", keys(1, 2))
    assert pool.attempts == {}
    assert pool.died(b"w") == []


def test_a_worker_that_says_nothing_for_a_minute_is_forgotten():
    pool = Pool()
    pool.heard(b"w", state(), "s", 0)
    pool.overdue(60_001 * MS)
    assert pool.workers == {}
