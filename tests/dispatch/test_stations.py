"""A station flips to a new bundle when every live worker holds it, and not before."""

import msgspec
import pytest

from inspectd.dispatch.pool import Pool
from inspectd.dispatch.stations import Stations
from inspectd.errors import StateError
from inspectd.station.reread import Reread
from inspectd.station.schema import Camera, Config, Keep, Line, Roi, Station
from inspectd.station.state import Current, StateDir
from inspectd.wire.enums import Reason
from inspectd.wire.messages import Held, Order, Refusal, WorkerState

OLD, NEW = Current(1, "0" * 16, 1.0), Current(2, "f" * 16, 2.0)


@pytest.fixture
def config():
    camera = Camera(kind="folder", path="x")
    station = Station(station="a", camera=camera, deadline_ms=100, products=("red", "blue"))
    return Config("", Line(), {"a": station}, {"a": "a.yaml"})


def worker(pool: Pool, name: str, *fingerprints: str, refused: dict | None = None) -> None:
    held = {fingerprint: Held("x", 1.0) for fingerprint in fingerprints}
    state = WorkerState(session="s", name=name, places=8, received=0, held=held, refused=refused or {}, p95_ms={})
    pool.heard(name.encode(), state, "s", 0)


def order(product: str = "red") -> Order:
    args = {"station": "a", "product": product, "bundle": "2", "fingerprint": NEW.fingerprint, "threshold": "2.0"}
    return Order(id=1, what="activate", args=args)


def to_blue() -> Order:
    return Order(id=3, what="product", args={"station": "a", "product": "blue"})


def test_a_station_without_a_current_bundle_is_at_fault_and_says_what_to_do(config, state):
    assert "inspectd calibrate a" in Stations(config, state).fault("a", Pool())


def test_a_damaged_current_file_is_a_fault_of_its_station_and_not_a_crash(config, state):
    path = state.product("a", "red") / "current"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    assert "current" in Stations(config, state).fault("a", Pool())


def test_the_new_bundle_is_active_only_once_every_worker_holds_it_and_then_also_on_disk(config, state):
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", OLD.fingerprint, NEW.fingerprint)
    worker(pool, "w2", OLD.fingerprint)
    assert stations.activate(order()) == ""
    assert [ref.fingerprint for ref in stations.hold()] == [OLD.fingerprint, NEW.fingerprint]
    assert stations.finished(pool) == []
    assert stations.assigned("a").fingerprint == OLD.fingerprint
    worker(pool, "w2", OLD.fingerprint, NEW.fingerprint)
    ((_, ok, _),) = stations.finished(pool)
    assert ok
    assert stations.assigned("a").threshold == 2.0
    assert state.read_current("a", "red") == NEW.following(OLD)
    assert [ref.fingerprint for ref in stations.hold()] == [NEW.fingerprint]


def test_a_bundle_that_one_worker_refuses_leaves_the_old_one_active(config, state):
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state), Pool()
    stations.activate(order())
    worker(pool, "w1", OLD.fingerprint, refused={NEW.fingerprint: Refusal("bank: sha256 differs", attempt=1)})
    ((_, ok, text),) = stations.finished(pool)
    assert not ok
    assert "sha256 differs" in text
    assert state.read_current("a", "red") == OLD


def test_an_activation_has_every_worker_try_again_and_an_earlier_refusal_does_not_answer_it(config, state):
    state.write_current("a", "red", NEW)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", refused={NEW.fingerprint: Refusal("bank: damaged")})
    before = stations.hold()
    stations.activate(order())
    assert before != stations.hold()
    assert stations.finished(pool) == []
    worker(pool, "w1", NEW.fingerprint)
    ((_, ok, _),) = stations.finished(pool)
    assert ok
    assert stations.fault("a", pool) == ""


def test_a_bundle_or_product_that_cannot_be_kept_on_disk_is_not_begun(config, state, monkeypatch):
    """A restart would judge by the old one without a word."""
    for product in ("red", "blue"):
        state.write_current("a", product, OLD)
    stations, pool = Stations(config, state), Pool()

    def full(*_: object) -> None:
        raise StateError("no space left")

    monkeypatch.setattr(StateDir, "write_current", full)
    monkeypatch.setattr(StateDir, "write_product", full)
    stations.activate(order())
    worker(pool, "w1", OLD.fingerprint, NEW.fingerprint)
    ((_, ok, text),) = stations.finished(pool)
    assert (ok, "no space left" in text) == (False, True)
    assert "no space left" in stations.change(to_blue(), pool)[1]
    assert stations.assigned("a") == ("red", OLD.fingerprint, 1.0)


