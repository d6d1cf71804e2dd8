"""Commands of people: one reply each, one audit line each, over real sockets and with a clock of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from inspectd.errors import DaemonError
from inspectd.station.state import Current, StateDir
from inspectd.supervisor import control
from inspectd.supervisor.control import Desk
from inspectd.supervisor.life import Life
from inspectd.supervisor.lock import Lock
from inspectd.supervisor.orders import Orders
from inspectd.supervisor.status import Overall, Status
from inspectd.vision import bundle
from inspectd.vision.bundle import Manifest, Member, PictureSpec
from inspectd.wire.enums import HealthState
from inspectd.wire.messages import Command, Done, Order, Reply
from inspectd.wire.sockets import Hub, Port
from tests.supervisor.daemon import config
from tests.supervisor.lives import seconds, up
from tests.support import receive, send, until

STATUS = Status(
    pid=1, up_s=0.0, ready=True, stopping=False, health=Overall(HealthState.OK, []), processes=[], channels={},
    ledger={}, outcomes={}, dispatch={}, sources={}, stations={},
)  # fmt: skip


class Office:
    """A desk, one person before it, and the children behind it."""

    def __init__(self, hub: Hub, state: StateDir) -> None:
        self.lives: dict[str, Life] = {life.name: life for life in up()}
        self.orders_port, self.control_port = hub.bind("orders"), hub.bind("control")
        self.children: dict[str, Port] = {}
        self.orders = Orders(self.orders_port)
        self.desk = Desk(self.control_port, config(), state, self.lives, self.orders)
        self.person = hub.connect("control")
        for name in ("dispatchd", "ingestd-cell"):
            self.children[name] = hub.connect("orders", identity=f"{name}:{self.lives[name].pid}")
            send(self.children[name], Done(id=0, ok=True))
            receive(self.orders_port)

    def command(self, what: str, now: int = 0, **args: str) -> None:
        """Give a command, and let the desk take it."""
        taken = self.control_port.counts.received
        send(self.person, Command(what=what, who="anna", args=args))
        until(lambda: self.desk.serve(now, lambda: STATUS) or self.control_port.counts.received > taken)

    def reply(self) -> Reply:
        return receive(self.person).message

    def order(self, name: str) -> Order:
        return receive(self.children[name]).message

    def notes(self, now: int = 0) -> list[dict[str, str]]:
        """What dispatch is given for the journal now."""
        self.orders.flush(self.lives["dispatchd"], now)
        found = []
        while self.orders.notes_open:
            order = self.order("dispatchd")
            assert order.what == "note"
            assert self.orders.noted(Done(id=order.id, ok=True))
            found.append(order.args)
        return found


@pytest.fixture
def office(run_dir: Path, state: StateDir) -> Iterator[Office]:
    with Hub(run_dir) as hub:
        yield Office(hub, state)


def store_bundle(state: StateDir, number: int, roi: tuple[int, int, int, int] | None = None, **more: object) -> Manifest:
    """Write a manifest alone; it is all that the desk reads."""
    member = Member(backbone="0" * 64, backbone_name="lite0", layers=(4, 10), patch=3, input_px=(224, 224))
    picture = PictureSpec(camera_px=(64, 64), pixel_format="rgb8", roi=roi)
    manifest = Manifest(station="cell", members=(member,), picture=picture, **{"threshold": 1.25} | more)
    manifest = msgspec.structs.replace(manifest, fingerprint=bundle.fingerprint(manifest))
    folder = state.bundle("cell", "default", number)
    folder.mkdir(parents=True)
    (folder / bundle.MANIFEST).write_bytes(msgspec.json.encode(manifest))
    return manifest


def test_status_is_answered_and_leaves_no_audit_line(office: Office) -> None:
    office.command("status")
    assert msgspec.json.decode(office.reply().data, type=Status) == STATUS
    assert office.notes() == []


def test_trigger_becomes_an_order_whose_done_is_the_reply(office: Office) -> None:
    office.command("trigger", station="cell")
    order = office.order("ingestd-cell")
    assert (order.what, order.args) == ("shoot", {"station": "cell"})
    assert office.notes() == []
    assert office.desk.done(Done(id=order.id, ok=True, text="cell/1/7"))
    assert office.reply() == Reply(ok=True, text="cell/1/7")
    assert office.notes() == [{"station": "cell", "who": "anna", "what": "trigger", "ok": "true", "text": "cell/1/7"}]


def test_activate_takes_fingerprint_and_threshold_from_the_bundle(office: Office, state: StateDir) -> None:
    manifest = store_bundle(state, 3)
    office.command("activate", station="cell", bundle="3", threshold="99")
    order = office.order("dispatchd")
    assert order.what == "activate"
    given = order.args.pop("command")
    assert order.args == {
        "station": "cell", "product": "default", "bundle": "3", "fingerprint": manifest.fingerprint, "threshold": "1.25",
    }  # fmt: skip
    said = Command(what="activate", who="anna", args={"station": "cell", "bundle": "3", "threshold": "99"})
    assert msgspec.json.decode(given, type=Command) == said
    office.desk.done(Done(id=order.id, ok=False, text="workerd-1: golden pictures differ"))
    assert office.reply() == Reply(ok=False, text="workerd-1: golden pictures differ")
    assert office.notes()[0]["ok"] == "false"


def test_a_bundle_for_files_that_were_changed_since_the_start_is_refused_with_the_way_to_use_it(
    office: Office, state: StateDir
) -> None:
    """The cameras still cut what the files said at the start."""
    store_bundle(state, 5, roi=(8, 8, 32, 32))
    office.command("activate", station="cell", bundle="5")
    assert "as they were at its start; if they were changed since, `inspectd reload cell`" in office.reply().text


def test_a_threshold_is_the_activation_of_a_revision_of_the_active_bundle(office: Office, state: StateDir) -> None:
    """One of a bundle that is active no more is refused: two people's changes do not undo each other."""
    parent, other = store_bundle(state, 1), store_bundle(state, 2, threshold=1.5)
    change = bundle.Revision(parent=parent.fingerprint, threshold=1.25, who="anna", why="x", when="")
    made = store_bundle(state, 3, threshold=1.3, revision=change)
    said = {"station": "cell", "bundle": "3", "value": "1.3", "why": "x"}
    state.write_current("cell", "default", Current(1, parent.fingerprint, 1.25))
    office.command("threshold", **said)
    order = office.order("dispatchd")
    assert (order.what, order.args["fingerprint"], order.args["threshold"]) == ("activate", made.fingerprint, "1.3")
    office.desk.done(Done(id=order.id, ok=True))
    assert office.reply().ok
    assert office.notes() == []  # dispatch wrote it down, before it switched
    state.write_current("cell", "default", Current(2, other.fingerprint, 1.5))
    for number in ("3", "2", "x"):
        office.command("threshold", station="cell", bundle=number)
        reply = office.reply()
        assert (reply.ok, reply.bad_input) == (False, True), reply


