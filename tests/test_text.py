"""What came from outside can be shown anywhere: on terminals, in logs, in the journal, at a PLC."""

import os

import pytest

from inspectd.text import printable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"part 4711-A", "part 4711-A"),
        ("Gehäuse-部品".encode(), "Gehäuse-部品"),
        (b"part-\xff\xfe", r"part-\xff\xfe"),
        (b"a\nb\tc", r"a\nb\tc"),
        (b"\x1b[2Jred\x07", r"\x1b[2Jred\x07"),
        ("good\u202egnp".encode(), r"good\u202egnp"),
    ],
)
def test_what_cannot_be_shown_becomes_an_escape_and_everything_else_stays(raw, shown):
    """A name is bytes: those that are no text, steer a terminal or turn the direction are spelled out."""
    assert printable(os.fsdecode(raw)) == shown
    assert shown.encode()
