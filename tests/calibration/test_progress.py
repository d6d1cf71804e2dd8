"""Stages are passed on and timed."""

import pytest

from calibration import progress
from calibration.progress import Silent, Timed
from tests.calibration.parts import Watch


def test_each_stage_lasts_until_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three stages at 0, 2 and 5 s, asked at 9 s; what is told of them goes on to the one who watches."""
    times = iter([0, 2, 5, 9])
    monkeypatch.setattr(progress.clock, "now_ns", lambda: next(times) * 10**9)
    watch = Watch()
    timed = Timed(watch)
    for name in ("a", "b", "c"):
        timed.stage(name, 10)(4)
    assert timed.seconds() == {"a": 2.0, "b": 3.0, "c": 4.0}
    assert watch.stages == {"a": [10, 4], "b": [10, 4], "c": [10, 4]}


def test_before_any_stage_nothing_was_timed() -> None:
    """And nobody need watch."""
    assert Timed(Silent()).seconds() == {}
    Silent().stage("a", 3)(1)
