"""plcd in a process of its own, between a scripted dispatch on real ports and a PLC that shares no code with it."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyModbusTCP.client import ModbusClient

from inspectd import clock
from inspectd.demo.client import Peer
from inspectd.plc.registers import HOLDING_STRIDE, INPUT_STRIDE, Command, Image, Status, decode
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from inspectd.wire.messages import Ack, DeliveryAck, Done, Key, SourceState
from tests.plc.facts import STATION, beat, closed, opened
from tests.plc.fake_dispatch import FakeDispatch
from tests.plc.ports import client, free_address
from tests.plc.serve import BLOCK

pytestmark = pytest.mark.slow

CONTROL = BLOCK * HOLDING_STRIDE
ENABLE, TRIGGER = Command.TRIGGER_ENABLE, Command.TRIGGER
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def dispatch(run_dir: Path) -> Iterator[FakeDispatch]:
    fake = FakeDispatch(run_dir)
    yield fake
    fake.hub.close()


@pytest.fixture
def address() -> str:
    return free_address()


@pytest.fixture
def start(run_dir: Path, tmp_path: Path, address: str, dispatch: FakeDispatch) -> Iterator[Start]:
    """Start a plcd and wait until dispatch has met it."""
    started: list[subprocess.Popen[bytes]] = []

    def go(trigger: str = "camera") -> "subprocess.Popen[bytes]":
        met = len(dispatch.hellos)
        command = [sys.executable, "-m", "tests.plc.serve", str(run_dir), str(tmp_path / "state"), address, trigger]
        started.append(subprocess.Popen(command))
        dispatch.until(lambda: len(dispatch.hellos) > met and dispatch.health, "plcd says hello")
        return started[-1]

    yield go
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def plc(address: str) -> Iterator[ModbusClient]:
    with client(address) as peer:
        yield peer


def look(plc: ModbusClient) -> Image:
    """Read the station's block in one request; the safe state where nobody answers."""
    registers = plc.read_input_registers(BLOCK * INPUT_STRIDE, INPUT_STRIDE)
    return decode(registers) if registers else Image()


def enable(dispatch: FakeDispatch, plc: ModbusClient) -> None:
    """Enable triggers as a PLC does, and wait until the station is ready for them."""
    plc.write_single_register(CONTROL, ENABLE)
    dispatch.until(shows(plc, Status.READY))


def shows(plc: ModbusClient, bits: Status) -> Callable[[], Image | None]:
    """Poll until all these bits are set."""

    def check() -> Image | None:
        image = look(plc)
        return image if image.status & bits == bits else None

    return check


def lacks(plc: ModbusClient, bits: Status) -> Callable[[], bool]:
    """Poll until none of these bits is set."""
    return lambda: not look(plc).status & bits


def part(dispatch: FakeDispatch, seq: int, verdict: Verdict = Verdict.PASS, deadline_ms: float = 60_000.0) -> Key:
    """Tell a trigger and its verdict."""
    of = Key(STATION, 3, seq)
    dispatch.tell(opened(of, clock.now_ns(), deadline_ms))
    dispatch.tell(closed(of, verdict))
    return of


