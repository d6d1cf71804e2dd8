"""Who may run on which cores."""

from hypothesis import given
from hypothesis import strategies as st

from inspectd.station.schema import Workers
from inspectd.supervisor.cores import divide
from tests.supervisor.lives import row

COUNTS = st.integers(1, 6)


@given(there=st.sets(st.integers(0, 63), min_size=1, max_size=40), count=COUNTS, threads=COUNTS)
def test_workers_have_a_core_a_thread_for_themselves_wherever_one_is_left_for_the_others(
    there: set[int], count: int, threads: int
) -> None:
    cores = divide(there, Workers(count=count, threads=threads))
    if len(there) > count * threads:
        assert [len(own) for own in cores.of_workers] == [threads] * count
        shares = [*cores.of_workers, cores.of_others]
        assert frozenset.union(*shares) == there
        assert sum(map(len, shares)) == len(there)
    else:
        assert set(cores.of_workers) == {cores.of_others} == {frozenset(there)}
        assert len(cores.of_workers) == count


def test_a_line_file_can_leave_the_cores_to_the_kernel() -> None:
    cores = divide({0, 1, 2, 3}, Workers(count=2, threads=1, cores="shared"))
    assert {*cores.of_workers, cores.of_others} == {frozenset({0, 1, 2, 3})}


def test_each_process_is_given_its_own() -> None:
    cores = divide({4, 5, 6, 7}, Workers(count=2, threads=1))
    assert [cores.of(row("workerd", number)) for number in "12"] == [{6}, {7}]
    assert cores.of(row("plcd", "line1")) == {4, 5}
