"""The triggers that a PLC gives."""

from inspectd.plc.source import KEPT, Source
from inspectd.wire.messages import Key, SourceState, Trigger


def test_triggers_are_numbered_from_1_without_gaps_and_ask_for_a_picture() -> None:
    source = Source("solar", 4)
    keys = [source.fire(n, 100 + n, f"p{n}") for n in range(3)]
    assert keys == [Key("solar", 4, seq) for seq in (1, 2, 3)]
    triggers = [message for _, message in source.outbox.due(0)]
    assert triggers[2] == Trigger(key=Key("solar", 4, 3), t_ns=2, utc_ns=102, part_id="p2", shoot=True)


def test_a_new_dispatch_learns_the_last_key_and_that_there_is_no_camera_here() -> None:
    source = Source("solar", 4)
    source.fire(0, 0, "")
    assert source.state() == SourceState(station="solar", run=4, last_seq=1, camera=False)


def test_a_full_store_numbers_no_more_until_one_is_acknowledged() -> None:
    source = Source("solar", 1)
    for _ in range(KEPT):
        assert source.fire(0, 0, "") is not None
    assert source.fire(0, 0, "") is None
    source.outbox.ack(Key("solar", 1, 1))
    assert source.fire(0, 0, "") == Key("solar", 1, KEPT + 1)
