"""What stands on the terminal: every figure, whatever the width, and a foreign word never read as markup."""

import pytest

from inspectd.cli import screen, status_page
from inspectd.supervisor.status import Overall, ProcessStatus, SourceStatus, Status
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import StationBeat

STATUS = Status(
    pid=7,
    up_s=3725.0,
    ready=True,
    stopping=False,
    health=Overall(HealthState.DEGRADED, ["camera [b]gone[/b]"]),
    processes=[
        ProcessStatus("dispatchd", 8, "up", 61.0, 2, HealthState.OK, [], "killed by SIGKILL", False, {}),
        ProcessStatus("ingestd-washer", 0, "back-off", 0.0, 5, HealthState.FAULT, ["no [red] picture"], "", False, {}),
        ProcessStatus("plcd-line1", 9, "starting", 1.0, 0, None, [], "", False, {}),
    ],
    channels={"frames": {"dispatchd": {"sent": 0, "received": 12345, "refused": 0, "bad": 1}}},
    ledger={"washer": {"triggers": 1_234_567.0, "pass": 1_234_560.0, "undecided": 7.0, "reason.late": 7.0}},
    outcomes={"washer": {"delivered": 5.0, "fail_safe(plc_down)": 2.0}},
    dispatch={},
    sources={"washer": SourceStatus(False, {})},
    stations={"washer": StationBeat(ready=False, fingerprint="", product="default", fault="no bundle")},
)


def test_a_status_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Health, processes, ledger, outcomes and channels, each with its figures, and reasons as they were said."""
    status_page.show(STATUS)
    shown = capsys.readouterr().out
    for words in (
        "DEGRADED, all processes are up, pid 7, up 1:02:05",
        "camera [b]gone[/b]", "station washer: no bundle; product default, bundle none",
        "killed by SIGKILL", "no [red] picture", "back-off", "1234567", "1234560", "late", "plc_down", "12345",
        "refused: not sent, the channel was full or nobody there",
    ):  # fmt: skip
        assert words in shown, words


def test_a_narrow_terminal_cuts_no_figure_off(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines become longer than the terminal is wide; it breaks them, and everything stays readable."""
    monkeypatch.setenv("COLUMNS", "30")
    table = screen.grid("", [f"column {n}" for n in range(8)], right=["column 7"])
    table.add_row(*(f"value-of-{n}" for n in range(8)))
    screen.show(table)
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 2
    assert all(f"value-of-{n}" in shown for n in range(8))


def test_a_long_reason_goes_on_in_a_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Only the columns that may be folded are."""
    table = screen.grid("", ["process", "why"], folded=["why"])
    table.add_row("dispatchd", "because " * 20)
    screen.show(table)
    shown = capsys.readouterr().out
    assert shown.count("because") == 20
    assert len(shown.splitlines()) > 2


def test_progress_tells_every_stage_and_that_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """Stages without anything to do are left out; a stage that ended early is shown as finished."""
    with screen.Bars() as bars:
        bars.stage("pictures", 4)(3)
        bars.stage("nothing", 0)(0)
        advance = bars.stage("bank", 2)
        advance(1)
        advance(1)
    told = capsys.readouterr().err
    assert "4/4" in told
    assert "2/2" in told
    assert len(told.splitlines()) == 2
    assert "nothing" not in told


def test_where_nobody_watches_a_long_stage_tells_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line every half minute, with the time that is left; and one at its end, or where it was left."""
    now = iter(range(0, 10**15, 10 * 10**9))
    monkeypatch.setattr(screen.clock, "now_ns", lambda: next(now))
    with screen.Bars() as bars:
        advance = bars.stage("scores", 40)
        for _ in range(20):
            advance(1)
        bars.leave()
    told = capsys.readouterr().err.splitlines()
    assert 3 < len(told) < 12
    assert all(line.startswith("scores ") for line in told)
    assert "/40 in " in told[0]
    assert "s left" in told[1]
    assert told[-1].startswith("scores 20/20 in ")


def test_what_steers_a_terminal_is_spelled_out_wherever_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Results, notes, warnings, errors and tables; lines of ours stay lines."""
    for tell in (screen.say, screen.note, screen.warn, screen.fail):
        tell("part \x1b[2J\nis \udcff")
    table = screen.grid("", ["part"])
    table.add_row(screen.cell("[b]\x07"))
    screen.show(table)
    captured = capsys.readouterr()
    told = captured.out + captured.err
    assert told.count(r"part \x1b[2J") == told.count(r"is \xff") == 4
    assert r"[b]\x07" in told
    assert told.replace("\n", "").isprintable()


def test_an_error_of_many_lines_is_many_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """One problem a line, each marked, so that grep finds them."""
    screen.fail("a: [x]\nb")
    assert capsys.readouterr().err == "error: a: [x]\nerror: b\n"
