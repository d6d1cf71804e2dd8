"""What a person asked for stands in the journal with who, what and what came of it."""

import pytest

from inspectd.dispatch.audit import commanded
from inspectd.wire.messages import Commanded, Order


@pytest.mark.parametrize("ok", [True, False])
def test_the_note_of_a_command_becomes_its_audit_line(ok):
    args = {"who": "ada", "what": "activate", "ok": "true" if ok else "false", "text": "said", "station": "a"}
    expected = Commanded(utc_ns=7, who="ada", what="activate", args={"station": "a"}, ok=ok, text="said")
    assert commanded(Order(id=1, what="note", args=args), 7) == expected
    assert len(args) == 5
