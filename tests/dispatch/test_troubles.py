"""A station whose last part had no verdict says why, until a part has one again."""

from inspectd.dispatch.troubles import Troubles
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from inspectd.wire.messages import Closed, Key, Outcome


def closed(station: str, verdict: Verdict, reason: Reason = Reason.NONE) -> Closed:
    return Closed(key=Key(station, 1, 1), utc_ns=0, verdict=verdict, reason=reason)


def test_an_undecided_part_is_trouble_of_its_station_until_the_next_verdict():
    troubles = Troubles()
    assert troubles.of("a") == ""
    troubles.note([closed("a", Verdict.UNDECIDED, Reason.NO_FRAME), closed("b", Verdict.PASS)])
    troubles.note([Outcome(key=Key("a", 1, 1), outcome=LineOutcome.DELIVERED)])
    assert (troubles.of("a"), troubles.of("b")) == ("the last part was undecided: no_frame", "")
    troubles.note([closed("a", Verdict.FAIL)])
    assert troubles.of("a") == ""
