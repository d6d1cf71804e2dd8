"""The Modbus TCP server, asked by a client that shares no code with it."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from inspectd.errors import PlcError
from inspectd.plc.adapter import Read, Written
from inspectd.plc.modbus import ModbusTcp
from inspectd.plc.registers import HOLDING_STRIDE, INPUT_STRIDE, RESULT_SPAN, Command, Control, Image, Status, decode, encode
from tests.plc.ports import client, free_address
from tests.support import until

ILLEGAL_ADDRESS = 2
VALID_PASS = Status.RESULT_VALID | Status.PASS
LAST_BLOCK = 99


@pytest.fixture
def address() -> str:
    return free_address()


@pytest.fixture
def server(address: str) -> Iterator[ModbusTcp]:
    """Serves station `first` in block 0, `second` in block 1, and `last` in the last block."""
    adapter = ModbusTcp("line1", address, {"first": 0, "second": 1, "last": LAST_BLOCK})
    adapter.open()
    yield adapter
    adapter.close()


class TestReading:
    def test_before_the_first_image_every_station_is_in_the_safe_state(self, server: ModbusTcp, address: str) -> None:
        with client(address) as plc:
            for block in (0, 1, LAST_BLOCK):
                assert decode(plc.read_input_registers(block * INPUT_STRIDE, INPUT_STRIDE)) == Image()

    def test_each_station_has_its_own_block(self, server: ModbusTcp, address: str) -> None:
        images = {name: Image(status=VALID_PASS, seq=n) for n, name in enumerate(("first", "second", "last"))}
        server.show(images)
        with client(address) as plc:
            for name, block in (("first", 0), ("second", 1), ("last", LAST_BLOCK)):
                assert decode(plc.read_input_registers(block * INPUT_STRIDE, 45)) == images[name]

    def test_a_part_of_a_block_and_two_blocks_at_once_can_be_read(self, server: ModbusTcp, address: str) -> None:
        first, second = Image(seq=5), Image(seq=6)
        server.show({"first": first, "second": second})
        with client(address) as plc:
            assert plc.read_input_registers(4, 2) == [0, 5]
            assert plc.read_input_registers(100, 100) == (encode(first) + encode(second))[100:200]

    def test_any_unit_id_is_answered(self, server: ModbusTcp, address: str) -> None:
        for unit in (0, 1, 17, 247, 255):
            with client(address, unit) as plc:
                assert plc.read_input_registers(2, 1) == [1]

    def test_several_clients_are_served_at_once(self, server: ModbusTcp, address: str) -> None:
        with client(address) as one, client(address) as two, client(address) as three:
            for _ in range(3):
                assert {tuple(peer.read_input_registers(0, 3)) for peer in (one, two, three)} == {(0, 0, 1)}


class TestRefusals:
    @pytest.mark.parametrize(
        "request_",
        [
            lambda plc: plc.read_input_registers(2 * INPUT_STRIDE, 1),
            lambda plc: plc.read_input_registers(INPUT_STRIDE + 1, INPUT_STRIDE),
            lambda plc: plc.read_input_registers((LAST_BLOCK + 1) * INPUT_STRIDE, 1),
            lambda plc: plc.read_input_registers(65_535, 1),
            lambda plc: plc.read_holding_registers(2 * HOLDING_STRIDE, 1),
            lambda plc: plc.write_single_register(2 * HOLDING_STRIDE, 1),
            lambda plc: plc.write_multiple_registers(2 * HOLDING_STRIDE - 1, [1, 1]),
            lambda plc: plc.read_coils(0, 1),
            lambda plc: plc.read_discrete_inputs(0, 1),
            lambda plc: plc.write_single_coil(0, True),
            lambda plc: plc.write_multiple_coils(0, [True]),
        ],
    )
    def test_addresses_that_do_not_exist_are_refused_with_exception_2(
        self, server: ModbusTcp, address: str, request_: object
    ) -> None:
        with client(address) as plc:
            assert not request_(plc)  # type: ignore[operator]
            assert plc.last_except == ILLEGAL_ADDRESS
            assert plc.read_input_registers(2, 1) == [1]
        assert server.take().events == []

    def test_no_write_reaches_the_input_registers(self, server: ModbusTcp, address: str) -> None:
        """Modbus has no request that writes them; the same number written is the holding register."""
        with client(address) as plc:
            assert plc.write_multiple_registers(0, [0xFFFF, 0xFFFF, 0xFFFF])
            assert plc.read_input_registers(0, 3) == [0, 0, 1]


class TestBytes:
    """Requests as they come from the wire."""

    READ = "0004 0002 0001"  # function 4, register 2, one of them

    @pytest.fixture
    def wire(self, server: ModbusTcp, address: str) -> Iterator[socket.socket]:
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            yield connection

    @staticmethod
    def request(transaction: int, body: str = READ, protocol: int = 0) -> bytes:
        raw = bytes.fromhex(body)
        return struct.pack(">HHH", transaction, protocol, len(raw)) + raw

    @staticmethod
    def answers(wire: socket.socket, count: int) -> list[tuple[int, bytes]]:
        """Transaction and body of so many answers."""
        stream = wire.makefile("rb")
        heads = (struct.unpack(">HHH", stream.read(6)) for _ in range(count))
        return [(transaction, stream.read(length)) for transaction, _, length in heads]

    def test_requests_that_come_together_are_all_answered_in_order(self, wire: socket.socket) -> None:
        wire.sendall(b"".join(self.request(n) for n in range(1, 17)))
        assert self.answers(wire, 16) == [(n, bytes.fromhex("0004 02 0001")) for n in range(1, 17)]

    def test_a_write_and_the_read_behind_it_take_effect_in_order(self, wire: socket.socket, server: ModbusTcp) -> None:
        wire.sendall(self.request(1, "0006 0000 0002") + self.request(2, "0003 0000 0001"))
        assert self.answers(wire, 2)[1] == (2, bytes.fromhex("0003 02 0002"))
        assert server.take().events == [Written("first", Control(Command.TRIGGER), Image())]

    def test_a_request_in_pieces_is_answered_when_it_is_whole(self, wire: socket.socket) -> None:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in self.request(7):
            wire.sendall(bytes([byte]))
        assert self.answers(wire, 1) == [(7, bytes.fromhex("0004 02 0001"))]

    def test_an_unknown_function_is_refused_and_the_connection_lives(self, wire: socket.socket) -> None:
        wire.sendall(self.request(1, "0063 0000") + self.request(2))
        (refusal, answer) = self.answers(wire, 2)
        assert refusal[1][1] & 0x80
        assert answer == (2, bytes.fromhex("0004 02 0001"))

    @pytest.mark.parametrize(
        "strange",
        [
            b"GET / HTTP/1.1\r\n\r\n",
            struct.pack(">HHH", 1, 0, 1) + b"\0",  # no function
            struct.pack(">HHH", 1, 0, 300) + bytes(300),  # longer than any request
            bytes(20_000),
        ],
    )
    def test_bytes_that_are_no_modbus_end_their_own_connection_alone(
        self, wire: socket.socket, server: ModbusTcp, address: str, strange: bytes, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with client(address) as plc:
            assert plc.read_input_registers(2, 1) == [1]
            wire.sendall(strange)
            with suppress(ConnectionResetError):
                assert wire.recv(1) == b""
            assert plc.read_input_registers(2, 1) == [1]
        assert capfd.readouterr().err == ""


class TestTaking:
    def test_a_read_of_status_key_and_result_is_told_as_whole_with_its_image(self, server: ModbusTcp, address: str) -> None:
        image = Image(status=VALID_PASS, seq=9)
        server.show({"second": image})
        with client(address) as plc:
            plc.read_input_registers(INPUT_STRIDE, RESULT_SPAN)
        taken = server.take()
        assert taken.events == [Read("second", image, whole=True)]
        assert taken.heard == {"second"}

    def test_a_read_of_less_is_told_as_a_look_at_the_status_word(self, server: ModbusTcp, address: str) -> None:
        with client(address) as plc:
            plc.read_input_registers(0, RESULT_SPAN - 1)
        assert server.take().events == [Read("first", Image(), whole=False)]

    def test_a_read_behind_the_status_word_is_only_heard(self, server: ModbusTcp, address: str) -> None:
        with client(address) as plc:
            plc.read_input_registers(1, 40)
        taken = server.take()
        assert (taken.events, taken.heard) == ([], {"first"})

    def test_polling_the_same_image_is_told_once_and_heard_each_time(self, server: ModbusTcp, address: str) -> None:
        with client(address) as plc:
            for events in (1, 0, 0):
                for _ in range(3):
                    plc.read_input_registers(0, 45)
                taken = server.take()
                assert len(taken.events) == events
                assert taken.heard == {"first"}

    def test_each_change_of_the_control_registers_is_told_in_order_with_what_then_stood(
        self, server: ModbusTcp, address: str
    ) -> None:
        image = Image(status=VALID_PASS, seq=1)
        with client(address) as plc:
            plc.write_multiple_registers(HOLDING_STRIDE, [1, 2, 3, 0x5031])
            server.show({"second": image})
            plc.write_single_register(HOLDING_STRIDE, 5)
            plc.write_single_register(HOLDING_STRIDE, 5)  # cyclic writers repeat themselves
        assert server.take().events == [
            Written("second", Control(Command(1), 2, 3, "P1"), Image()),
            Written("second", Control(Command(5), 2, 3, "P1"), image),
        ]

    def test_one_write_over_two_control_blocks_is_told_for_both(self, server: ModbusTcp, address: str) -> None:
        with client(address) as plc:
            plc.write_multiple_registers(0, [1] + [0] * (HOLDING_STRIDE - 1) + [2])
        assert server.take().events == [
            Written("first", Control(Command(1)), Image()),
            Written("second", Control(Command(2)), Image()),
        ]

    def test_what_the_plc_wrote_reads_back(self, server: ModbusTcp, address: str) -> None:
        with client(address) as plc:
            plc.write_multiple_registers(HOLDING_STRIDE, [1, 77])
            assert plc.read_holding_registers(HOLDING_STRIDE, 3) == [1, 77, 0]

    def test_a_write_wakes_whoever_waits_on_the_descriptor(self, server: ModbusTcp, address: str) -> None:
        server.take()
        assert not select.select([server.fileno()], [], [], 0)[0]
        with client(address) as plc:
            plc.write_single_register(0, 1)
        assert select.select([server.fileno()], [], [], 5)[0]
        server.take()
        assert not select.select([server.fileno()], [], [], 0)[0]


class TestAddress:
    def test_a_port_in_use_is_an_error_that_names_it_and_what_to_do(self, server: ModbusTcp, address: str) -> None:
        second = ModbusTcp("line2", address, {"first": 0})
        with pytest.raises(PlcError, match=rf"plcs: line2: .*{address}: Address already in use; end the other program"):
            second.open()

    def test_a_host_that_is_not_this_machine_is_an_error(self) -> None:
        with pytest.raises(PlcError, match=r"192\.0\.2\.1:5020: Cannot assign requested address"):  # a documentation address
            ModbusTcp("line1", "192.0.2.1:5020", {"first": 0}).open()

    def test_the_address_is_free_again_after_close_though_a_client_was_connected(self, address: str) -> None:
        for _ in range(2):
            adapter = ModbusTcp("line1", address, {"first": 0})
            adapter.open()
            with client(address) as plc:
                assert plc.read_input_registers(2, 1) == [1]
                adapter.close()
                assert plc.read_input_registers(2, 1) is None

    def test_nothing_is_left_open_after_close(self, address: str) -> None:
        before = set(Path("/proc/self/fd").iterdir())
        adapter = ModbusTcp("line1", address, {"first": 0})
        adapter.open()
        adapter.close()
        until(lambda: set(Path("/proc/self/fd").iterdir()) <= before, what="descriptors closed")


@pytest.mark.slow
def test_one_read_is_one_image_while_another_thread_changes_it(server: ModbusTcp, address: str) -> None:
    """Every image repeats its number in many registers; a mixture of two would show."""
    images = [
        Image(status=VALID_PASS, heartbeat=n, run=n, seq=n, per_mille=n, part_id=f"{n}", triggers=n, undecided=n, echo=n)
        for n in range(400)
    ]
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for image in images:
                server.show({"first": image})

    seen = set()
    changer = threading.Thread(target=change)
    changer.start()
    try:
        with client(address) as plc:
            for _ in range(1_000):
                image = decode(plc.read_input_registers(0, 45))
                assert image in (images[image.heartbeat], Image())
                seen.add(image.heartbeat)
    finally:
        stop.set()
        changer.join()
    assert len(seen) > 1


@pytest.mark.slow
def test_no_read_of_an_image_is_told_after_the_look_that_follows_its_swap(server: ModbusTcp, address: str) -> None:
    """What `Results` relies on to say `overrun` of a result that was overwritten unread."""
    stop = threading.Event()
    read: list[int] = []

    def poll() -> None:
        with client(address) as plc:
            while not stop.is_set():
                read.append(decode(plc.read_input_registers(0, 45)).seq)

    poller = threading.Thread(target=poll)
    poller.start()
    told: list[int] = []
    until(lambda: read, what="the first read of the peer")
    deadline = time.monotonic() + 30
    seq = 0
    try:
        while seq < 1_500 or (len(set(told)) < 2 and time.monotonic() < deadline):
            seq += 1
            server.show({"first": Image(status=VALID_PASS, seq=seq)})
            news = [event.image.seq for event in server.take().events if isinstance(event, Read)]
            assert all(old in (seq - 1, seq) for old in news)
            told += news
    finally:
        stop.set()
        poller.join()
    told += [event.image.seq for event in server.take().events if isinstance(event, Read)]
    assert set(read) == set(told)
    assert len(set(told)) > 1
