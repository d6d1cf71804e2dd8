"""What a part takes is told for a bank of the full size, and is the fastest of a few runs."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from calibration import fitting, latency
from calibration.features import Extractor
from inspectd import clock
from tests.calibration import parts


def run_in(monkeypatch: pytest.MonkeyPatch, ms: Sequence[float]) -> list[float]:
    """Let runs take these times; returns those that are left."""
    left, now = list(ms), [0]

    def ticks() -> int:
        """Every other reading ends a run."""
        now.append(now[-1] + round(left.pop(0) * clock.MS) if len(now) % 2 == 0 else now[-1])
        return now[-1]

    monkeypatch.setattr(clock, "now_ns", ticks)
    return left


def test_a_part_is_judged_by_a_bank_of_the_full_size_and_the_fastest_run_counts(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though a few pictures have fewer patches; told to two digits."""
    banks, judge = [], fitting.judge

    def watched(fitted, method, seen):  # type: ignore[no-untyped-def] # notes the bank on its way
        banks.append(fitted["bank"].shape)
        return judge(fitted, method, seen)

    run_in(monkeypatch, [90.0, 40.0, 35.678, *[50.0] * 20])
    monkeypatch.setattr(fitting, "judge", watched)
    method = replace(parts.METHOD, bank=2000)
    assert latency.of(method, extractor, [parts.part(i) for i in range(4)]) == 36
    assert banks == [(2000, extractor.backbone.channels)]


@pytest.mark.parametrize(
    ("slow", "runs", "told"),
    [(55.0, 13, 30), (55.0, 40, 55), (500.0, 40, 500)],
    ids=["was held up", "is too slow", "is much too slow"],
)
def test_what_is_somewhat_over_the_limit_is_measured_on(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch, slow: float, runs: int, told: float
) -> None:
    """Something else may have held the machine up; what takes twice the limit is given up at once."""
    left = run_in(monkeypatch, [slow] * 12 + [30.0 if runs == 13 else slow] + [slow] * 30)
    assert latency.of(parts.METHOD, extractor, [parts.part(i) for i in range(4)], limit=40) == told
    assert 43 - len(left) == {30: 13, 55: 27, 500: 9}[told]
