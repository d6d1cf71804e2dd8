"""What this machine must offer before the line can run: places to write, free ports, no second daemon, bundles.

Every check is a small function that yields problems; nothing is started and nothing stays written.
"""

import os
import shlex
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from inspectd.cli import doubts, options
from inspectd.errors import BadBundle, DaemonError, Problem
from inspectd.station.schema import Config
from inspectd.station.state import StateDir
from inspectd.supervisor import lock, ports
from inspectd.vision import fits
from inspectd.vision.bundle import verify


@dataclass(frozen=True)
class Findings:
    """Problems keep the line from starting, the others a station from judging: each is UNDECIDED(no_bundle), and rejected."""

    problems: list[Problem] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # stations that were not calibrated yet
    damaged: list[str] = field(default_factory=list)  # stations whose bundle is not what it was
    unused: list[str] = field(default_factory=list)  # connections that no station is mapped to


def check_machine(config: Config, state: StateDir, run_dir: Path, running: int | None = None) -> Findings:
    """Check all at once what `inspectd run` will need; what a running line (its pid) holds is its own."""
    problems = [
        *run_dir_fits(run_dir),
        *run_dir_is_private(run_dir),
        *(() if running else no_other_daemon(run_dir)),
        *state_is_writable(state.root),
        *ports_are_free(config, running),
    ]
    missing, damaged = stations_without_bundle(config, state)
    return Findings(problems, missing, damaged, unused_plcs(config))


def unused_plcs(config: Config) -> list[str]:
    """Name the connections that serve no station yet: a line that is put to work step by step runs without them."""
    used = {station.plc.name for station in config.stations.values() if station.plc}
    fix = "map one with `plc: {{name: {0}, block: 0}}` in its file"
    return [
        f"line.yaml: plcs: {name}: no station uses it, nobody listens on {plc.address}; {fix.format(name)}"
        for name, plc in config.line.plcs.items()
        if name not in used
    ]


def run_dir_fits(run_dir: Path) -> Iterator[Problem]:
    """Socket paths end at 107 bytes, so the run directory must be short."""
    if len(str(run_dir)) > lock.RUN_DIR_MAX:
        expected, got = f"at most {lock.RUN_DIR_MAX} characters", f"{len(str(run_dir))}"
        yield Problem(run_dir, None, "run directory", expected, got, "name a shorter one with --run-dir")


def run_dir_is_private(run_dir: Path) -> Iterator[Problem]:
    """Whoever can write to the run directory can give the line orders; so nobody else may."""
    if not run_dir.exists():
        yield from _writable(_nearest(run_dir), "run directory", "name another with --run-dir")
    elif not run_dir.is_dir():
        yield Problem(run_dir, None, "run directory", "a directory", "a file", "name another with --run-dir")
    elif run_dir.stat().st_mode & 0o077:
        got = f"mode {run_dir.stat().st_mode & 0o777:04o}"
        yield Problem(run_dir, None, "run directory", "mode 0700", got, f"chmod 700 {shlex.quote(str(run_dir))}")


def no_other_daemon(run_dir: Path) -> Iterator[Problem]:
    """One daemon to a run directory."""
    try:
        pid = lock.holder(run_dir) if run_dir.is_dir() else None
    except DaemonError as error:
        yield Problem(run_dir, None, "run directory", "a readable lock file", str(error))
        return
    if pid is not None:
        hint = "stop it, or name another with --run-dir"
        yield Problem(run_dir, None, "run directory", "no daemon on it", f"one with pid {pid}", hint)


def state_is_writable(state: Path) -> Iterator[Problem]:
    """Nothing runs without a place for spool and journal; only a real write tells (root passes every permission bit)."""
    yield from _writable(_nearest(state), "state directory", "name another with --state")


def running(run_dir: Path) -> int | None:
    """Pid of the line that runs on a run directory; None if none does, or if it cannot be told."""
    try:
        return lock.holder(run_dir) or None
    except DaemonError:
        return None


def ports_are_free(config: Config, running: int | None = None) -> Iterator[Problem]:
    """Every listening address of line.yaml can be bound now, or is held by the line that is running."""
    addresses = {f"plcs.{name}.address": plc.address for name, plc in config.line.plcs.items()}
    if config.line.metrics:
        addresses["metrics"] = config.line.metrics
    for key, address in addresses.items():
        reason = _why_not_bindable(address)
        if reason and not (running and ports.is_held_by(running, int(address.rpartition(":")[2]))):
            yield Problem(Path(config.directory) / "line.yaml", None, key, "an address to listen on", f"{address}: {reason}")


def stations_without_bundle(config: Config, state: StateDir) -> tuple[list[str], list[str]]:
    """Tell of products that have no bundle, or one with a damaged file: a station that starts with one starts in FAULT."""
    missing, damaged = [], []
    for name, station in config.stations.items():
        starts = options.judged(station, state)
        for product in station.products:
            then = "starts in FAULT" if product == starts else "cannot be selected"
            fix = f"inspectd calibrate {name} --good DIR{options.naming(product)}"
            try:
                current = state.read_current(name, product)
                if current is None:
                    missing.append(f"station {name}, product {product}: no bundle, {then}; {fix}")
                else:
                    path = state.bundle(name, product, current.bundle)
                    manifest = verify(path)
                    fits.need_same(manifest, current.fingerprint, current.threshold, path)
                    fits.need_fit(manifest, config, name)
                    missing += [f"station {name}, product {product}: {doubt}" for doubt in doubts.of(path, manifest)]
            except BadBundle as error:
                damaged.append(f"station {name}, product {product}: bundle cannot be used, {then}: {error}")
    return missing, damaged


def _nearest(path: Path) -> Path:
    """Nearest thing that exists on the way to a path."""
    return next(place for place in (path, *path.parents) if place.exists())


def _writable(place: Path, what: str, hint: str) -> Iterator[Problem]:
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".inspectd-check-") as probe:
            probe.write(b"0")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        yield Problem(place, None, what, "a place to write", error.strerror or str(error), hint)


def _why_not_bindable(address: str) -> str:
    host, _, port = address.rpartition(":")
    try:
        kind, _, _, _, where = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a port in TIME_WAIT is free
            probe.bind(where)
            probe.listen(1)  # two sockets with SO_REUSEADDR may be bound, only one listens
    except OSError as error:
        return error.strerror or str(error)
    return ""
