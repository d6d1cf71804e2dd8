"""A child's end of the channel `orders`: health goes out from the work loop, orders come in, each is answered."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspectd import clock
from inspectd.station.schema import Config, Line
from inspectd.wire import child
from inspectd.wire.child import REPORT_EVERY_NS, Child, Seat
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import Ack, Done, Key, Order
from inspectd.wire.sockets import Hub, Port
from tests.support import receive, until


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ns = clock.now_ns()

    def now_ns(self) -> int:
        return self.ns


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    made = Watch()
    monkeypatch.setattr(child.clock, "now_ns", made.now_ns)
    return made


@pytest.fixture
def ends(run_dir: Path, tmp_path: Path) -> Iterator[tuple[Port, Child]]:
    """The supervisor's port, and a child called workerd-1."""
    seat = Seat("workerd-1", "1", Config("stations", Line(), {}, {}), tmp_path, run_dir)
    with Hub(run_dir) as supervisor, Hub(run_dir) as hub:
        yield supervisor.bind("orders"), Child(hub, seat)


def reported(port: Port) -> bool:
    return port.receive() is not None


def test_the_first_report_names_the_process_and_where_orders_reach_it(ends: tuple[Port, Child]) -> None:
    """The identity holds name and pid, so that a restarted child is another peer."""
    port, worker = ends
    envelope = until(lambda: worker.report(counters={"scored": 3.0}) or port.receive())
    assert envelope.sender == f"workerd-1:{os.getpid()}".encode()
    health = envelope.message
    assert (health.process, health.pid, health.state, health.done) == ("workerd-1", os.getpid(), HealthState.OK, False)
    assert health.counters == {"scored": 3.0}
    assert set(health.channels) == {"orders"}


def test_a_report_that_nobody_took_is_made_again(run_dir: Path, tmp_path: Path) -> None:
    """A supervisor that is not there yet hears of the child as soon as it is."""
    seat = Seat("workerd-1", "1", Config("stations", Line(), {}, {}), tmp_path, run_dir)
    with Hub(run_dir) as hub, Hub(run_dir) as supervisor:
        worker = Child(hub, seat)
        worker.report()
        port = supervisor.bind("orders")
        assert until(lambda: worker.report() or port.receive()).message.process == "workerd-1"


def test_nothing_new_is_reported_every_200_ms(ends: tuple[Port, Child], watch: Watch) -> None:
    """Within that time a further turn of the loop sends nothing; at its end one report goes out."""
    port, worker = ends
    until(lambda: worker.report() or reported(port))
    assert not worker.due()
    worker.report()
    watch.ns += REPORT_EVERY_NS - 1
    worker.report()
    watch.ns += 1
    assert worker.due()
    worker.report(counters={"n": 1.0})
    assert receive(port).message.counters == {"n": 1.0}  # the first that came since


@pytest.mark.parametrize(
    "change", [{"state": HealthState.FAULT}, {"reasons": ["too dark"]}, {"done": True}], ids=["state", "reasons", "done"]
)
def test_a_change_is_reported_at_once(ends: tuple[Port, Child], watch: Watch, change: dict) -> None:
    """Another state, reason or `done` does not wait."""
    port, worker = ends
    until(lambda: worker.report() or reported(port))
    worker.report(**change)
    health = receive(port).message
    for name, value in change.items():
        assert getattr(health, name) == value


def test_orders_are_read_and_answered(ends: tuple[Port, Child]) -> None:
    """What comes is an Order; the answer carries its id."""
    port, worker = ends
    peer = until(lambda: worker.report() or port.receive()).sender
    assert port.send(Ack(key=Key("washer", 1, 1)), to=peer)  # no order: passed over
    assert port.send(Order(id=7, what="activate", args={"station": "washer"}), to=peer)
    orders = until(lambda: list(worker.orders()))
    assert [(order.id, order.what) for order in orders] == [(7, "activate")]
    worker.done(orders[0], ok=False, text="no such bundle")
    answer = until(lambda: next((e.message for e in port.drain() if isinstance(e.message, Done)), None))
    assert (answer.id, answer.ok, answer.text) == (7, False, "no such bundle")
