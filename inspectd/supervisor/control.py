"""The channel `control`: `ask` is the command line's end, `Desk` the supervisor's. Each command gets exactly one reply.

`status` reads. The others change something: each leaves one audit line in the journal, whatever came of it. What dispatch
switches it writes down itself, before it does; the supervisor has the rest written down, once it is known.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from inspectd import clock, log
from inspectd.errors import BadBundle, BadInput, DaemonError
from inspectd.station.reread import Reread
from inspectd.station.schema import Config, Station
from inspectd.station.state import StateDir
from inspectd.supervisor import lock, reload
from inspectd.supervisor.life import Life, S
from inspectd.supervisor.orders import Orders
from inspectd.supervisor.status import Status
from inspectd.vision import bundle, fits
from inspectd.wire.messages import Command, Done, Reply
from inspectd.wire.sockets import Envelope, Hub, Port

# seconds in which the daemon answers; workers load and warm a bundle before it is active
LIMITS_S = {
    "status": 2.0,
    "activate": 120.0,
    "threshold": 120.0,
    "reload": 120.0,
    "mode": 10.0,
    "product": 10.0,
    "trigger": 10.0,
    "stop": 2.0,
}
_ON_DISK = frozenset({"calibrate", "import", "sign"})  # done by the command line itself: told for the journal alone
_BY_DISPATCH = frozenset({"activate", "threshold", "product", "mode", "reload"})
_TEXTS = ("done", "refused")  # arguments by which a command is told that needs no more than an audit line: its text
MODES = ("inspect", "pause")
_AS_AT_START = "the line runs with its files as they were at its start; if they were changed since, `inspectd reload {station}`"
_CONNECT_MS = 2000
_MARGIN_MS = 1000
_ALIVE_MS = 500  # between two looks whether the daemon is still there


def ask(run_dir: Path, command: Command, timeout_ms: float | None = None) -> Reply:
    """Give the daemon a command and wait for its reply, by default as long as it may take.

    DaemonError if there is no daemon on this run directory, or if it does not answer in time.
    """
    pid = lock.holder(run_dir)
    if pid is None:
        raise DaemonError(f"run directory {run_dir}: no daemon runs there; start it with `inspectd run --run-dir {run_dir}`")
    limit_ms = timeout_ms if timeout_ms is not None else LIMITS_S.get(command.what, 2.0) * 1000 + _MARGIN_MS
    end = clock.now_ns() + round(limit_ms * clock.MS)
    with Hub(run_dir) as hub:
        port = hub.connect("control")
        connected_by = min(end, clock.now_ns() + _CONNECT_MS * clock.MS)
        while not port.send(command):
            if clock.now_ns() > connected_by:
                raise DaemonError(f"run directory {run_dir}: the daemon there (pid {pid}) does not take commands")
            clock.sleep(0.01)  # libzmq does not tell when it has connected
        while (left_ns := end - clock.now_ns()) > 0:
            hub.wait(min(left_ns / clock.MS, _ALIVE_MS))
            envelope, gone = port.receive(), lock.holder(run_dir) != pid
            if envelope is None and gone:
                hub.wait(_ALIVE_MS)  # what it sent last may be on its way
                envelope = port.receive()
            if envelope and isinstance(envelope.message, Reply):
                return envelope.message
            if gone:
                told = "`inspectd bundle list` and, from its next start on, `inspectd audit` tell what was carried out"
                raise DaemonError(
                    f"run directory {run_dir}: the daemon (pid {pid}) died before it answered `{command.what}`; {told}"
                )
    raise DaemonError(f"run directory {run_dir}: the daemon (pid {pid}) did not answer `{command.what}` in {limit_ms:g} ms")


class Refused(NamedTuple):
    """Why a command cannot be carried out."""

    text: str
    bad_input: bool = True


class Sent(NamedTuple):
    """A command that became an order, whose Done is its answer."""

    order: int
    to: str


@dataclass(frozen=True)
class _Open:
    """A command whose order is with a child."""

    sender: bytes
    command: Command
    to: str
    until_ns: int


class Desk:
    """Answers commands. Nothing here waits: an order's answer, its child's death or the time limit closes a command later."""

    def __init__(self, port: Port, config: Config, state: StateDir, lives: dict[str, Life], orders: Orders) -> None:
        self._port, self._config, self._state = port, config, state
        self._lives, self._orders = lives, orders
        self._open: dict[int, _Open] = {}
        self._reloads: dict[int, reload.Plan] = {}  # by order
        self.stop_asked = False

    def serve(self, now: int, status: Callable[[], Status]) -> None:
        """Take the commands that wait, and close those whose time is over."""
        for envelope in self._port.drain():
            if isinstance(envelope.message, Command):
                self._take(envelope, now, status)
        for number, waiting in list(self._open.items()):
            if now > waiting.until_ns:
                self._close(number, Reply(ok=False, text=f"{waiting.to} did not answer in time"))

    def done(self, done: Done) -> bool:
        """Take a child's answer; False if it answers no command."""
        return self._close(done.id, Reply(ok=done.ok, text=done.text))

    def lost(self, name: str) -> None:
        """Close the commands that a process took with it when it died."""
        for number, waiting in list(self._open.items()):
            if waiting.to == name:
                self._close(number, Reply(ok=False, text=f"{name} died before it answered"))

    def _take(self, envelope: Envelope, now: int, status: Callable[[], Status]) -> None:
        sender, command = envelope.sender, envelope.message
        match command.what:
            case "status":
                self._port.send(Reply(ok=True, data=msgspec.json.encode(status()).decode()), to=sender)
                return
            case "stop":
                self.stop_asked = True
                self._answer(sender, command, Reply(ok=True, text="stopping"))
                return
            case what if what in _ON_DISK:
                self._answer(sender, command, Reply(ok=True, text=command.args.get("done", "")))
                return
            case _:
                result = self._order_for(command)
        if isinstance(result, Refused):
            self._answer(sender, command, Reply(ok=False, text=result.text, bad_input=result.bad_input))
        else:
            until = now + round(LIMITS_S[command.what] * S)
            self._open[result.order] = _Open(sender, command, result.to, until)

    def _order_for(self, command: Command) -> Sent | Refused:
        """Turn a command about a station into an order to the process that carries it out."""
        orders = {
            "activate": self._activate, "threshold": self._threshold, "product": self._product, "mode": self._mode,
            "reload": self._reload, "trigger": self._trigger,
        }  # fmt: skip
        if command.what not in orders:
            return Refused(f"no command {command.what!r}: expected one of {', '.join(LIMITS_S)}")
        name, args = command.args.get("station", ""), command.args
        if why := args.get("refused"):  # what was asked for could not even be prepared: told for the journal alone
            return Refused(why)
        station = self._config.stations.get(name)
        if station is None:
            return Refused(f"no station {name!r}: expected one of {', '.join(self._config.stations)}")
        product = args.get("product") or station.products[0]
        if product not in station.products:
            return Refused(f"station {name}: no product {product!r}: expected one of {', '.join(station.products)}")
        return orders[command.what](name, product, command)

    def _activate(self, station: str, product: str, command: Command) -> Sent | Refused:
        """Order dispatch to judge by another bundle; its threshold and fingerprint come from the bundle, not from a person."""
        number = command.args.get("bundle", "")
        if not number.isdecimal():
            return Refused(f"station {station}: bundle: expected a number, got {number!r}")
        try:
            manifest = bundle.read_manifest(self._state.bundle(station, product, int(number)))
        except BadBundle as error:
            return Refused(str(error))
        try:
            fits.need_fit(manifest, self._config, station)
        except BadInput as error:
            return Refused(f"{error}\n{_AS_AT_START.format(station=station)}")
        order = {"station": station, "product": product, "bundle": number}
        order |= {"fingerprint": manifest.fingerprint, "threshold": repr(manifest.threshold)}
        order |= {"rollback": "yes"} if "rollback" in command.args else {}
        return self._switch(command, "activate", order)

    def _threshold(self, station: str, product: str, command: Command) -> Sent | Refused:
        """Activate a revision, if it is one of the bundle that is active: two people's changes do not undo each other."""
        number = command.args.get("bundle", "")
        try:
            current = self._state.read_current(station, product)
            path = self._state.bundle(station, product, int(number) if number.isdecimal() else 0)
            found = bundle.read_manifest(path).revision
        except BadBundle as error:
            return Refused(str(error))
        if found is None or current is None or found.parent != current.fingerprint:
            return Refused(f"station {station}: bundle {number} is no revision of the active one; give the command again")
        return self._activate(station, product, command)

    def _product(self, station: str, product: str, command: Command) -> Sent | Refused:
        return self._switch(command, "product", {"station": station, "product": product})

    def _mode(self, station: str, _: str, command: Command) -> Sent | Refused:
        mode = command.args.get("mode", "")
        if mode not in MODES:
            return Refused(f"station {station}: mode: expected one of {', '.join(MODES)}, got {mode!r}")
        return self._switch(command, "mode", {"station": station, "mode": mode})

    def _reload(self, station: str, _: str, command: Command) -> Sent | Refused:
        """Have workers and dispatch take an edited station file; the camera's process follows when they have."""
        try:
            plan = reload.plan(self._config, station, self._state)
        except BadInput as error:
            return Refused(str(error))
        self._tell_workers(station, plan.station)
        order = {"station": station, "file": Reread.of(plan.station).text()}
        sent = self._switch(command, "reload", order | {"bundles": msgspec.json.encode(plan.bundles).decode()})
        if isinstance(sent, Sent):
            self._reloads[sent.order] = plan
        return sent

    def _reloaded(self, plan: reload.Plan, ok: bool) -> None:
        """Start the camera's process anew with the file that the others have taken; or have the workers forget it."""
        name = plan.station.station
        if not ok:
            self._tell_workers(name, self._config.stations[name])
            return
        self._config.stations[name] = plan.station  # one Config for the whole supervisor: processes start with it from now on
        life = self._lives[f"ingestd-{name}"]
        life.anew = bool(self._orders.send(life, "stop", {}))

    def _tell_workers(self, station: str, file: Station) -> None:
        for life in self._lives.values():
            if life.row.kind.one_per == "worker":
                self._orders.send(life, "reload", {"station": station, "file": Reread.of(file).text()})

    def _trigger(self, station: str, _: str, command: Command) -> Sent | Refused:
        return self._order(f"ingestd-{station}", "shoot", command.args)

    def _switch(self, command: Command, what: str, args: dict[str, str]) -> Sent | Refused:
        """Order dispatch to switch something; it writes the person's command into the journal before it does."""
        return self._order("dispatchd", what, args | {"command": msgspec.json.encode(command).decode()})

    def _order(self, to: str, what: str, args: dict[str, str]) -> Sent | Refused:
        life = self._lives.get(to)
        number = self._orders.send(life, what, args) if life else 0
        missing = f"{to} is not running: `inspectd status` tells why; ask again"
        return Sent(number, to) if number else Refused(missing, bad_input=False)

    def _close(self, number: int, reply: Reply) -> bool:
        waiting = self._open.pop(number, None)
        if plan := self._reloads.pop(number, None):
            self._reloaded(plan, reply.ok)
        if waiting:
            self._answer(waiting.sender, waiting.command, reply)
        return waiting is not None

    def _answer(self, sender: bytes, command: Command, reply: Reply) -> None:
        """Reply, and put command and outcome into the log and the journal."""
        self._port.send(reply, to=sender)  # an asker that has gone no longer wants to know
        args = {name: value for name, value in command.args.items() if name not in _TEXTS}
        if not (reply.ok and command.what in _BY_DISPATCH):
            about = {"who": command.who, "what": command.what, "ok": json.dumps(reply.ok), "text": reply.text}
            self._orders.note(args | about)
        log.get(__name__).info("command", who=command.who, what=command.what, args=args, ok=reply.ok, text=reply.text)