def test_product_goes_to_dispatch(office: Office) -> None:
    office.command("product", station="cell", product="default")
    order = office.order("dispatchd")
    assert order.what == "product"
    assert order.args | {"command": ""} == {"station": "cell", "product": "default", "command": ""}
    office.desk.done(Done(id=order.id, ok=True))
    assert office.reply().ok


@pytest.mark.parametrize(
    ("what", "args", "words"),
    [
        ("dance", {}, "no command 'dance': expected one of status, activate, threshold, reload, mode, product, trigger, stop"),
        ("trigger", {"station": "x"}, "no station 'x': expected one of cell"),
        ("activate", {}, "no station '': expected one of cell"),
        ("activate", {"station": "cell", "product": "x"}, "no product 'x': expected one of default"),
        ("activate", {"station": "cell", "bundle": "../1"}, "bundle: expected a number, got '../1'"),
        ("activate", {"station": "cell", "bundle": "9"}, "bundles/9/manifest.json: cannot be read"),
        ("activate", {"station": "cell", "bundle": "4"}, "roi: expected {x: 8, y: 8, width: 32, height: 32}, as the bundle"),
    ],
)
def test_a_command_that_cannot_be_is_refused_with_the_reason_and_noted(
    office: Office, state: StateDir, what: str, args: dict[str, str], words: str
) -> None:
    store_bundle(state, 4, roi=(8, 8, 32, 32))
    office.command(what, **args)
    reply = office.reply()
    assert (reply.ok, reply.bad_input, words in reply.text) == (False, True, True), reply
    assert [(note["what"], note["ok"], note["text"]) for note in office.notes()] == [(what, "false", reply.text)]


