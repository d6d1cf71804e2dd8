"""plcd is told every fact until it says that it has it; nothing is forgotten because it is frozen, or anew."""

from inspectd.dispatch.deliveries import MS, Deliveries
from inspectd.dispatch.ledger import Assigned, Ledger, Policy
from inspectd.wire.enums import LineOutcome, Reason
from inspectd.wire.messages import Closed, DeliveryAck, Key, Opened, Trigger


class Wire:
    """A port that a plcd reads at once, or that nobody reads."""

    def __init__(self) -> None:
        self.there, self.sent = True, []

    def send(self, message, to=b"") -> bool:
        if self.there:
            self.sent.append((to, message))
        return self.there


def line():
    wire, ledger = Wire(), Ledger({"a": Policy(100, 10, "plc")}, "host")
    return wire, ledger, Deliveries(wire, ledger)


def part(ledger, deliveries, seq=1, closed=True):
    key = Key("a", 1, seq)
    facts = ledger.open(Trigger(key=key, t_ns=0, utc_ns=0), Assigned("default"), 0)
    facts += ledger.close(key, 1, reason=Reason.OVERLOAD) if closed else []
    for fact in facts:
        deliveries.put_opened(fact) if isinstance(fact, Opened) else deliveries.put_closed(fact)
    return key


def kinds(wire):
    return [type(message) for _, message in wire.sent]


def test_facts_go_again_until_each_is_acknowledged():
    wire, ledger, deliveries = line()
    deliveries.hello(b"p", "plc")
    key = part(ledger, deliveries)
    deliveries.flush(0)
    assert kinds(wire) == [Opened, Closed]
    deliveries.acknowledged(DeliveryAck(key=key, fact="Opened"))
    deliveries.flush(100 * MS)
    assert kinds(wire) == [Opened, Closed, Closed]
    deliveries.acknowledged(DeliveryAck(key=key, fact="Closed"))
    deliveries.flush(200 * MS)
    assert len(wire.sent) == 3


def test_a_new_plcd_hears_everything_that_has_no_outcome():
    wire, ledger, deliveries = line()
    part(ledger, deliveries)
    key = part(ledger, deliveries, 2, closed=False)
    ledger.settle(Key("a", 1, 1), LineOutcome.DELIVERED, 1.0)
    deliveries.hello(b"new", "plc")
    deliveries.flush(0)
    assert [(to, message.key) for to, message in wire.sent] == [(b"new", key)]


def test_a_frozen_plcd_is_told_the_rest_when_it_thaws():
    wire, ledger, deliveries = line()
    deliveries.hello(b"p", "plc")
    wire.there = False
    part(ledger, deliveries)
    deliveries.flush(0)
    assert deliveries.gone_ms("plc", 500 * MS) == 500
    wire.there = True
    deliveries.flush(600 * MS)
    assert kinds(wire) == [Opened, Closed]
    assert deliveries.gone_ms("plc", 700 * MS) == 0


def test_a_plcd_that_never_came_is_gone_since_it_was_first_looked_for():
    _, _, deliveries = line()
    assert deliveries.gone_ms("plc", 10 * MS) == 0
    assert deliveries.gone_ms("plc", 30 * MS) == 20


def test_a_settled_key_is_not_told_any_more():
    wire, ledger, deliveries = line()
    deliveries.hello(b"p", "plc")
    key = part(ledger, deliveries)
    deliveries.settled(key)
    deliveries.flush(0)
    assert wire.sent == []
