"""plcd's end of the channels to dispatch, against real ports in one process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inspectd import clock
from inspectd.plc.link import Link
from inspectd.plc.source import Source
from inspectd.wire.enums import LineOutcome
from inspectd.wire.messages import Ack, DeliveryAck, Key, Outcome, PlcState, SourceState, Trigger
from inspectd.wire.sockets import Hub
from tests.plc.facts import STATION, closed, key, opened
from tests.plc.fake_dispatch import FakeDispatch


class Ends:
    """A link and the dispatch at its other end."""

    def __init__(self, run_dir: Path) -> None:
        self.dispatch = FakeDispatch(run_dir)
        self.hub = Hub(run_dir)
        self.source = Source(STATION, 7)
        self.link = Link(self.hub, "line1", "plcd-line1:1", {STATION: self.source})
        self.facts: list[object] = []
        self.sessions: list[str] = []

    def turn(self) -> None:
        """What plcd does with the link on each turn."""
        self.sessions += [beat.session for beat in self.link.beats()]
        self.facts += self.link.facts()
        self.link.read_acks()
        self.link.send(clock.now_ns())

    def until(self, condition: object, what: str) -> None:
        """Turn both ends until the condition holds."""

        def turned() -> object:
            self.turn()
            return condition()  # type: ignore[operator]

        self.dispatch.until(turned, what)


@pytest.fixture
def ends(run_dir: Path) -> Iterator[Ends]:
    both = Ends(run_dir)
    yield both
    both.hub.close()
    both.dispatch.hub.close()


def test_it_says_which_plc_it_is_and_what_its_sources_have_reached(ends: Ends) -> None:
    ends.until(lambda: ends.dispatch.hellos and ends.dispatch.states, "both hellos")
    assert ends.dispatch.hellos[0] == PlcState(plc="line1")
    assert ends.dispatch.states[0] == SourceState(station=STATION, run=7, last_seq=0, camera=False)


def test_every_fact_is_handed_on_and_acknowledged_each_time_it_comes(ends: Ends) -> None:
    ends.until(lambda: ends.dispatch.hellos, "hello")
    told = [opened(key(1)), closed(key(1)), closed(key(1))]
    for fact in told:
        ends.dispatch.tell(fact)
    ends.until(lambda: len(ends.dispatch.acks) == 3, "acknowledgements")
    assert [type(fact) for fact in ends.facts] == [type(fact) for fact in told]
    assert ends.dispatch.acks[1:] == [DeliveryAck(key=key(1), fact="Closed")] * 2


def test_an_outcome_goes_again_until_it_is_acknowledged(ends: Ends) -> None:
    ends.dispatch.acknowledging = False
    ends.link.put(Outcome(key=key(1), outcome=LineOutcome.DELIVERED))
    ends.until(lambda: len(ends.dispatch.outcomes) >= 3, "three times the outcome")
    assert not ends.link.idle
    ends.dispatch.acknowledging = True
    ends.until(lambda: ends.link.idle, "acknowledged")


def test_a_trigger_goes_again_until_it_is_acknowledged(ends: Ends) -> None:
    of = ends.source.fire(1, 2, "P")
    assert of is not None
    ends.until(lambda: len(ends.dispatch.fired) >= 2, "twice the trigger")
    assert ends.dispatch.fired[0] == Trigger(key=of, t_ns=1, utc_ns=2, part_id="P", shoot=True)
    ends.dispatch.triggers.send(Ack(key=of), to=ends.dispatch.trigger_sender)
    ends.until(lambda: not ends.source.outbox, "acknowledged")


def test_a_beat_of_a_new_session_has_everything_told_again(ends: Ends) -> None:
    ends.until(lambda: "first" in ends.sessions and ends.dispatch.states, "the first session")
    ends.source.fire(1, 2, "")
    ends.until(lambda: ends.dispatch.fired, "the trigger")
    ends.dispatch.session = "second"
    ends.dispatch.hellos.clear()
    ends.dispatch.states.clear()
    ends.until(lambda: ends.dispatch.hellos and ends.dispatch.states, "hello to the new one")
    assert ends.dispatch.states[0].last_seq == 1


def test_an_ack_of_another_station_or_key_forgets_nothing(ends: Ends) -> None:
    of = ends.source.fire(1, 2, "")
    assert of is not None
    ends.until(lambda: ends.dispatch.fired, "the trigger")
    for stranger in (Key("other", of.run, of.seq), Key(STATION, of.run + 1, of.seq)):
        ends.dispatch.triggers.send(Ack(key=stranger), to=ends.dispatch.trigger_sender)
    count = len(ends.dispatch.fired)
    ends.until(lambda: len(ends.dispatch.fired) > count + 1, "the trigger goes on coming")
    assert len(ends.source.outbox) == 1
