"""Sides take turns, each round on its own work, and are compared round by round."""

import pytest

from calibration.bench import turns


def test_every_side_has_every_turn_and_each_begins_a_round_in_turn() -> None:
    """Round numbers are the same for all sides; the first round, to warm up, is run and not counted."""
    seen: list[tuple[str, int]] = []
    sides = {name: lambda number, name=name: seen.append((name, number)) for name in "abc"}
    told: list[int] = []
    times = turns.in_turns(sides, 3, told.append)
    assert {name: len(took) for name, took in times.items()} == {"a": 3, "b": 3, "c": 3}
    rounds = [seen[i : i + 3] for i in range(0, len(seen), 3)]
    assert [{number for _, number in one} for one in rounds] == [{0}, {0}, {1}, {2}]
    assert [one[0][0] for one in rounds[1:]] == ["a", "b", "c"]
    assert sum(told) == 4


def test_a_turn_is_of_eight_pictures_whatever_the_batch_and_goes_on_where_the_last_one_ended() -> None:
    """A side that scored one picture in its turn would meet the caches that the others left, and nothing else."""
    pictures = range(11)
    for turn, expected in enumerate(([0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 0, 1, 2, 3, 4])):
        for batch in (1, 4, 8):
            found = turns.batches(pictures, turn, batch)
            assert [len(some) for some in found] == [batch] * (8 // batch)
            assert [one for some in found for one in some] == expected


def test_ratios_are_of_each_round_and_then_their_median() -> None:
    """A machine that was slow in one round was so for both sides: the ratio does not see it."""
    found = turns.compared({"floor": [1, 10, 2], "side": [2, 20, 4]}, "floor", pictures=2)
    assert found["side"]["ratio"] == {"median": 2, "spread": [2, 2]}
    assert found["side"]["ms"]["median"] == 2
    assert found["floor"]["ms"] == {"median": 1, "spread": [0.75, 3]}
    assert turns.middle([5]) == {"median": 5, "spread": [5, 5]}
    assert turns.middle([1, 2, 3, 4])["spread"] == pytest.approx([1.75, 3.25])
