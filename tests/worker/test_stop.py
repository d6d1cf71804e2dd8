"""How a worker ends that is told to while its loader, in a thread of its own, is at work in native code."""

import json

import msgspec
import pytest

from inspectd import clock
from inspectd.station.schema import Camera, Config, Line, Station, Workers
from inspectd.supervisor.launch import Launched
from inspectd.wire.child import Seat
from inspectd.wire.messages import Order
from inspectd.wire.sockets import Hub
from tests.supervisor.lives import row
from tests.support import receive, send, until
from tests.worker.test_workerd import Dispatch, ref

pytestmark = pytest.mark.slow

MANY = 200  # bundles, more than are loaded in the longest moment


@pytest.fixture
def seat(tmp_path, run_dir):
    station = Station(station="flange", camera=Camera(kind="folder", path="x"), deadline_ms=100.0)
    line = Line(workers=Workers(threads=2, max_batch=32))
    return Seat("workerd-1", "1", Config(str(tmp_path), line, {"flange": station}, {"flange": "x"}), tmp_path, run_dir)


@pytest.mark.parametrize("moment_s", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
def test_a_stop_while_bundles_load_ends_with_0_and_nothing_but_lines_of_the_log(
    seat, detector, bundle_dir, pictures, capfd, moment_s
):
    """A graph is read, batches are warmed; later, a part is scored while it loads others, which prove to be the same one."""
    wanted = ref(detector, bundle_dir)
    others = [msgspec.structs.replace(wanted, fingerprint=f"{number:016x}") for number in range(MANY)]
    with Hub(seat.run_dir) as hub:
        dispatch, worker = Dispatch(hub), Launched(row("workerd", "1"), seat)
        dispatch.state()
        dispatch.hold(wanted, *others)
        dispatch.state(lambda state: state.session == "s")
        clock.sleep(moment_s)
        dispatch.send_work(detector.fingerprint, pictures[0])
        send(dispatch.orders, Order(id=1, what="stop", args={}), to=receive(dispatch.orders).sender)
        until(lambda: worker.exit_code() is not None, row("workerd").stop_s, "the worker's end")
        assert worker.exit_code() == 0
        worker.release()
    assert all(json.loads(line)["module"] == "workerd" for line in capfd.readouterr().err.splitlines())