def test_a_verdict_stands_at_the_plc_and_dispatch_hears_that_it_was_taken(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start()
    dispatch.until(shows(plc, Status.READY | Status.ONLINE))
    of = part(dispatch, 70_001)
    image = dispatch.until(shows(plc, Status.RESULT_VALID))
    assert image.status & (Status.PASS | Status.FAIL) == Status.PASS
    assert (image.run, image.seq, image.part_id) == (3, 70_001, "part-70001")
    assert dispatch.until(lambda: dispatch.outcome(of)) is LineOutcome.DELIVERED
    assert dispatch.acks == [DeliveryAck(key=of, fact="Opened"), DeliveryAck(key=of, fact="Closed")]


def test_facts_that_come_again_are_acknowledged_again_and_change_nothing(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start()
    dispatch.until(shows(plc, Status.READY))
    for _ in range(3):
        of = part(dispatch, 1)
        dispatch.until(shows(plc, Status.PASS))
    dispatch.until(lambda: len(dispatch.acks) == 6, "six acknowledgements")
    dispatch.until(lambda: dispatch.outcome(of))
    assert look(plc).triggers == 1
    assert [outcome.key for outcome in dispatch.outcomes] == [of]


def test_an_outcome_is_sent_again_until_dispatch_has_it(dispatch: FakeDispatch, start: Start, plc: ModbusClient) -> None:
    start()
    dispatch.until(shows(plc, Status.READY))
    dispatch.acknowledging = False
    of = part(dispatch, 1)
    dispatch.until(shows(plc, Status.PASS))
    dispatch.until(lambda: len(dispatch.outcomes) >= 3, "the outcome comes again")
    assert {(outcome.key, outcome.outcome) for outcome in dispatch.outcomes} == {(of, LineOutcome.DELIVERED)}
    dispatch.acknowledging = True
    dispatch.deliveries.send(DeliveryAck(key=of, fact="Outcome"), to=dispatch.plc)
    count = len(dispatch.outcomes)
    second = part(dispatch, 2)
    dispatch.until(shows(plc, Status.PASS))
    dispatch.until(lambda: dispatch.outcome(second))
    assert len([outcome for outcome in dispatch.outcomes[count + 1 :] if outcome.key == of]) == 0


def test_a_dispatch_that_dies_takes_ready_and_pass_with_it(dispatch: FakeDispatch, start: Start, plc: ModbusClient) -> None:
    start()
    dispatch.until(shows(plc, Status.READY))
    part(dispatch, 1)
    dispatch.until(shows(plc, Status.PASS | Status.READY))
    dispatch.beating = False
    dispatch.until(lacks(plc, Status.READY | Status.ONLINE | Status.PASS | Status.RESULT_VALID))
    before = look(plc).heartbeat
    dispatch.until(lambda: look(plc).heartbeat != before, "plcd itself lives on")
    dispatch.beating = True
    dispatch.until(shows(plc, Status.READY | Status.ONLINE))
    assert not look(plc).status & Status.RESULT_VALID


def test_a_trigger_without_a_verdict_fails_late_at_its_deadline(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start()
    dispatch.until(shows(plc, Status.READY))
    of = Key(STATION, 3, 1)
    dispatch.tell(opened(of, clock.now_ns(), deadline_ms=150.0))
    image = dispatch.until(shows(plc, Status.RESULT_VALID))
    assert image.status & (Status.PASS | Status.FAIL | Status.LATE) == Status.FAIL | Status.LATE
    assert (image.seq, image.reason) == (1, Reason.LATE)
    assert dispatch.until(lambda: dispatch.outcome(of)) is LineOutcome.LATE
    dispatch.tell(closed(of))
    dispatch.until(lambda: DeliveryAck(key=of, fact="Closed") in dispatch.acks)
    assert look(plc).status & Status.LATE


def test_after_kill_9_what_an_earlier_plcd_may_have_shown_is_plc_down_and_not_shown_again(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    first = start()
    dispatch.until(shows(plc, Status.READY))
    of = Key(STATION, 3, 1)
    fact = opened(of, clock.now_ns(), deadline_ms=60_000.0)
    dispatch.tell(fact)
    dispatch.tell(closed(of))
    dispatch.until(lambda: len(dispatch.acks) == 2)
    first.kill()
    first.wait()
    start()
    dispatch.tell(fact)
    dispatch.tell(closed(of))
    assert dispatch.until(lambda: dispatch.outcome(of)) is LineOutcome.PLC_DOWN
    assert not dispatch.until(shows(plc, Status.READY)).status & Status.RESULT_VALID


def test_a_plc_trigger_is_numbered_acknowledged_and_sent_again_until_dispatch_has_it(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start("plc")
    dispatch.until(lambda: dispatch.states)
    assert dispatch.states[0] == SourceState(station=STATION, run=1, last_seq=0, camera=False)
    enable(dispatch, plc)
    plc.write_multiple_registers(CONTROL, [ENABLE | TRIGGER, 0, 0, 0x4E31])
    image = dispatch.until(shows(plc, Status.TRIGGER_ACK))
    assert (image.triggered_run, image.triggered_seq) == (1, 1)
    dispatch.until(lambda: len(dispatch.fired) >= 3, "the trigger comes again")
    assert {(t.key, t.part_id, t.shoot) for t in dispatch.fired} == {(Key(STATION, 1, 1), "N1", True)}
    dispatch.triggers.send(Ack(key=Key(STATION, 1, 1)), to=dispatch.trigger_sender)
    plc.write_single_register(CONTROL, ENABLE)
    dispatch.until(lacks(plc, Status.TRIGGER_ACK))
    plc.write_single_register(CONTROL, ENABLE | TRIGGER)
    dispatch.until(lambda: dispatch.fired[-1].key == Key(STATION, 1, 2))


def test_a_new_session_of_dispatch_is_greeted_with_the_last_key_and_the_triggers_it_lacks(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start("plc")
    enable(dispatch, plc)
    plc.write_single_register(CONTROL, ENABLE | TRIGGER)
    dispatch.until(lambda: dispatch.fired)
    dispatch.hellos.clear()
    dispatch.states.clear()
    dispatch.session = "second"
    dispatch.until(lambda: dispatch.hellos and dispatch.states)
    assert dispatch.states[0].last_seq == 1
    dispatch.fired.clear()
    dispatch.until(lambda: dispatch.fired)
    assert dispatch.fired[0].key == Key(STATION, 1, 1)


def test_a_restarted_plcd_counts_its_runs(dispatch: FakeDispatch, start: Start) -> None:
    for run in (1, 2):
        process = start("plc")
        dispatch.until(lambda run=run: dispatch.states and dispatch.states[-1].run == run)  # type: ignore[misc]
        process.kill()
        process.wait()


def test_a_trigger_while_dispatch_is_silent_is_missed_and_not_sent(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start("plc")
    enable(dispatch, plc)
    dispatch.beating = False
    dispatch.until(lacks(plc, Status.READY))
    plc.write_single_register(CONTROL, ENABLE | TRIGGER)
    assert not dispatch.until(shows(plc, Status.MISSED_TRIGGER)).status & Status.TRIGGER_ACK
    assert dispatch.fired == []


def test_product_selection_is_forwarded_and_completed_by_the_beat_or_failed_by_the_answer(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start()
    dispatch.until(shows(plc, Status.READY))
    plc.write_multiple_registers(CONTROL, [Command.EXECUTE, 0, 2])
    dispatch.until(lambda: dispatch.commands)
    assert dispatch.commands[0].what == "product"
    assert dispatch.commands[0].args == {"station": STATION, "product": "blue"}
    dispatch.reply(ok=False)
    dispatch.until(shows(plc, Status.EXECUTE_FAILED))
    plc.write_single_register(CONTROL, 0)
    dispatch.until(lacks(plc, Status.EXECUTE_FAILED))
    plc.write_single_register(CONTROL, Command.EXECUTE)
    dispatch.until(lambda: len(dispatch.commands) == 2)
    dispatch.station = beat(product="blue")
    dispatch.until(shows(plc, Status.EXECUTE_COMPLETED))


def test_when_the_line_is_being_stopped_triggers_are_missed_and_parts_in_flight_are_delivered(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start("plc")
    enable(dispatch, plc)
    of = Key(STATION, 1, 1)
    dispatch.tell(opened(of, clock.now_ns(), deadline_ms=60_000.0))
    dispatch.until(shows(plc, Status.BUSY))
    dispatch.order("close_intake")
    assert dispatch.until(lambda: dispatch.dones) == [Done(id=1, ok=True)]
    dispatch.until(lacks(plc, Status.READY))
    plc.write_single_register(CONTROL, ENABLE | TRIGGER)
    assert not dispatch.until(shows(plc, Status.MISSED_TRIGGER)).status & Status.TRIGGER_ACK
    dispatch.tell(closed(of))
    dispatch.until(shows(plc, Status.PASS))
    assert dispatch.until(lambda: dispatch.outcome(of)) is LineOutcome.DELIVERED
    assert dispatch.fired == []


def test_trigger_and_execute_in_one_write_the_product_is_asked_for_once_dispatch_has_the_trigger(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start("plc")
    enable(dispatch, plc)
    plc.write_multiple_registers(CONTROL, [ENABLE | TRIGGER | Command.EXECUTE, 0, 2])
    dispatch.until(lambda: len(dispatch.fired) >= 2, "the trigger comes, and comes again")
    assert dispatch.commands == []
    dispatch.triggers.send(Ack(key=Key(STATION, 1, 1)), to=dispatch.trigger_sender)
    assert dispatch.until(lambda: dispatch.commands)[0].args["product"] == "blue"


def test_it_says_that_no_more_triggers_come_once_dispatch_has_the_last_one(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start("plc")
    enable(dispatch, plc)
    plc.write_single_register(CONTROL, ENABLE | TRIGGER)
    dispatch.until(lambda: dispatch.fired)
    dispatch.order("close_intake")
    dispatch.until(lambda: dispatch.dones)
    before = dispatch.health
    assert not dispatch.until(lambda: dispatch.health is not before and dispatch.health).done
    dispatch.triggers.send(Ack(key=Key(STATION, 1, 1)), to=dispatch.trigger_sender)
    counters = dispatch.until(lambda: dispatch.health and dispatch.health.done and dispatch.health).counters
    assert (counters[f"station.{STATION}.run"], counters[f"station.{STATION}.seq"]) == (1, 1)


@pytest.mark.parametrize("beating", [True, False])
def test_a_plc_trigger_fails_late_at_its_deadline_though_dispatch_never_says_that_it_is_open(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient, beating: bool
) -> None:
    start("plc")
    enable(dispatch, plc)
    plc.write_single_register(CONTROL, ENABLE | TRIGGER)
    dispatch.until(shows(plc, Status.TRIGGER_ACK))
    dispatch.beating = beating
    image = dispatch.until(shows(plc, Status.RESULT_VALID))
    assert image.status & (Status.PASS | Status.FAIL | Status.LATE) == Status.FAIL | Status.LATE
    assert (image.run, image.seq, image.reason) == (1, 1, Reason.LATE)
    of = Key(STATION, 1, 1)
    assert dispatch.until(lambda: dispatch.outcome(of)) in {LineOutcome.LATE, LineOutcome.STALE}
    dispatch.tell(opened(of, clock.now_ns() - 300 * clock.MS))
    dispatch.tell(closed(of, Verdict.UNDECIDED, Reason.LATE))
    dispatch.until(lambda: DeliveryAck(key=of, fact="Closed") in dispatch.acks)
    assert len({outcome.outcome for outcome in dispatch.outcomes}) == 1


def test_no_outcome_is_older_than_its_verdict(dispatch: FakeDispatch, start: Start, plc: ModbusClient) -> None:
    """The times of a part stand in one row of the journal: who reads it must see them in their order."""
    start()
    plc.write_single_register(CONTROL, Command.BUFFER_ENABLE)
    dispatch.until(shows(plc, Status.READY))
    closed_ms: dict[Key, float] = {}
    for seq in range(1, 301):  # nobody takes them: from the tenth on each is an overrun at once
        of, t_ns = Key(STATION, 3, seq), clock.now_ns()
        dispatch.tell(opened(of, t_ns, deadline_ms=60_000.0))
        closed_ms[of] = (clock.now_ns() - t_ns) / clock.MS
        dispatch.tell(closed(of, closed_ms=closed_ms[of]))
    dispatch.until(lambda: look(plc) and len(dispatch.outcomes) >= 291, "the outcomes")
    assert {outcome.outcome for outcome in dispatch.outcomes} == {LineOutcome.OVERRUN}
    assert [outcome for outcome in dispatch.outcomes if outcome.t_ms < closed_ms[outcome.key]] == []


@pytest.mark.parametrize("how", ["order", "orphan"])
def test_it_ends_in_the_safe_state_and_says_what_was_not_taken(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient, how: str
) -> None:
    process = start()
    dispatch.until(shows(plc, Status.READY))
    of = Key(STATION, 3, 1)
    dispatch.tell(opened(of, clock.now_ns(), deadline_ms=60_000.0))
    dispatch.until(shows(plc, Status.BUSY))
    if how == "order":
        dispatch.order("stop")
    else:
        process.send_signal(12)  # SIGUSR2: the kernel sends it when the supervisor dies
    seen: list[Image] = []

    def ended() -> bool:
        seen.append(look(plc))
        return process.poll() is not None

    dispatch.until(ended, "plcd ends")
    assert process.returncode == 0
    assert Image() in seen
    assert dispatch.until(lambda: dispatch.outcome(of)) is LineOutcome.PLC_DOWN


def test_a_silent_plc_is_a_complaint_and_an_unknown_order_is_refused(
    dispatch: FakeDispatch, start: Start, plc: ModbusClient
) -> None:
    start()
    dispatch.until(lambda: dispatch.health and any("has asked nothing" in reason for reason in dispatch.health.reasons))

    def well() -> bool:
        look(plc)
        return dispatch.health is not None and dispatch.health.reasons == []

    dispatch.until(well)


@pytest.mark.parametrize("buffered", [True, False])
def test_the_demos_plc_reads_each_result_once_and_as_often_as_plcd_says_delivered(
    dispatch: FakeDispatch, start: Start, address: str, buffered: bool
) -> None:
    """The documented procedure, by a program of its own, while results come in bursts."""
    start()
    host, port = address.split(":")
    peer = Peer(ModbusClient(host, int(port), timeout=5.0), BLOCK, buffered)
    results: list[dict[str, object]] = []
    stop = threading.Event()

    def poll() -> None:
        while not stop.is_set():
            result = peer.poll()
            if result:
                results.append(result)

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        dispatch.until(lambda: dispatch.health and not dispatch.health.reasons)
        verdicts = {}
        for seq in range(1, 151):
            verdicts[seq] = Verdict.PASS if seq % 3 else Verdict.FAIL
            of = part(dispatch, seq, verdicts[seq])
            if seq % 5 == 0:
                dispatch.until(lambda of=of: dispatch.outcome(of))  # type: ignore[misc]
        dispatch.until(lambda: len({outcome.key for outcome in dispatch.outcomes}) == 150)
    finally:
        stop.set()
        poller.join()
    delivered = {outcome.key.seq for outcome in dispatch.outcomes if outcome.outcome is LineOutcome.DELIVERED}
    assert sorted(result["seq"] for result in results) == sorted(delivered)  # type: ignore[type-var]
    assert all(result["verdict"] == verdicts[int(str(result["seq"]))] for result in results)
    assert not buffered or len(delivered) == 150
