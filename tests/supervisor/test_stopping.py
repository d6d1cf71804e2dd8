"""The order of the end."""

from inspectd.supervisor.life import Life, Phase, Told
from inspectd.supervisor.stopping import Stopping
from tests.supervisor.lives import health, seconds, up, waiting


def obey(lives: list[Life], stopping: Stopping, now: int) -> None:
    """All who are told end at once."""
    for life in lives:
        life.told = stopping.wanted
        life.died(0, now)


def test_stages_follow_each_other_only_when_the_one_before_is_over() -> None:
    lives = up()
    stopping, order = Stopping(lives, 0), []
    while not stopping.ended:
        tell, kill, _ = stopping.step(1)
        assert kill == []
        order.append([life.name for life in tell])
        assert [life.name for life in stopping.step(1).tell] == order[-1]
        obey(tell, stopping, 1)
    assert order == [["ingestd-cell"], ["dispatchd"], ["workerd-1", "plcd-line1"], ["journald"]]
    assert stopping.clean


def test_no_camera_goes_before_dispatch_has_every_trigger_of_the_plc() -> None:
    lives = {life.name: life for life in up()}
    plcd, ingestd = lives["plcd-line1"], lives["ingestd-cell"]
    plcd.close_told = False
    plcd.heard(health(plcd), 0)  # its intake is open
    stopping = Stopping(list(lives.values()), 0)
    assert stopping.step(0) == ([], [], [plcd])
    plcd.close_told = True
    assert stopping.step(1) == ([], [], [])
    plcd.heard(health(plcd, done=True), 2)
    assert stopping.step(2) == ([ingestd], [], [])


def test_triggers_that_dispatch_does_not_take_are_waited_for_a_second() -> None:
    lives = {life.name: life for life in up()}
    plcd, ingestd = lives["plcd-line1"], lives["ingestd-cell"]
    plcd.heard(health(plcd), 0)
    stopping = Stopping(list(lives.values()), 0)
    assert stopping.step(seconds(0.99)) == ([], [], [])
    assert stopping.step(seconds(1)) == ([ingestd], [], [])


def test_a_plcd_that_comes_back_during_the_end_is_told_again() -> None:
    lives = {life.name: life for life in up()}
    plcd, stopping = lives["plcd-line1"], Stopping(list(lives.values()), 0)
    plcd.died(-9, 0)
    stopping.step(0)
    plcd.started(200, seconds(0.2))
    assert stopping.step(seconds(2)).close == [plcd]


def test_each_is_told_once_and_killed_at_its_stages_limit() -> None:
    lives = up()
    stopping = Stopping(lives, 0)
    (ingestd,) = stopping.step(0).tell
    ingestd.told = Told.STOP
    assert stopping.step(seconds(9.9)) == ([], [], [])
    assert stopping.step(seconds(10)) == ([], [ingestd], [])
    ingestd.died(-9, seconds(10))
    assert not stopping.clean
    (dispatchd,) = stopping.step(seconds(11)).tell
    assert (dispatchd.name, stopping.step(seconds(15.9)).kill) == ("dispatchd", [])  # its own limit counts from its turn
    assert stopping.step(seconds(16)).kill == [dispatchd]


def test_a_second_signal_shortens_the_wait_but_the_ledger_still_closes() -> None:
    lives = up()
    stopping = Stopping(lives, 0)
    (ingestd,) = stopping.step(0).tell
    ingestd.told = Told.STOP
    stopping.hurry(seconds(2))
    assert stopping.wanted is Told.HURRY
    assert stopping.step(seconds(2.9)) == ([ingestd], [], [])  # told again, now to hurry
    assert stopping.step(seconds(3)).kill == [ingestd]
    ingestd.died(-9, seconds(3))
    (dispatchd,) = stopping.step(seconds(4)).tell
    assert stopping.step(seconds(8.9)).kill == []
    obey([dispatchd], stopping, seconds(9))
    assert {life.name for life in stopping.step(seconds(9)).tell} == {"workerd-1", "plcd-line1"}


def test_the_echo_of_a_signal_is_no_second_wish() -> None:
    stopping = Stopping(up(), 0)
    stopping.hurry(seconds(0.4))
    assert stopping.wanted is Told.STOP
    stopping.hurry(seconds(0.5))
    assert stopping.wanted is Told.HURRY


def test_later_stages_are_restarted_until_their_turn() -> None:
    lives = {life.name: life for life in up()}
    stopping = Stopping(list(lives.values()), 0)
    stopping.step(0)
    lives["dispatchd"].died(-9, 0)
    stopping.step(1)
    assert lives["dispatchd"].due(seconds(0.2))
    assert not stopping.ended


def test_an_ingestd_in_back_off_is_not_started_again_and_the_end_is_clean() -> None:
    lives = {life.name: life for life in up()}
    lives["ingestd-cell"].died(1, 0)
    stopping = Stopping(list(lives.values()), 0)
    assert [life.name for life in stopping.step(0).tell] == ["dispatchd"]
    assert (lives["ingestd-cell"].phase, stopping.clean) == (Phase.STOPPED, True)


def test_a_ledger_in_back_off_makes_the_end_unclean() -> None:
    lives = {life.name: life for life in up()}
    obey([lives["ingestd-cell"]], stopping := Stopping(list(lives.values()), 0), 0)
    lives["dispatchd"].died(-9, 0)
    stopping.step(0)
    assert not stopping.clean


def test_what_was_never_started_is_never_started() -> None:
    lives = waiting()
    stopping = Stopping(lives, 0)
    assert stopping.step(0) == ([], [], [])
    assert (stopping.ended, stopping.clean) == (True, True)


def test_the_whole_end_takes_at_most_the_sum_of_its_stages() -> None:
    assert Stopping(up(), 0).longest_s == 1 + 10 + 5 + 10 + 30


def test_it_says_for_whom_it_waits_how_long_and_how_many_parts_are_open() -> None:
    lives = {life.name: life for life in up()}
    dispatchd = lives["dispatchd"]
    dispatchd.heard(health(dispatchd, counters={"in_flight": 3.0, "unsettled": 5.0}), 0)
    stopping = Stopping(list(lives.values()), 0)
    obey(stopping.step(0).tell, stopping, 0)
    assert stopping.waits_for(0) == "goes on to the next processes"
    stopping.step(seconds(1))
    open_parts = "3 parts in flight, 5 without a line outcome"
    assert stopping.waits_for(seconds(2)) == f"waits for dispatchd, 4 s at most; {open_parts}"
    obey([dispatchd], stopping, seconds(3))
    stopping.step(seconds(3))
    assert stopping.waits_for(seconds(3)) == "waits for workerd-1, plcd-line1, 10 s at most"
