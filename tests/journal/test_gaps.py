"""Missing keys are named, and only those."""

from hypothesis import given
from hypothesis import strategies as st

from inspectd.journal import gaps
from inspectd.journal.gaps import Gap, Span
from tests.journal.make import checkpoint, closed, key, life, opened, outcome


def named(found: list[Gap]) -> list[int]:
    return [seq for gap in found for seq in range(gap.first, gap.last + 1)]


@given(start=st.integers(0, 5), lost=st.sets(st.integers(1, 30)))
def test_exactly_the_lost_keys_between_two_checkpoints_are_named(start: int, lost: set[int]) -> None:
    kept = [record for seq in range(start + 1, 31) if seq not in lost for record in life(key(seq))]
    found = gaps.in_records([checkpoint(start), *kept, checkpoint(30)])
    assert named(found) == sorted(seq for seq in lost if seq > start)
    assert sum(gap.keys for gap in found) == len(named(found))


def test_without_a_checkpoint_the_first_key_seen_is_where_knowledge_begins() -> None:
    assert gaps.in_records([opened(key(7)), opened(key(9))]) == [Gap("tile", 1, 8, 8)]


def test_a_newer_run_begins_at_one_and_an_older_run_that_still_closes_names_nothing() -> None:
    before = checkpoint(9, run=2, unfinished=[opened(key(40, run=1)), opened(key(5, run=2))])
    after = [closed(key(40, run=1)), outcome(key(5, run=2)), opened(key(3, run=3))]
    assert gaps.in_records([before, *after]) == [Gap("tile", 3, 1, 2)]


def test_a_run_that_only_a_later_checkpoint_tells_of_is_missing_as_a_whole() -> None:
    assert gaps.in_records([checkpoint(9), checkpoint(3, run=2)]) == [Gap("tile", 2, 1, 3)]


def test_a_close_whose_open_was_lost_is_not_missing() -> None:
    assert gaps.in_records([checkpoint(1), closed(key(2)), opened(key(3))]) == []


def test_a_gap_reads_as_people_write_it() -> None:
    assert str(Gap("tile", 1, 4, 4)) == "tile/1/4"
    assert str(Gap("tile", 1, 4, 6)) == "tile/1/4 to 6"


@given(there=st.sets(st.integers(1, 40), min_size=1), is_cut=st.booleans())
def test_between_spans_exactly_the_holes_are_named(there: set[int], is_cut: bool) -> None:
    spans = [Span("tile", 1, seq, seq) for seq in there]
    found = gaps.between(spans, {("tile", 1)} if is_cut else set())
    start = min(there) if is_cut else 1
    assert named(list(found)) == [seq for seq in range(start, max(there)) if seq not in there]
