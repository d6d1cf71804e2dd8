"""What keeps a line from starting on this machine is told before it starts, all at once, and nothing is left behind."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from msgspec.structs import replace

from inspectd.cli.machine import check_machine, running
from inspectd.errors import Problem
from inspectd.station.schema import Camera, Config, Line, Plc, PlcBlock, Station
from inspectd.station.state import Current, StateDir
from inspectd.supervisor.lock import Lock


def config(address: str = "127.0.0.1:0", metrics: str | None = None) -> Config:
    line = Line(plcs={"line1": Plc(protocol="modbus_tcp", address=address)}, metrics=metrics)
    station = Station(
        station="washer", camera=Camera(kind="folder", path="line"), deadline_ms=250.0, products=("a", "b"),
        plc=PlcBlock("line1", 0),
    )  # fmt: skip
    return Config("stations", line, {"washer": station}, {"washer": "stations/washer.yaml"})


@pytest.fixture
def taken() -> Iterator[str]:
    """An address on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def problems(state: StateDir, run_dir: Path, conf: Config | None = None) -> list[Problem]:
    return check_machine(conf or config(), state, run_dir).problems


def test_a_good_machine_has_no_problem_and_nothing_stays_written(state: StateDir, run_dir: Path) -> None:
    """Checking leaves both directories as they were, also where they do not exist yet."""
    assert problems(state, run_dir) == []
    assert problems(StateDir(state.root / "deep" / "state"), run_dir / "new") == []
    assert list(state.root.iterdir()) == list(run_dir.iterdir()) == []


def test_a_run_directory_over_80_characters_is_refused(state: StateDir, run_dir: Path) -> None:
    """81 are too many, 80 are not: socket paths end at 107 bytes."""
    fits = run_dir / ("x" * (80 - len(str(run_dir)) - 1))
    assert problems(state, fits) == []
    (problem,) = problems(state, fits.with_name(fits.name + "x"))
    assert (problem.key, problem.expected, problem.got) == ("run directory", "at most 80 characters", "81")


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_run_directory_that_others_can_enter_is_refused(state: StateDir, run_dir: Path, mode: int) -> None:
    """Whoever can write there can give orders."""
    run_dir.chmod(mode)
    (problem,) = problems(state, run_dir)
    assert (problem.expected, problem.got, problem.hint) == ("mode 0700", f"mode {mode:04o}", f"chmod 700 {run_dir}")


def test_a_file_in_place_of_the_run_directory_is_named(state: StateDir, run_dir: Path) -> None:
    """Also where it stands further up on the way."""
    (run_dir / "file").touch()
    assert problems(state, run_dir / "file")[0].got == "a file"
    (problem,) = problems(state, run_dir / "file" / "run")
    assert (problem.key, problem.expected) == ("run directory", "a place to write")


def test_a_second_daemon_is_refused_with_the_pid_of_the_first(state: StateDir, run_dir: Path) -> None:
    """The lock tells who holds it; once it is let go, the run directory is free."""
    with Lock(run_dir):
        (problem,) = problems(state, run_dir)
        assert problem.got == f"one with pid {os.getpid()}"
    assert problems(state, run_dir) == []


@pytest.mark.parametrize("place", ["/proc/self/state", "/proc"])
def test_a_state_directory_that_takes_no_file_is_refused(run_dir: Path, place: str) -> None:
    """A real write tells, so that root is told too."""
    (problem,) = problems(StateDir(Path(place)), run_dir)
    assert (problem.key, problem.expected) == ("state directory", "a place to write")
    assert "--state" in problem.hint


def test_a_file_in_place_of_the_state_directory_is_refused(run_dir: Path, tmp_path: Path) -> None:
    """A file is no place for a journal."""
    (tmp_path / "state").touch()
    (problem,) = problems(StateDir(tmp_path / "state"), run_dir)
    assert problem.key == "state directory"


def test_a_port_in_use_is_named_with_its_key(state: StateDir, run_dir: Path, taken: str) -> None:
    """Both the PLC's address and that of the metrics are tried."""
    (problem,) = problems(state, run_dir, config(address=taken))
    assert (str(problem.file), problem.key) == ("stations/line.yaml", "plcs.line1.address")
    assert problem.got == f"{taken}: Address already in use"
    (problem,) = problems(state, run_dir, config(metrics=taken))
    assert problem.key == "metrics"


def test_an_address_of_another_machine_is_refused(state: StateDir, run_dir: Path) -> None:
    """192.0.2.0/24 is nobody's (RFC 5737)."""
    (problem,) = problems(state, run_dir, config(address="192.0.2.1:5020"))
    assert "192.0.2.1:5020: Cannot assign requested address" in str(problem)


def test_all_problems_come_at_once(run_dir: Path, taken: str) -> None:
    """Mode, state directory and port in one run."""
    run_dir.chmod(0o755)
    found = problems(StateDir(Path("/proc")), run_dir, config(address=taken))
    assert [problem.key for problem in found] == ["run directory", "state directory", "plcs.line1.address"]


def test_a_product_without_a_usable_bundle_is_named_with_what_helps(state: StateDir, run_dir: Path) -> None:
    """The station starts in FAULT and the others run: no reason to stop the line, every reason to say so."""
    state.write_current("washer", "a", Current(bundle=3, fingerprint="f" * 16, threshold=1.0))
    findings = check_machine(config(), state, run_dir)
    assert findings.problems == []
    (damaged,), (missing,) = findings.damaged, findings.missing
    assert "bundles/3" in damaged
    assert "product a: bundle cannot be used, starts in FAULT" in damaged
    assert "product b: no bundle, cannot be selected" in missing
    assert missing.endswith("inspectd calibrate washer --good DIR --product b")


def test_a_damaged_current_file_is_named(state: StateDir, run_dir: Path) -> None:
    """The file that names the active bundle may itself be damaged."""
    for product in ("a", "b"):
        path = state.product("washer", product) / "current"
        path.parent.mkdir(parents=True)
        path.write_text("{")
    assert all("activate a bundle again" in damaged for damaged in check_machine(config(), state, run_dir).damaged)


def test_a_connection_that_no_station_uses_is_said_and_the_line_runs_without_it(state: StateDir, run_dir: Path) -> None:
    """Who puts a line to work step by step names its connections first and maps the stations later."""
    spare = config()
    line = replace(spare.line, plcs={**spare.line.plcs, "line2": Plc("modbus_tcp", "127.0.0.1:5021")})
    findings = check_machine(replace(spare, line=line), state, run_dir)
    assert findings.problems == []
    assert [text.partition(";")[0] for text in findings.unused] == [
        "line.yaml: plcs: line2: no station uses it, nobody listens on 127.0.0.1:5021"
    ]


LISTEN = (
    "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()"
)


def test_the_running_lines_own_lock_and_ports_are_no_problem_and_a_strangers_port_is(
    state: StateDir, run_dir: Path, taken: str
) -> None:
    """Files are checked while the line runs; what a child of it listens on is its own too."""
    with Lock(run_dir), subprocess.Popen([sys.executable, "-c", LISTEN], stdin=PIPE, stdout=PIPE, text=True) as child:
        assert child.stdout
        childs = f"127.0.0.1:{int(child.stdout.readline())}"
        assert running(run_dir) == os.getpid()
        assert check_machine(config(childs, metrics=taken), state, run_dir, os.getpid()).problems == []
        (problem,) = check_machine(config(childs, metrics=taken), state, run_dir, child.pid).problems
        assert (problem.key, problem.got) == ("metrics", f"{taken}: Address already in use")
        child.communicate()
    assert running(run_dir) is None
