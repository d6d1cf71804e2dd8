"""What a part takes is told for a bank of the full size, and is the fastest of a few runs."""

import pytest
from msgspec.structs import replace

from calibration import fitting, latency
from calibration.features import Extractor
from inspectd import clock
from tests.calibration import parts


def test_a_part_is_judged_by_a_bank_of_the_full_size_and_the_fastest_run_counts(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though a few pictures have fewer patches; told to two digits."""
    banks, judge = [], fitting.judge

    def watched(fitted, method, seen):  # type: ignore[no-untyped-def] # notes the bank on its way
        banks.append(fitted["bank"].shape)
        return judge(fitted, method, seen)

    took = iter([90.0, 40.0, 35.678, *[50.0] * 20])
    now = [0]

    def ticks() -> int:
        """Every other reading ends a run."""
        now.append(now[-1] + round(next(took) * clock.MS) if len(now) % 2 == 0 else now[-1])
        return now[-1]

    monkeypatch.setattr(fitting, "judge", watched)
    monkeypatch.setattr(clock, "now_ns", ticks)
    method = replace(parts.METHOD, bank=2000)
    assert latency.of(method, extractor, [parts.part(i) for i in range(4)]) == 36
    assert banks == [(2000, extractor.backbone.channels)]
