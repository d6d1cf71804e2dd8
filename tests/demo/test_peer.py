"""What the PLC peer prints becomes a result with names in place of codes."""

import pytest

from inspectd.demo.peer import parse

LINE = {
    "run": 2,
    "seq": 7,
    "verdict": "UNDECIDED",
    "late": False,
    "reason": 4,
    "score": None,
    "part_id": "p",
    "latency_ms": 9,
    "t_ns": 1,
}


@pytest.mark.parametrize(("code", "name"), [(0, ""), (4, "restart"), (5, "late"), (999, "reason 999")])
def test_a_reason_is_named_and_an_unknown_code_stays_a_number(code, name):
    """A register may hold any number; the demo shows it and does not fall over."""
    assert parse(LINE | {"reason": code}, "cell").reason == name


def test_a_result_is_known_by_station_run_and_seq():
    """The key is what joins it to the journal."""
    assert parse(LINE, "cell").read.key == "cell/2/7"