def test_an_order_to_a_process_that_is_not_there_is_refused_at_once(office: Office) -> None:
    office.lives["ingestd-cell"].died(-9, 0)
    office.command("trigger", station="cell")
    reply = office.reply()
    assert (reply.text.startswith("ingestd-cell is not running"), reply.bad_input) == (True, False)


@pytest.mark.parametrize("what", ["threshold", "activate", "product"])
def test_what_could_not_even_be_prepared_is_told_for_the_journal_alone(office: Office, what: str) -> None:
    office.command(what, station="cell", value="1", why="x", refused="would reject a good part")
    reply = office.reply()
    assert (reply.ok, reply.bad_input, reply.text) == (False, True, "would reject a good part")
    (note,) = office.notes()
    assert (note["ok"], note["why"], note["text"]) == ("false", "x", "would reject a good part")


@pytest.mark.parametrize("what", ["calibrate", "import", "sign"])
def test_what_the_command_line_did_on_disk_is_told_for_the_journal_alone(office: Office, what: str) -> None:
    office.command(what, station="cell", bundle="2", done="bundle 2 is there")
    assert (office.reply().ok, len(office.desk._open)) == (True, 0)
    (note,) = office.notes()
    assert note == {"who": "anna", "what": what, "station": "cell", "bundle": "2", "ok": "true", "text": "bundle 2 is there"}


def test_a_child_that_does_not_answer_costs_the_command_and_not_the_desk(office: Office) -> None:
    office.command("trigger", station="cell")
    order = office.order("ingestd-cell")
    office.command("status", now=seconds(10))
    assert office.reply().data
    office.desk.serve(seconds(10.1), lambda: STATUS)
    assert office.reply() == Reply(ok=False, text="ingestd-cell did not answer in time")
    assert not office.desk.done(Done(id=order.id, ok=True))  # too late; the person has had a reply
    assert len(office.notes()) == 1


def test_a_death_answers_the_commands_that_it_took_along(office: Office) -> None:
    office.command("trigger", station="cell")
    office.desk.lost("workerd-1")
    office.desk.lost("ingestd-cell")
    assert office.reply() == Reply(ok=False, text="ingestd-cell died before it answered")


def test_stop_is_answered_before_it_is_obeyed(office: Office) -> None:
    office.command("stop")
    assert (office.desk.stop_asked, office.reply()) == (True, Reply(ok=True, text="stopping"))
    assert [note["what"] for note in office.notes()] == ["stop"]


def test_notes_go_again_to_a_new_dispatch_until_one_answers(office: Office, run_dir: Path) -> None:
    office.command("dance")
    dispatch = office.lives["dispatchd"]
    office.orders.flush(dispatch, 0)
    first = office.order("dispatchd")
    office.orders.flush(dispatch, 1)
    assert office.children["dispatchd"].receive() is None  # not twice to the same one within the time that it may take
    dispatch.died(-9, 2)
    dispatch.started(300, 3)
    with Hub(run_dir) as hub:
        port = hub.connect("orders", identity="dispatchd:300")
        send(port, Done(id=0, ok=True))
        receive(office.orders_port)
        office.orders.flush(dispatch, 4)
        assert receive(port).message == first


# --- the command line's end -------------------------------------------------------------------------------------------


def test_without_a_daemon_the_error_names_the_run_directory_and_what_starts_one(run_dir: Path) -> None:
    with pytest.raises(DaemonError, match=rf"{run_dir}: no daemon runs there; start it with `inspectd run"):
        control.ask(run_dir, Command(what="status", who="anna", args={}), 1000)


def test_a_missing_run_directory_is_the_same_as_no_daemon(run_dir: Path) -> None:
    with pytest.raises(DaemonError, match="no daemon runs there"):
        control.ask(run_dir / "none", Command(what="status", who="anna", args={}), 1000)


def test_a_daemon_that_takes_no_commands_is_named(run_dir: Path) -> None:
    with Lock(run_dir), pytest.raises(DaemonError, match=r"pid \d+\) does not take commands"):
        control.ask(run_dir, Command(what="status", who="anna", args={}), 50)


def test_a_daemon_that_does_not_answer_is_named_with_the_time(run_dir: Path) -> None:
    with Lock(run_dir), Hub(run_dir) as hub:
        hub.bind("control")
        with pytest.raises(DaemonError, match="did not answer `status` in 200 ms"):
            control.ask(run_dir, Command(what="status", who="anna", args={}), 200)
