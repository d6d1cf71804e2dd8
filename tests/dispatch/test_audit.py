"""What a person asked for stands in the journal with who, what and what came of it."""

import msgspec
import pytest

from inspectd.dispatch.audit import Audit
from inspectd.wire.messages import Command, Commanded, Order

SAID = {"station": "a", "why": "too strict"}


def order(what: str) -> Order:
    """An order that carries the command by which it was given."""
    command = msgspec.json.encode(Command(what=what, who="ada", args=SAID)).decode()
    return Order(id=1, what="activate", args={"station": "a", "command": command})


@pytest.mark.parametrize("ok", [True, False])
def test_the_note_of_a_command_becomes_its_audit_line(ok):
    written: list[Commanded] = []
    args = {"who": "ada", "what": "activate", "ok": "true" if ok else "false", "text": "said", "station": "a"}
    Audit(lambda lines: bool(written.extend(lines)) or True).note(Order(id=1, what="note", args=args))
    (line,) = written
    assert (line.who, line.what, line.args, line.ok, line.text) == ("ada", "activate", {"station": "a"}, ok, "said")
    assert len(args) == 5


def test_a_switch_is_written_down_as_the_person_gave_it():
    written: list[Commanded] = []
    assert Audit(lambda lines: bool(written.extend(lines)) or True).switch(order("threshold"), "bundle 2 is active") == ""
    (line,) = written
    assert (line.who, line.what, line.args, line.ok) == ("ada", "threshold", SAID, True)
    assert line.text == "bundle 2 is active"


def test_only_a_threshold_must_not_change_without_a_trace():
    """A full disk must not keep a line from being paused, or from judging by what was calibrated."""
    audit = Audit(lambda _lines: False)
    assert "never changed without a trace" in audit.switch(order("threshold"), "")
    assert [audit.switch(order(what), "") for what in ("activate", "mode", "product", "reload")] == [""] * 4
