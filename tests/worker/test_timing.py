"""p95 of batch times, as dispatch plans with it."""

from inspectd.worker.timing import KEPT, Timing


def test_p95_of_twenty_times_is_the_nineteenth_smallest():
    timing = Timing()
    for ms in range(1, 21):
        timing.add("x", 1, float(ms))
    assert timing.p95_ms() == {"x:1": 19.0}


def test_old_times_are_forgotten():
    timing = Timing()
    timing.add("x", 8, 1000.0)
    for _ in range(KEPT):
        timing.add("x", 8, 5.0)
    assert timing.p95_ms() == {"x:8": 5.0}
