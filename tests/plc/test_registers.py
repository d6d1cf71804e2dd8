"""The register map: what PLC programs are written against."""

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspectd.plc.registers import (
    COMMAND_BITS,
    HOLDING,
    HOLDING_STRIDE,
    INPUT,
    INPUT_STRIDE,
    RESULT_SPAN,
    STATUS_BITS,
    Command,
    Control,
    Image,
    Register,
    Status,
    decode,
    decode_control,
    encode,
    encode_control,
    markdown,
)

WIDTH = {"bits": 1, "uint16": 1, "uint32": 2, "uint64": 4, "float32": 2, "text": 16}
u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))
part_ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=32)
images = st.builds(
    Image, status=st.builds(Status, u16), heartbeat=u16, layout=u16, run=u16, seq=u32, reason=u16, per_mille=u16,
    score=st.floats(width=32, allow_nan=False), fingerprint=u64, product=u16, part_id=part_ids, latency_ms=u16, queued=u16,
    triggered_run=u16, triggered_seq=u32, triggers=u32, passes=u32, fails=u32, undecided=u32, echo=u16,
)  # fmt: skip
controls = st.builds(Control, word=st.builds(Command, st.integers(0, 63)), heartbeat=u16, product=u16, part_id=part_ids)


@pytest.mark.parametrize(("table", "stride"), [(INPUT, INPUT_STRIDE), (HOLDING, HOLDING_STRIDE)])
def test_rows_are_contiguous_have_the_width_of_their_type_and_fit_the_block(table: tuple[Register, ...], stride: int) -> None:
    end = 0
    for row in table:
        assert row.offset == end, row
        assert row.width == WIDTH[row.kind], row
        end += row.width
    assert end <= stride <= 125


@pytest.mark.parametrize(("table", "kind"), [(INPUT, Image), (HOLDING, Control)])
def test_every_field_has_its_row(table: tuple[Register, ...], kind: type) -> None:
    assert [field.name for field in dataclasses.fields(kind)] == [row.name for row in table]


def test_every_bit_is_explained_once() -> None:
    assert [row.bit for row in STATUS_BITS] == list(Status)
    assert [row.bit for row in COMMAND_BITS] == list(Command)


def test_the_result_span_ends_with_the_product() -> None:
    product = next(row for row in INPUT if row.name == "product")
    assert product.offset + product.width == RESULT_SPAN


@given(images)
def test_a_client_reads_back_what_was_shown(image: Image) -> None:
    registers = encode(image)
    assert len(registers) == INPUT_STRIDE
    assert all(0 <= register <= 0xFFFF for register in registers)
    assert decode(registers) == image


@given(controls)
def test_control_registers_read_back(control: Control) -> None:
    assert decode_control(encode_control(control)) == control


@given(st.lists(u16, min_size=HOLDING_STRIDE, max_size=HOLDING_STRIDE))
def test_whatever_a_plc_writes_is_read_as_named_bits_and_printable_ascii(registers: list[int]) -> None:
    control = decode_control(registers)
    assert int(control.word) < 64
    assert control.part_id.isascii()
    assert control.part_id.isprintable()


def test_numbers_stand_high_word_first_at_their_published_offsets() -> None:
    """Numbers written out by hand: this is the layout that PLC programs rely on."""
    registers = encode(
        Image(
            status=Status.READY | Status.RESULT_VALID | Status.PASS, heartbeat=7, run=0x1_0002, seq=0x0001_0003, reason=9,
            per_mille=998, score=1.5, fingerprint=0x0123_4567_89AB_CDEF, product=2, part_id="AB1", latency_ms=41,
        )
    )  # fmt: skip
    assert registers[:19] == [
        0b11001, 7, 1, 2, 1, 3, 9, 998, 0x3FC0, 0, 0x0123, 0x4567, 0x89AB, 0xCDEF, 2, 0x4142, 0x3100, 0, 0,
    ]  # fmt: skip
    assert registers[31] == 41


def test_the_safe_state_is_all_zero_but_the_layout_version() -> None:
    registers = encode(Image())
    assert registers[2] == 1
    assert sum(registers) == 1


def test_scores_beyond_float32_become_infinite_and_missing_ones_nan() -> None:
    assert decode(encode(Image(score=1e300))).score == math.inf
    assert decode(encode(Image(score=-1e300))).score == -math.inf
    assert math.isnan(decode(encode(Image(score=math.nan))).score)


def test_a_part_id_that_is_no_ascii_or_too_long_is_cut_down_to_32_characters() -> None:
    assert decode(encode(Image(part_id="Käse" + "x" * 40))).part_id == "K?se" + "x" * 28


def test_the_markdown_holds_every_row_of_both_tables() -> None:
    text = markdown()
    for row in (*INPUT, *HOLDING):
        assert f"| {row.offset} | {row.width} | {row.name} | {row.kind} |" in text
    assert "| 15 | ExecuteFailed |" in text
    assert "| 5 | Execute |" in text


def test_the_words_of_the_readmes_example_are_what_a_plc_reads() -> None:
    words = [f"0x{word:04X}" for word in encode(Image(seq=70001, score=0.75, fingerprint=0x0123456789ABCDEF, part_id="N17"))]
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    rows = {line.split("|")[1].strip(): line for line in readme.splitlines() if line.count("|") == 5}
    for name, first, count in (("seq", 4, 2), ("score", 8, 2), ("fingerprint", 10, 4), ("part_id", 15, 3)):
        assert f"`{' '.join(words[first : first + count])}`" in rows[name]
