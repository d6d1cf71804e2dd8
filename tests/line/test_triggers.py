"""Lines whose parts are announced from outside: by a bit of a real PLC, or by a person's command."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from pyModbusTCP.client import ModbusClient

from inspectd import image
from inspectd.journal import pictures
from inspectd.journal.reader import Reader
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from tests.line.test_reload import edit
from tests.line.test_versions import typed
from tests.support import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

# numbers of the README's register table
READY, RESULT_VALID, PASS, MISSED, TRIGGER_ACK = 1 << 0, 1 << 3, 1 << 4, 1 << 8, 1 << 13
COMPLETED, FAILED = 1 << 14, 1 << 15
ENABLE, TRIGGER, RESULT_ACK, BUFFER, EXECUTE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 5
BASE = ENABLE | BUFFER


class Taken(NamedTuple):
    """One result as the PLC read it."""

    key: tuple[int, int]
    part_id: str
    passed: bool
    reason: int
    product: int


class Plc:
    """A PLC's program, step by step, on block 0."""

    def __init__(self, client: ModbusClient) -> None:
        self._client = client

    def write(self, word: int) -> None:
        """Write the control word."""
        until(lambda: self._client.write_single_register(0, word), 10, "a write")

    def poll(self, bits: int, on: bool = True, timeout: float = 15) -> list[int]:
        """Poll until one of the bits of the status word is set (or all are clear); returns the block."""

        def met() -> list[int] | None:
            block = self._client.read_input_registers(0, 45)
            return block if block and bool(block[0] & bits) is on else None

        return until(met, timeout, f"status & {bits:#06x} {'set' if on else 'clear'}")

    def trigger(self, part_id: str) -> tuple[int, int]:
        """Announce a part; returns the key it was given."""
        self.poll(READY)
        raw = part_id.encode().ljust(32, b"\0")
        assert self._client.write_multiple_registers(3, [int.from_bytes(raw[i : i + 2]) for i in range(0, 32, 2)])
        self.write(BASE | TRIGGER)
        block = self.poll(TRIGGER_ACK | MISSED)
        assert block[0] & TRIGGER_ACK, "the trigger was missed"
        self.write(BASE)
        self.poll(TRIGGER_ACK, on=False)
        return block[33], block[34] << 16 | block[35]

    def take(self) -> Taken:
        """Take one result."""
        block = self.poll(RESULT_VALID)
        self.write(BASE | RESULT_ACK)
        self.poll(RESULT_VALID, on=False)
        self.write(BASE)
        text = b"".join(register.to_bytes(2) for register in block[15:31]).rstrip(b"\0").decode("ascii")
        return Taken((block[3], block[4] << 16 | block[5]), text, bool(block[0] & PASS), block[6], block[14])

    def select(self, product: int) -> int:
        """Ask for a product; returns the bit that answered."""
        assert self._client.write_single_register(2, product)
        self.write(BASE | EXECUTE)
        answer = self.poll(COMPLETED | FAILED)[0] & (COMPLETED | FAILED)
        self.write(BASE)
        self.poll(COMPLETED | FAILED, on=False)
        return answer


@pytest.fixture
def plc(port: int) -> Iterator[Plc]:
    """Return a PLC program over pyModbusTCP, which shares no code with the adapter."""
    client = ModbusClient("127.0.0.1", port, timeout=2.0, auto_open=True)
    yield Plc(client)
    client.close()


def ended(rig) -> list:
    """Stop the line when every part is settled; return the journal's rows."""
    rig.wait(lambda status: status["dispatch"].get("in_flight") == 0 and status["dispatch"].get("unsettled") == 0)
    assert rig.daemon.stop() == 0
    return sorted(Reader(rig.state).parts(station="flange"), key=lambda part: part.key)


def test_a_plc_announces_parts_selects_products_and_takes_each_verdict_under_the_key_it_was_given(line, plc):
    """One part more than the camera has pictures of is rejected."""
    rig = line(count=9, trigger="plc", more="part_id: plc\nproducts: [default, other, unknown]")
    shutil.copytree(rig.state.product("flange", "default"), rig.state.product("flange", "other"))
    rig.start(peer=False)
    plc.write(BASE)
    taken, given = [], {}
    for number in range(5):  # one part at a time
        given[plc.trigger(f"part-{number}")] = f"part-{number}"
        taken.append(plc.take())
    assert plc.select(2) == COMPLETED
    assert plc.select(3) == FAILED  # no bundle
    for number in range(5, 9):  # several on their way, taken afterwards
        given[plc.trigger(f"part-{number}")] = f"part-{number}"
    taken += [plc.take() for _ in range(4)]
    more = plc.trigger("one more")
    missed = plc.take()
    *rows, last = ended(rig)

    assert (missed.key, missed.passed, missed.reason) == (more, False, Reason.NO_FRAME)
    assert ((last.key.run, last.key.seq), last.reason_name) == (more, "no_frame")
    assert sorted(given) == [(1, seq) for seq in range(1, 10)]
    assert {result.key: result.part_id for result in taken} == given
    assert [result.product for result in taken] == [1] * 5 + [2] * 4
    assert [(row.key.run, row.key.seq) for row in rows] == sorted(given)
    assert {row.outcome for row in rows} == {LineOutcome.DELIVERED}
    judged = {(row.key.run, row.key.seq): (row.part_id, row.verdict) for row in rows}
    assert judged == {t.key: (t.part_id, Verdict.PASS if t.passed else Verdict.FAIL) for t in taken}
    assert {row.product for row in rows} == {"default", "other"}


