"""What is not acknowledged is sent again, in order."""

from hypothesis import given
from hypothesis import strategies as st

from inspectd.wire.messages import Ack, Key
from inspectd.wire.outbox import Outbox

MS = 1_000_000


def ack(n: int) -> Ack:
    return Ack(key=Key("a", 1, n))


def test_a_message_is_due_at_once_then_again_only_after_its_time():
    box: Outbox[int] = Outbox(again_ms=100)
    box.put(1, ack(1))
    assert [i for i, _ in box.due(0)] == [1]
    box.sent(1, 0)
    assert box.due(99 * MS) == []
    assert [i for i, _ in box.due(100 * MS)] == [1]


def test_once_one_is_overdue_all_go_again_so_that_order_is_never_broken():
    box: Outbox[int] = Outbox(again_ms=100)
    for n, when in ((1, 0), (2, 90)):
        box.put(n, ack(n))
        box.sent(n, when * MS)
    assert [i for i, _ in box.due(120 * MS)] == [1, 2]


def test_the_oldest_is_lost_and_counted_when_the_box_is_full():
    box: Outbox[int] = Outbox(limit=2)
    for n in (1, 2, 3):
        box.put(n, ack(n))
    assert [i for i, _ in box.due(0)] == [2, 3]
    assert box.lost == 1


@given(st.lists(st.tuples(st.sampled_from(["put", "ack", "send", "again"]), st.integers(0, 9)), max_size=60))
def test_nothing_is_forgotten_before_it_is_acknowledged(steps):
    box: Outbox[int] = Outbox()
    expected: dict[int, None] = {}
    for now, (what, n) in enumerate(steps):
        if what == "put":
            box.put(n, ack(n))
            expected.setdefault(n)
        elif what == "ack":
            assert box.ack(n) == (n in expected)
            expected.pop(n, None)
        elif what == "send":
            for id_, _ in box.due(now):
                box.sent(id_, now)
        else:
            box.send_all_again()
    box.send_all_again()
    assert [id_ for id_, _ in box.due(10**9)] == list(expected)
