"""A station flips to a new bundle when every live worker holds it, and not before."""

import pytest

from inspectd.dispatch.pool import Pool
from inspectd.dispatch.stations import Stations
from inspectd.errors import StateError
from inspectd.station.schema import Camera, Config, Line, Station
from inspectd.station.state import Current, StateDir
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
    assert "no space left" in stations.product("a", "blue", pool)
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
    assert stations.product("a", "blue", Pool()) == ""
    assert Stations(config, state).assigned("a") == ("blue", NEW.fingerprint, 2.0)


def test_a_product_without_a_bundle_is_refused(config, state):
    assert "no active bundle" in Stations(config, state).product("a", "blue", Pool())


def test_a_product_whose_bundle_every_worker_refuses_is_not_switched_to(config, state):
    """The station goes on with the product that it can judge, and whoever asked is told why."""
    state.write_current("a", "red", OLD)
    state.write_current("a", "blue", NEW)
    stations, pool = Stations(config, state), Pool()
    worker(pool, "w1", OLD.fingerprint, refused={NEW.fingerprint: Refusal("a.yaml: roi: expected that, got this")})
    assert "the product stays red: bundle 2 was refused: a.yaml: roi" in stations.product("a", "blue", pool)
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
