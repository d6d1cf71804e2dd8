"""Tiny process mains with the real line to the supervisor; each writes what befalls it into one file of the state directory."""

import json
import os
import signal
from collections.abc import Callable
from types import FrameType

from inspectd import clock
from inspectd.errors import CameraError
from inspectd.wire.child import Child, Seat
from inspectd.wire.messages import Beat, Order
from inspectd.wire.sockets import Hub


def event(seat: Seat, what: str, **more: object) -> None:
    """Append one line; O_APPEND makes lines of several processes whole and ordered."""
    line = json.dumps({"name": seat.process, "pid": os.getpid(), "what": what, "t_ns": clock.now_ns(), **more})
    with (seat.state_dir / "events").open("a") as stream:
        stream.write(line + "\n")


def loop(seat: Seat, turn: Callable[[], None] = lambda: None, obey: Callable[[Child, Order], bool] | None = None) -> None:
    """Report until ordered to stop."""
    with Hub(seat.run_dir) as hub:
        child, closed = Child(hub, seat), False
        event(seat, "begun")
        while True:
            turn()
            child.report(counters={"turns": 1}, done=closed)
            for order in child.orders():
                closed = closed or order.what == "close_intake"
                if obey and obey(child, order):
                    continue
                event(seat, order.what, args=order.args)
                if order.what == "stop":
                    return
                child.done(order, text=f"{order.what} by {seat.process}")
            hub.wait(20)


def steady(seat: Seat) -> None:
    loop(seat)


def dispatch(seat: Seat) -> None:
    """Beat every turn, count like a ledger, and stop beating while the file `mute` is there."""
    with Hub(seat.run_dir) as hub:
        beats, child, n = hub.bind("beats"), Child(hub, seat), 0
        event(seat, "begun")
        counters = {
            "in_flight": 1.0,
            "station.cell.triggers": 3.0,
            "station.cell.pass": 2.0,
            "station.cell.outcome.delivered": 2.0,
        }
        while True:
            n += 1
            if not (seat.state_dir / "mute").exists():
                beats.send(Beat(session="s", n=n, t_ns=clock.now_ns(), stations={}))
            child.report(counters=counters)
            for order in child.orders():
                event(seat, order.what, args=order.args)
                if order.what == "stop":
                    return
                child.done(order, text=f"{order.what} by {seat.process}")
            hub.wait(20)


def crash(seat: Seat) -> None:
    """Die before the first report."""
    event(seat, "begun")
    raise RuntimeError("born to fail")


def give_up(seat: Seat) -> None:
    """Die by an error that inspectd knows."""
    event(seat, "begun")
    raise CameraError("camera 7 does not answer")


def hang(seat: Seat) -> None:
    """Report once, then hang in the work loop."""
    with Hub(seat.run_dir) as hub:
        child = Child(hub, seat)
        event(seat, "begun")
        while not hub.counts()["orders"]["sent"]:
            child.report()
        signal.pause()


def deaf(seat: Seat) -> None:
    """Report, but obey nothing."""
    loop(seat, obey=lambda _child, order: event(seat, "ignored", order=order.what) is None)


def mute_order(seat: Seat) -> None:
    """Obey `stop` only; leave every other order without an answer."""
    loop(seat, obey=lambda _child, order: order.what != "stop" and event(seat, "ignored", order=order.what) is None)


def fail_at_end(seat: Seat) -> None:
    """Stop when told, but not well."""
    loop(seat)
    raise RuntimeError("could not drain")


def plc(seat: Seat) -> None:
    """Write the safe state on SIGUSR2, then end."""

    def safe(_number: int, _frame: FrameType | None) -> None:
        event(seat, "safe state")
        os._exit(0)

    signal.signal(signal.SIGUSR2, safe)
    loop(seat)