def test_an_edited_camera_is_taken_between_two_triggers_and_the_plc_goes_on_numbering(line, plc):
    """Pictures come from the other folder from then on; no trigger is lost, and none is given a key twice."""
    rig = line(count=6, trigger="plc")
    other = rig.folder / "other"
    other.mkdir()
    files = sorted((rig.folder / "line").iterdir())
    for number, file in enumerate(reversed(files)):
        (other / f"{number}.png").symlink_to(file.resolve())
    rig.start(peer=False)
    plc.write(BASE)
    keys = [plc.trigger("") for _ in range(3)]
    taken = [plc.take() for _ in range(3)]
    edit(rig, "../line", "../other")
    before = rig._pid("ingestd-flange")
    result = typed(rig, "reload", "flange")
    assert result.exit_code == 0, result.stderr
    rig.wait(lambda status: rig._pid("ingestd-flange") not in (0, before) and status["stations"]["flange"]["ready"])
    keys += [plc.trigger("") for _ in range(3)]
    taken += [plc.take() for _ in range(3)]
    rows = ended(rig)
    assert keys == [(1, seq) for seq in range(1, 7)] == [(row.key.run, row.key.seq) for row in rows]
    assert {one.key: one.passed for one in taken} == {(r.key.run, r.key.seq): r.verdict is Verdict.PASS for r in rows}
    assert [row.reason_name for row in rows] == [None] * 6
    seen = [pictures.find(rig.state.pictures, row.key) for row in rows]
    for kept, file in zip(seen, [*files[:3], *files[:2:-1]], strict=True):
        assert kept
        assert (image.read(kept).pixels == image.read(file).pixels).all()


@pytest.mark.parametrize("victim", ["plcd-plc", "dispatchd", "ingestd-flange"])
def test_after_a_kill_a_plc_goes_on_and_every_trigger_has_one_verdict(line, plc, victim):
    rig = line(count=40, trigger="plc", more="part_id: plc")
    rig.start(peer=False)
    plc.write(BASE)
    given, taken = {plc.trigger("0"): "0"}, [plc.take()]
    rig.kill(victim)
    rig.wait(lambda status: status["ready"])
    plc.write(0)
    plc.write(BASE)  # a new plcd knows nothing of what was written to the one before
    while len(given) < 4 or taken[-1].reason == Reason.NO_FRAME:  # until the new camera has said that it is there
        given[plc.trigger(str(len(given)))] = str(len(given))
        taken.append(plc.take())
    rows = ended(rig)
    assert {result.key: result.part_id for result in taken} == given
    assert {(row.key.run, row.key.seq): row.part_id for row in rows} == given
    assert {run for run, _ in given} == ({1, 2} if victim == "plcd-plc" else {1})
    assert {row.outcome for row in rows} == {LineOutcome.DELIVERED}
    assert {row.reason_name for row in rows} <= ({None, "no_frame"} if victim == "ingestd-flange" else {None})


def test_inspectd_trigger_takes_one_picture_and_tells_the_key_of_its_verdict(line):
    rig = line(count=3, trigger="software")
    rig.start()
    result = run_trigger(rig)
    assert (result.returncode, result.stdout.strip()) == (0, "flange/1/1")
    for seq in (2, 3):
        assert typed(rig, "trigger", "flange").stdout.strip() == f"flange/1/{seq}"
    status, parts = rig.finish()
    check = rig.check(status, parts)
    assert check.closes, check.faults
    assert [str(part.key) for part in parts] == ["flange/1/1", "flange/1/2", "flange/1/3"]
    assert all(part.verdict in (Verdict.PASS, Verdict.FAIL) for part in parts)


def run_trigger(rig) -> "subprocess.CompletedProcess[str]":
    """Give the command as a person does."""
    where = ["--config", rig.daemon.config, "--state", rig.daemon.state, "--run-dir", rig.daemon.run_dir]
    command = [sys.executable, "-m", "inspectd", "trigger", "flange", *map(str, where)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
