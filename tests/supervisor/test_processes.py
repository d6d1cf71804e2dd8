"""TABLE 2 and its expansion."""

import inspect
from collections import Counter
from importlib import import_module
from signal import SIGKILL, SIGUSR2

from msgspec.structs import replace

from inspectd.station.schema import Plc
from inspectd.supervisor.processes import TABLE_2, rows
from inspectd.wire.channels import TABLE_1
from tests.supervisor.daemon import config


def test_a_configuration_gives_one_row_for_each_worker_plc_and_station_in_start_order() -> None:
    assert [row.name for row in rows(config(workers=2))] == [
        "journald", "dispatchd", "workerd-1", "workerd-2", "plcd-line1", "ingestd-cell",
    ]  # fmt: skip


def test_a_connection_that_no_station_uses_gets_no_process() -> None:
    spare = config()
    line = replace(spare.line, plcs={**spare.line.plcs, "line2": Plc("modbus_tcp", "127.0.0.1:5021")})
    assert [row.name for row in rows(replace(spare, line=line)) if row.kind.one_per == "plc"] == ["plcd-line1"]


def test_no_name_stands_twice() -> None:
    assert max(Counter(process.name for process in TABLE_2).values()) == 1


def test_every_main_takes_a_seat() -> None:
    for process in TABLE_2:
        module, function = process.main.split(":")
        assert list(inspect.signature(getattr(import_module(module), function)).parameters) == ["seat"]
        assert module.split(".")[-1] == process.name


def test_both_tables_name_the_same_processes() -> None:
    binding = {channel.bound_by for channel in TABLE_1}
    assert binding <= {process.name for process in TABLE_2} | {"supervisord"}


def test_intake_stops_first_and_the_journal_last() -> None:
    stages = {process.name: process.stop for process in TABLE_2}
    assert stages["ingestd"] < stages["dispatchd"] < stages["workerd"] == stages["plcd"] < stages["journald"]


def test_dispatch_gets_the_time_of_the_longest_deadline() -> None:
    limits = {row.name: row.stop_s for row in rows(config())}
    assert limits["dispatchd"] == 5.0 + 0.25
    assert limits["journald"] == 30.0


def test_plcd_alone_may_outlive_the_supervisor_for_its_safe_state() -> None:
    assert {process.name: process.orphaned for process in TABLE_2 if process.orphaned is not SIGKILL} == {"plcd": SIGUSR2}
