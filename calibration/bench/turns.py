"""Several sides timed in turns in one run, so that what else a machine does disturbs all alike."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles
from typing import Any, TypeVar

from calibration.progress import Advance
from inspectd import clock

Side = Callable[[int], object]  # does its work on what the numbered round is about; may return what it Took itself
Times = Mapping[str, Sequence[float]]  # ms of every round, by side
T = TypeVar("T")

PICTURES = 8  # that a side scores in its turn, whatever the batch: with one alone it would meet the others' caches only


class Took(float):
    """Milliseconds that a side measured itself, where it works in another process."""


def in_turns(sides: Mapping[str, Side], rounds: int, advance: Advance) -> dict[str, list[float]]:
    """Return how many ms each side took in each round, after one round that is not counted.

    Each round begins with another side: what one leaves in the caches is met by every other in turn.
    """
    names = list(sides)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-1, rounds):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            start = clock.now_ns()
            said = sides[name](max(number, 0))
            took = said if isinstance(said, Took) else (clock.now_ns() - start) / clock.MS
            times[name] += [took] if number >= 0 else []
        advance(1)
    return times


def batches(pictures: Sequence[T], turn: int, batch: int) -> list[list[T]]:
    """Return the pictures of one turn, batch by batch; after the last picture comes the first again."""
    own = [pictures[(turn * PICTURES + k) % len(pictures)] for k in range(PICTURES)]
    return [own[first : first + batch] for first in range(0, PICTURES, batch)]


def middle(values: Sequence[float]) -> dict[str, Any]:
    """Return the median and, as spread, the quartiles around it."""
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return {"median": median(values), "spread": [low, high]}


def compared(times: Times, floor: str, pictures: int = 1) -> dict[str, dict[str, Any]]:
    """Return of each side its ms a picture and its ratio to the floor, round by round; medians with quartiles."""
    return {
        name: {
            "ms": middle([one / pictures for one in took]),
            "ratio": middle([one / bare for one, bare in zip(took, times[floor], strict=True)]),
        }
        for name, took in times.items()
    }