def test_a_second_activation_waits_for_the_first(config, state):
    stations = Stations(config, state)
    stations.activate(order())
    assert "under way" in stations.activate(order())


def test_a_station_is_ready_when_a_worker_holds_its_bundle(config, state):
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state), Pool()
    assert not stations.beat(pool)["a"].ready
    worker(pool, "w1", OLD.fingerprint)
    assert stations.beat(pool)["a"].ready


def test_a_bundle_that_every_worker_refuses_is_a_fault(config, state):
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", refused={OLD.fingerprint: Refusal("golden pictures")})
    assert "golden pictures" in stations.fault("a", pool)


def test_a_selected_product_is_kept_over_a_restart(config, state):
    state.write_current("a", "red", OLD)
    state.write_current("a", "blue", NEW)
    stations = Stations(config, state)
    assert stations.assigned("a").product == "red"
    assert stations.change(to_blue(), Pool()) == (True, "a: product blue from the next part on")
    assert Stations(config, state).assigned("a") == ("blue", NEW.fingerprint, 2.0)


def test_a_product_without_a_bundle_is_refused(config, state):
    assert "no active bundle" in Stations(config, state).change(to_blue(), Pool())[1]


def test_a_product_whose_bundle_every_worker_refuses_is_not_switched_to(config, state):
    """The station goes on with the product that it can judge, and whoever asked is told why."""
    state.write_current("a", "red", OLD)
    state.write_current("a", "blue", NEW)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", OLD.fingerprint, refused={NEW.fingerprint: Refusal("a.yaml: roi: expected that, got this")})
    assert "the product stays red: bundle 2 was refused: a.yaml: roi" in stations.change(to_blue(), pool)[1]
    assert Stations(config, state).assigned("a").product == "red"


def test_a_bundle_that_one_worker_refuses_and_another_judges_by_is_a_warning_in_the_beat_with_what_else_is_known(config, state):
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", OLD.fingerprint)
    assert stations.beat(pool)["a"].degraded == ""
    worker(pool, "w2", refused={OLD.fingerprint: Refusal("golden pictures differ")})
    beat = stations.beat(pool, lambda name: [f"{name}: no room", ""])["a"]
    assert (beat.ready, beat.fault) == (True, "")
    assert beat.degraded == "w2 refused bundle 1: golden pictures differ; a: no room"


def test_beside_a_fault_no_warning_is_said(config, state):
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", refused={OLD.fingerprint: Refusal("golden pictures differ")})
    beat = stations.beat(pool, lambda _: ["no room"])["a"]
    assert (bool(beat.fault), beat.degraded) == (True, "")


def reload(file: Reread, bundles: dict[str, Current]) -> Order:
    args = {"station": "a", "file": file.text(), "bundles": msgspec.json.encode(bundles).decode()}
    return Order(id=2, what="reload", args=args)


def test_while_a_file_is_read_anew_nothing_is_judged_and_then_by_its_bundles(config, state):
    """All products flip together, when every worker holds all of them."""
    for product in ("red", "blue"):
        state.write_current("a", product, OLD)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", OLD.fingerprint)
    assert stations.refuses("a", pool) is Reason.NONE
    other = Current(3, "e" * 16, 3.0)
    file = Reread(roi=Roi(0, 0, 16, 16), mask=None, keep=Keep("all"))
    assert stations.reload(reload(file, {"red": NEW, "blue": other})) == ""
    assert "under way" in stations.activate(order())
    worker(pool, "w1", OLD.fingerprint, NEW.fingerprint)
    assert stations.finished(pool) == []
    assert stations.refuses("a", pool) is Reason.MAINTENANCE
    worker(pool, "w1", OLD.fingerprint, NEW.fingerprint, other.fingerprint)
    ((_, ok, text),) = stations.finished(pool)
    assert ok, text
    assert stations.refuses("a", pool) is Reason.NONE
    assert stations.assigned("a").fingerprint == NEW.fingerprint
    assert state.read_current("a", "blue") == other.following(OLD)
    assert (config.stations["a"].roi, config.stations["a"].keep) == (file.roi, file.keep)


