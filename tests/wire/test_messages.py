"""Keys, which PLC programs and journals hold on to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspectd.wire.messages import Key


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True), st.integers(1, 2**16), st.integers(1, 2**32))
def test_a_key_is_written_and_read_back(station: str, run: int, seq: int) -> None:
    """station/run/seq names one trigger."""
    key = Key(station, run, seq)
    assert Key.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "washer", "washer/1", "washer/a/1", "washer/1/", "//"])
def test_what_is_no_key_is_refused(text: str) -> None:
    """ValueError, so that a command line can say what it expected."""
    with pytest.raises(ValueError):
        Key.parse(text)
