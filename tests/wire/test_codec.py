"""Bytes of messages: what was sent is what is read, and anything else is a WireError before a pixel is touched."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from inspectd.errors import WireError
from inspectd.wire import codec
from inspectd.wire.enums import HealthState, Reason, Verdict
from inspectd.wire.messages import (
    Ack,
    Answer,
    Answers,
    Closed,
    Frame,
    Health,
    KeptPicture,
    Key,
    Message,
    Trigger,
    Work,
    WorkItem,
)
from tests.wire.strategies import KINDS, any_message, messages

KEY = Key("washer", 3, 17)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_message_survives_the_wire(kind: type[Message]) -> None:
    """Encoding and decoding gives the same class and the same bytes again (bytes, since NaN is not equal to itself)."""

    @settings(max_examples=15, deadline=None)
    @given(messages(kind))
    def survives(message: Message) -> None:
        back = codec.decode(codec.encode(message))
        assert type(back) is kind
        assert codec.encode(back) == codec.encode(message)

    survives()


def test_text_that_is_none_travels_with_escapes_and_everything_else_as_it_is() -> None:
    """A path of bytes that are not UTF-8 (PEP 383: lone surrogates) must not end the process that tells of it."""
    reasons, channels = ["/pictures\udcff: gone", "plain"], {"\udcfe": {"sent": 3}}
    health = Health(process="p", pid=1, state=HealthState.FAULT, reasons=reasons, counters={"a": 0.5}, channels=channels)
    read = codec.decode(codec.encode(health))
    assert read == replace(health, reasons=[r"/pictures\xff: gone", "plain"], channels={r"\xfe": {"sent": 3}})
    trigger = Trigger(key=KEY, t_ns=1, utc_ns=2, part_id="\udcff", reason=Reason.BAD_PICTURE)
    assert codec.decode(codec.encode(trigger)) == replace(trigger, part_id=r"\xff")


def test_a_verdict_that_says_nothing_is_undecided() -> None:
    """Messages are born UNDECIDED: a body without a verdict never reads as PASS."""
    closed = codec.decode(codec.encode(Closed(key=KEY, utc_ns=1)))
    assert closed.verdict is Verdict.UNDECIDED
    assert np.isnan(closed.score)


@settings(max_examples=200, deadline=None)
@given(any_message(), st.data())
def test_a_header_cut_anywhere_is_refused(message: Message, data: st.DataObject) -> None:
    """No prefix of a header is a message."""
    header = codec.encode(message)
    cut = data.draw(st.integers(0, len(header) - 1))
    with pytest.raises(WireError):
        codec.decode(header[:cut])


@settings(max_examples=150, deadline=None)
@given(any_message(), st.data())
def test_an_altered_header_is_refused_or_still_a_message(message: Message, data: st.DataObject) -> None:
    """Bytes changed anywhere give WireError or a message whose parts are checked, never another exception."""
    header = bytearray(codec.encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        header[data.draw(st.integers(0, len(header) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        codec.check_parts(codec.decode(header), [b"0123"])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_are_refused_or_a_message(data: bytes) -> None:
    """Whatever another program sends to a socket of ours gives WireError at worst."""
    for header in (data, bytes([codec.VERSION]) + data):
        with contextlib.suppress(WireError):
            assert isinstance(codec.decode(header), Message)


def test_a_message_of_another_version_says_that_releases_are_mixed() -> None:
    """The first byte is the version; another one is refused before anything is read."""
    header = codec.encode(Ack(key=KEY))
    with pytest.raises(WireError, match="two releases are mixed"):
        codec.decode(bytes([codec.VERSION + 1]) + header[1:])


def test_a_class_that_is_no_message_is_refused() -> None:
    """Only the classes of messages.py are read."""
    header = codec.encode(Ack(key=KEY)).replace(b"Ack", b"Abc")
    with pytest.raises(WireError, match="Abc"):
        codec.decode(header)


def test_a_header_nested_without_end_is_refused() -> None:
    """A hundred thousand open brackets in an unknown field exhaust no stack."""
    header = bytes([codec.VERSION]) + b"\x82\xa2is\xa3Ack\xa1x" + b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(WireError):
        codec.decode(header)


def test_a_length_that_the_bytes_do_not_hold_is_refused_without_reserving_it() -> None:
    """A list said to have four thousand million items, in thirty bytes."""
    header = bytes([codec.VERSION]) + b"\x83\xa2is\xa7Answers\xa7session\xa0\xa5items\xdd\xff\xff\xff\xff"
    with pytest.raises(WireError, match="truncated"):
        codec.decode(header)


def test_a_field_of_a_later_release_is_passed_over() -> None:
    """Within one version, fields may be added: who does not know them ignores them."""
    header = codec.encode(Ack(key=KEY))
    assert header[1] == 0x82  # a map of two
    assert codec.decode(bytes([header[0], 0x83]) + header[2:] + b"\xa3new\x01") == Ack(key=KEY)


# --- parts ------------------------------------------------------------------------------------------------------------


def frame(shape: tuple[int, ...], pixel_format: str) -> Frame:
    return Frame(key=KEY, shape=shape, pixel_format=pixel_format)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_pixels_arrive_as_they_were(height: int, width: int, colour: bool) -> None:
    """Parts of the announced size pass, and read as the same read-only array."""
    shape = (height, width, 3) if colour else (height, width)
    sent = np.random.default_rng(height).integers(0, 255, shape, dtype=np.uint8)
    codec.check_parts(frame(shape, "rgb8" if colour else "mono8"), [sent.tobytes()])
    got = codec.pixels(sent.tobytes(), shape)
    assert np.array_equal(got, sent)
    assert not got.flags.writeable


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_part_of_another_size_is_refused(difference: int) -> None:
    """One byte too few or too many and the pixels are not touched."""
    with pytest.raises(WireError, match=f"expected 12 bytes, got {12 + difference}"):
        codec.check_parts(frame((3, 4), "mono8"), [bytes(12 + difference)])


def test_sizes_are_counted_in_bytes_whatever_the_buffer_says() -> None:
    """A buffer of wider items is measured in bytes, not in items."""
    with pytest.raises(WireError, match="got 24"):
        codec.check_parts(frame((3, 4), "mono8"), [memoryview(np.zeros(12, np.uint16))])


@pytest.mark.parametrize("count", [0, 2])
def test_a_missing_or_surplus_part_is_refused(count: int) -> None:
    """There is one part for a frame."""
    with pytest.raises(WireError, match=f"expected 1 parts, got {count}"):
        codec.check_parts(frame((3, 4), "mono8"), [bytes(12)] * count)


def test_a_message_without_pixels_brings_none() -> None:
    """Surplus parts behind a plain header are refused."""
    codec.check_parts(Trigger(key=KEY, t_ns=1, utc_ns=1), [])
    with pytest.raises(WireError):
        codec.check_parts(Trigger(key=KEY, t_ns=1, utc_ns=1), [b""])


@pytest.mark.parametrize(
    ("shape", "pixel_format"),
    [
        ((3, 4), "rgb8"), ((3, 4, 3), "mono8"), ((3, 4, 4), "rgb8"), ((3, 4, 1), "rgb8"), ((12,), "mono8"), ((), "mono8"),
        ((0, 4), "mono8"), ((-3, -4), "mono8"), ((3, 4), "bayer8"), ((3, 4), ""), ((1, codec.MAX_SIDE_PX + 1), "mono8"),
        ((2**62, 2**62), "mono8"),
    ],
)  # fmt: skip
def test_a_shape_that_is_no_picture_is_refused(shape: tuple[int, ...], pixel_format: str) -> None:
    """Shape and format must agree, and no side is zero, negative or beyond any camera."""
    for message in (
        frame(shape, pixel_format),
        Work(session="s", items=[WorkItem(key=KEY, fingerprint="f", budget_ms=1, shape=shape, pixel_format=pixel_format)]),
        KeptPicture(key=KEY, utc_ns=1, shape=shape, pixel_format=pixel_format),
    ):
        with pytest.raises(WireError, match="washer/3/17"):
            codec.check_parts(message, [bytes(12)])


def test_a_batch_has_a_part_for_each_item() -> None:
    """Each item's part is held against its own shape."""
    items = [WorkItem(key=KEY, fingerprint="f", budget_ms=1, shape=(2, width), pixel_format="mono8") for width in (3, 4)]
    codec.check_parts(Work(session="s", items=items), [bytes(6), bytes(8)])
    with pytest.raises(WireError, match="part 0: expected 6 bytes, got 8"):
        codec.check_parts(Work(session="s", items=items), [bytes(8), bytes(6)])


def test_a_map_may_be_left_out_and_is_two_bytes_a_pixel() -> None:
    """An answer without a map has an empty part; with one, uint16 [H, W]."""
    answers = [Answer(key=KEY, fingerprint="f", reason=Reason.GUARD), Answer(key=KEY, fingerprint="f", map_shape=(2, 3))]
    sent = np.arange(6, dtype=np.uint16).reshape(2, 3)
    codec.check_parts(Answers(session="s", items=answers), [b"", sent.tobytes()])
    got = codec.heat(sent.tobytes(), (2, 3))
    assert got is not None
    assert np.array_equal(got, sent)
    assert codec.heat(b"", ()) is None


@pytest.mark.parametrize("shape", [(6,), (1, 2, 3), (0, 3), (-2, -3)])
def test_a_shape_that_is_no_map_is_refused(shape: tuple[int, ...]) -> None:
    """A map has two sides above zero."""
    with pytest.raises(WireError, match=r"a map shape"):
        codec.check_parts(Answers(session="s", items=[Answer(key=KEY, fingerprint="f", map_shape=shape)]), [bytes(12)])
