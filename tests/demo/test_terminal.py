"""What the demo says must be true, complete, and harmless to the terminal."""

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from inspectd.demo.figures import lateness
from inspectd.demo.peer import Result
from inspectd.demo.tally import Read, Row, check
from inspectd.demo.terminal import Terminal
from inspectd.station.schema import Camera, Station


@pytest.fixture
def screen() -> tuple[Terminal, io.StringIO]:
    stream = io.StringIO()
    return Terminal(Console(file=stream, width=300)), stream


def result(part_id: str = "p", verdict: str = "PASS", reason: str = "", fail_safe: bool = False, score: float | None = 0.5):
    return Result(Read("a/1/1", verdict, fail_safe, 1), part_id, reason, score, 12)


def row(seq: int, verdict: str = "UNDECIDED", score: float = math.nan, defective: bool = False, **more) -> Row:
    return Row(f"a/1/{seq}", f"p{seq}", verdict, score, more.pop("outcome", "delivered"), 0, defective=defective, **more)


def test_a_part_id_cannot_steer_the_terminal_or_its_markup(screen):
    """Escapes are shown as text, brackets stay brackets."""
    terminal, stream = screen
    terminal.part(result("\x1b[31m[red]x\r\n"), 1, 2, 1.0)
    shown = stream.getvalue()
    assert "\\x1b[31m[red]x\\r\\n" in shown
    assert not set(shown) & {"\x1b", "\r"}


def test_a_score_stands_beside_the_threshold_that_was_given(screen):
    """The exact threshold, not one worked out from rounded registers."""
    terminal, stream = screen
    terminal.part(result(score=0.5), 1, 2, 0.7314)
    assert "0.500 of 0.731" in stream.getvalue()


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (result(verdict="UNDECIDED", reason="restart", score=None), "UNDECIDED(restart)"),
        (result(verdict="UNDECIDED", reason="late", fail_safe=True, score=None), "fail-safe: no verdict"),
    ],
)
def test_a_part_without_a_judgement_says_why(screen, shown, words):
    """UNDECIDED comes with its reason, and plcd's own Fail is not passed off as a verdict."""
    terminal, stream = screen
    terminal.part(shown, 1, 2, 1.0)
    assert words in stream.getvalue()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(1), row(2, defective=True)], "none of the 1 good parts got a score in time"),
        ([row(1, "PASS", 0.2), row(2, defective=True)], "none of the 1 defective parts got a score in time"),
        ([row(1, "PASS", 0.2)], "no defective part was on the line"),
    ],
)
def test_missing_figures_say_what_they_lack(screen, rows, words):
    """No score and no such part are two different things."""
    terminal, stream = screen
    terminal.accuracy(rows, 1.0)
    assert f"no AUROC and no F1: {words}" in stream.getvalue()


def test_accuracy_names_the_parts_it_is_worked_out_over(screen):
    """Parts without a score are not in AUROC and F1."""
    terminal, stream = screen
    terminal.accuracy([row(1, "PASS", 0.2), row(2, "FAIL", 1.2, defective=True), row(3)], 1.0)
    assert "AUROC 1.0000" in stream.getvalue()
    assert "over the 2 parts with a score in time" in stream.getvalue()


def test_the_ledger_can_be_added_up_by_its_reader(screen):
    """Outcomes by name sum to the triggers; verdicts and fail-safes read are told apart."""
    terminal, stream = screen
    late = row(2, outcome="fail_safe(late)", reason="late")
    reads = [Read("a/1/1", "UNDECIDED", False, 1), Read("a/1/2", "UNDECIDED", True, 1)]
    terminal.ledger(check(2, 2, [row(1, reason="restart"), late], reads))
    shown = stream.getvalue()
    assert "what the line saw: 2 = delivered 1 + fail_safe(late) 1" in shown
    assert "what the PLC peer read: 1 verdicts = delivered 1; 1 fail-safes in place of a verdict" in shown
    assert "ledger closed" in shown


def test_undecided_parts_are_summed_by_reason(screen):
    """The sum of the reasons is the number of undecided parts."""
    terminal, stream = screen
    terminal.verdicts([row(1, reason="late"), row(2, reason="restart"), row(3, reason="late"), row(4, "PASS", 0.1)])
    assert "UNDECIDED 3 = late 2 + restart 1" in stream.getvalue()


def test_a_machine_that_is_too_slow_is_told_with_figures_and_a_way_out(screen):
    """How many, how slow, how fast it had to be, and what to change."""
    terminal, stream = screen
    found = lateness([row(1, reason="late", answered_ms=400.0), row(2, reason="late")])
    assert found is not None
    station = Station(station="cell", camera=Camera(kind="folder", path="x", rate=10), deadline_ms=250.0, delivery_ms=10.0)
    terminal.slow(found, 2, station, Path("stations/cell.yaml"))
    shown = stream.getvalue()
    for words in (
        "2 of 2 parts",
        "too slow",
        "10 parts/s",
        "250 ms",
        "p95 400.0 ms",
        "in time is 240 ms",
        "1 of the late",
        "cell.yaml",
    ):
        assert words in shown
