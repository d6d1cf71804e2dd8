"""One process's life: back-off, silence, deaths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspectd.supervisor.life import Life, Phase, Told
from inspectd.wire.enums import HealthState
from tests.supervisor.lives import health, row, seconds


@pytest.fixture
def life() -> Life:
    return Life(row("workerd", "1"))


def pauses(life: Life, lived_s: list[float]) -> list[float]:
    """The pause after each of these lives, found by asking when the next start is due."""
    found, now = [], 0
    for pid, seconds_ in enumerate(lived_s, start=1):
        life.started(pid, now)
        now += seconds(seconds_)
        life.died(1, now)
        step = seconds(0.05)
        ends = next(n for n in range(1000) if life.due(now + n * step))
        found.append(round(ends * 0.05, 2))
        now += ends * step
    return found


def test_pauses_double_to_ten_seconds(life: Life) -> None:
    assert pauses(life, [0] * 8) == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert life.restarts == 7


def test_half_a_minute_of_life_starts_the_pauses_anew(life: Life) -> None:
    assert pauses(life, [0, 0, 29.9, 30.0, 0]) == [0.2, 0.4, 0.8, 0.2, 0.4]


@given(st.lists(st.floats(0, 100), max_size=30))
def test_it_comes_back_however_often_it_dies_and_never_later_than_in_ten_seconds(lived_s: list[float]) -> None:
    assert all(0.2 <= pause <= 10.05 for pause in pauses(Life(row("workerd", "1")), lived_s))


def test_it_is_up_once_it_reports(life: Life) -> None:
    assert (life.phase, life.due(0)) == (Phase.WAITING, True)
    life.started(7, 0)
    assert (life.phase, life.ready, life.due(0)) == (Phase.STARTING, False, False)
    life.heard(health(life), 1)
    assert (life.phase, life.ready) == (Phase.UP, True)


def test_a_report_of_its_former_process_is_ignored(life: Life) -> None:
    life.started(7, 0)
    old = health(life, HealthState.FAULT)
    life.died(-9, 1)
    life.heard(old, 2)
    assert (life.phase, life.health) == (Phase.BACK_OFF, None)
    life.started(8, 3)
    life.heard(old, 4)
    assert (life.phase, life.health) == (Phase.STARTING, None)


def test_silence_is_borne_longer_before_the_first_report(life: Life) -> None:
    life.started(7, 0)
    assert (life.hung(seconds(60)), life.hung(seconds(60.1))) == (False, True)
    life.heard(health(life), seconds(10))
    assert (life.hung(seconds(25)), life.hung(seconds(25.1))) == (False, True)  # of a worker: 15 s


def test_time_in_which_the_supervisor_did_not_run_is_no_silence(life: Life) -> None:
    life.started(7, 0)
    life.heard(health(life), 0)
    life.forgive(seconds(100))
    assert (life.hung(seconds(114)), life.hung(seconds(116))) == (False, True)


def test_one_that_is_told_to_stop_or_being_killed_is_not_hung(life: Life) -> None:
    life.started(7, 0)
    life.told = Told.STOP
    assert not life.hung(seconds(1000))
    life.told, life.doomed = Told.NOTHING, True
    assert not life.hung(seconds(1000))


def test_deaths_are_counted_within_a_minute(life: Life) -> None:
    for second in (0, 10, 20, 30, 69):
        life.started(7, seconds(second))
        life.died(1, seconds(second))
    assert [life.deaths(seconds(t)) for t in (69, 71, 95, 200)] == [4, 3, 1, 0]


@pytest.mark.parametrize(("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL")])
def test_its_end_is_told_in_words(life: Life, code: int, words: str) -> None:
    life.started(7, 0)
    life.died(code, 1)
    assert life.last_end == words


@pytest.mark.parametrize(("code", "failed"), [(0, False), (1, True), (-11, True)])
def test_told_to_stop_it_ends_for_good_and_well_only_with_0(life: Life, code: int, failed: bool) -> None:
    life.started(7, 0)
    life.told = Told.STOP
    life.died(code, 1)
    assert (life.phase, life.failed, life.due(seconds(100))) == (Phase.STOPPED, failed, False)
