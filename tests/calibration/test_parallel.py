"""Work on many things comes back in order, and stops as a whole."""

import _thread
import threading

import pytest

from calibration.parallel import each
from calibration.progress import Advance


def test_results_come_in_the_order_of_the_things() -> None:
    """However long each takes: here the first waits for the second."""
    second = threading.Event()

    def work(thing: int, told: Advance) -> int:
        if thing == 0:
            assert second.wait(10)
        else:
            second.set()
        told(1)
        return thing * 10

    counted: list[int] = []
    assert each(work, range(5), 2, counted.append) == [0, 10, 20, 30, 40]
    assert sum(counted) == 5


@pytest.mark.parametrize("order", [["fails", "endless"], ["endless", "fails"]])
def test_an_error_stops_the_others_at_their_next_progress(order: list[str]) -> None:
    """The error is raised wherever it comes from; one that would go on for ever ends; the rest never begins in earnest."""
    begun = threading.Event()
    finished: list[str] = []

    def work(thing: str, told: Advance) -> None:
        if thing == "fails":
            assert begun.wait(10)
            raise ValueError("this one")
        told(1)
        begun.set()
        while thing == "endless":
            told(1)
        finished.append(thing)

    with pytest.raises(ValueError, match="this one"):
        each(work, [*order, *["later"] * 50], 2, lambda _done: None)
    assert finished == []


def test_ctrl_c_stops_all() -> None:
    """Pressed while they work, it is raised, and they end at their next progress."""
    pressed = threading.Event()

    def work(_thing: int, told: Advance) -> None:
        while True:
            told(1)

    def press(_done: int) -> None:
        if not pressed.is_set():
            pressed.set()
            _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        each(work, range(3), 2, press)
