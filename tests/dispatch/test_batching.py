"""Batches: earliest deadline first, one batch key, never so large that the earliest deadline is missed."""

from hypothesis import given
from hypothesis import strategies as st

from inspectd.dispatch.batching import UNKNOWN_MS, Waiting, choose, estimate
from inspectd.wire.messages import Key

MS = 1_000_000
FRAMES = st.lists(
    st.builds(
        lambda due, seq, batch_key: Waiting(due * MS, Key("a", 1, seq), batch_key),
        st.integers(0, 200), st.integers(1, 10_000), st.sampled_from(["x", "y"]),
    ),
    unique_by=lambda w: w.key,
)  # fmt: skip


def linear(_batch_key: str, size: int) -> float:
    return 5.0 * size


def feasible(frames, now):
    """Keep the frames that can make it alone."""
    return [w for w in frames if now * MS + linear("", 1) * MS <= w.decide_by_ns]


@given(waiting=FRAMES, places=st.integers(0, 16), now=st.integers(0, 200))
def test_a_batch_has_one_key_fits_the_places_and_starts_with_the_earliest_deadline_that_can_be_met(waiting, places, now):
    batch = choose(waiting, places, linear, now * MS)
    assert len(batch) <= places
    assert bool(batch) == bool(waiting and places)
    if batch:
        assert batch[0] == min(feasible(waiting, now) or waiting)
        assert {frame.batch_key for frame in batch} == {batch[0].batch_key}
        assert batch == sorted(batch)


@given(waiting=FRAMES, places=st.integers(1, 16), now=st.integers(0, 200))
def test_a_batch_of_several_meets_its_earliest_deadline_and_could_not_have_grown(waiting, places, now):
    batch = choose(waiting, places, linear, now * MS)
    if len(batch) > 1:
        assert now * MS + linear("", len(batch)) * MS <= batch[0].decide_by_ns
    same = [w for w in feasible(waiting, now) if batch and w.batch_key == batch[0].batch_key]
    if batch and len(batch) < min(places, len(same)):
        assert now * MS + linear("", len(batch) + 1) * MS > batch[0].decide_by_ns


def test_under_overload_parts_that_are_lost_do_not_take_the_place_of_those_that_can_be_saved():
    lost, saved = Waiting(3 * MS, Key("a", 1, 1), "x"), Waiting(50 * MS, Key("a", 1, 2), "x")
    assert choose([lost, saved], 8, linear, 0) == [saved]


def test_the_most_urgent_frame_goes_even_if_it_cannot_make_it():
    late = Waiting(0, Key("a", 1, 1), "x")
    assert choose([late], 8, linear, 100 * MS) == [late]


def test_a_size_that_was_never_measured_is_scaled_from_the_nearest_one():
    measured = {"x:1": 6.0, "x:8": 40.0, "y:1": 1.0}
    assert estimate(measured, "x", 8) == 40.0
    assert estimate(measured, "x", 7) == 40.0
    assert estimate(measured, "x", 2) == 12.0
    assert estimate(measured, "x", 16) == 80.0
    assert estimate({}, "x", 3) == 3 * UNKNOWN_MS