def test_a_file_whose_bundle_a_worker_refuses_is_not_taken(config, state):
    """The old one judges on."""
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state), Pool()
    before = config.stations["a"]
    stations.reload(reload(Reread(Roi(0, 0, 16, 16), None, Keep("all")), {"red": NEW}))
    worker(pool, "w1", OLD.fingerprint, refused={NEW.fingerprint: Refusal("no", 1)})
    ((_, ok, text),) = stations.finished(pool)
    assert (ok, text) == (False, "w1: no")
    assert config.stations["a"] == before
    assert stations.assigned("a").fingerprint == OLD.fingerprint
    assert stations.refuses("a", pool) is Reason.NONE


def test_a_paused_station_stays_paused_over_a_restart_until_it_goes_on(config, state):
    """A station without a bundle is paused too, and says that it is."""
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", OLD.fingerprint)
    assert stations.change(Order(id=1, what="mode", args={"station": "a", "mode": "pause"}), pool)[0]
    again = Stations(config, state)
    for one in (stations, again):
        assert one.refuses("a", pool) is Reason.MAINTENANCE
        assert "inspection is paused" in one.beat(pool)["a"].degraded
    assert again.change(Order(id=1, what="mode", args={"station": "a", "mode": "inspect"}), pool)[0]
    assert again.refuses("a", pool) is Stations(config, state).refuses("a", pool) is Reason.NONE


def test_a_rollback_forgets_what_it_was_rolled_back_from(config, state):
    """So that the next one goes further back."""
    state.write_current("a", "red", NEW.following(OLD.following(Current(7, "7" * 16, 7.0))))
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", OLD.fingerprint, NEW.fingerprint)
    args = {"station": "a", "product": "red", "bundle": "1", "fingerprint": OLD.fingerprint, "threshold": "1.0"}
    stations.activate(Order(id=1, what="activate", args=args | {"rollback": "yes"}))
    assert stations.finished(pool)[0][1]
    current = state.read_current("a", "red")
    assert (current.bundle, current.before) == (1, (7,))


def test_a_station_that_a_plc_triggers_is_ready_only_while_its_camera_is_there(config, state):
    """A trigger without a camera would have a good part rejected: at the start, after its death, and while a reload lasts."""
    config.stations["a"] = msgspec.structs.replace(config.stations["a"], trigger="plc")
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", OLD.fingerprint)

    def ready():
        return stations.beat(pool)["a"].ready

    assert not ready()
    stations.camera("a", there=True)
    assert ready()
    stations.camera("a", there=False)
    assert not ready()
    stations.camera("a", there=True)
    reload = Order(id=1, what="reload", args={"station": "a", "bundles": "{}", "file": ""})
    assert stations.begin(reload) == ""
    assert not ready()


def test_a_station_that_its_camera_triggers_is_ready_whatever_the_camera(config, state):
    """It numbers its parts itself: without it there are none."""
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", OLD.fingerprint)
    stations.camera("a", there=False)
    assert stations.beat(pool)["a"].ready


def test_every_switch_is_written_down_before_it_is_made(config, state):
    """A kill in between leaves a line of what was not done; after it, a switch with its line."""
    for product in ("red", "blue"):
        state.write_current("a", product, OLD)
    seen = []

    def note(order: Order, text: str) -> str:
        seen.append((order.what, state.read_current("a", "red"), state.read_product("a"), state.is_paused("a"), text))
        return ""

    stations, pool = Stations(config, state, note), Pool()
    worker(pool, "w1", OLD.fingerprint, NEW.fingerprint)
    stations.activate(order())
    stations.finished(pool)
    stations.change(to_blue(), pool)
    stations.change(Order(id=4, what="mode", args={"station": "a", "mode": "pause"}), pool)
    new = NEW.following(OLD)
    assert [one[:4] for one in seen] == [
        ("activate", OLD, "", False), ("product", new, "", False), ("mode", new, "blue", False),
    ]  # fmt: skip
    assert (state.read_current("a", "red"), state.read_product("a"), state.is_paused("a")) == (new, "blue", True)
    assert seen[0][4] == f"a: bundle 2 of red ({NEW.fingerprint}) is active"


def test_what_must_not_be_made_is_not_made(config, state):
    state.write_current("a", "red", OLD)
    stations, pool = Stations(config, state, lambda _order, _text: "no trace"), Pool()
    worker(pool, "w1", OLD.fingerprint, NEW.fingerprint)
    stations.activate(order())
    ((_, ok, text),) = stations.finished(pool)
    assert (ok, text) == (False, "a: no trace")
    assert state.read_current("a", "red") == OLD
    assert stations.assigned("a").fingerprint == OLD.fingerprint
