"""The supervisor: starts the rows of TABLE 2, watches them, answers people, and ends them in order.

Its loop only moves things: what follows from a process's state is in life.py, the order of the end in stopping.py.
"""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from inspectd import clock, log
from inspectd.station.schema import Config
from inspectd.station.state import StateDir
from inspectd.supervisor import cores, health, launch, status
from inspectd.supervisor.control import Desk
from inspectd.supervisor.health import Metrics, Pulse
from inspectd.supervisor.life import Life, Phase, Told
from inspectd.supervisor.lock import Lock
from inspectd.supervisor.notify import Notifier
from inspectd.supervisor.orders import Orders
from inspectd.supervisor.processes import TABLE_2, Process, rows
from inspectd.supervisor.signals import StopSignals
from inspectd.supervisor.status import Status
from inspectd.supervisor.stopping import Stopping
from inspectd.wire.child import Seat
from inspectd.wire.messages import Beat, Done, Health
from inspectd.wire.sockets import Hub

LEDGER = "dispatchd"  # whom deaths of workers and commands of people are told
TICK_MS = 50.0  # the loop's longest sleep: the grain of back-off, limits and watchdog
_PAUSED_NS = 1000 * clock.MS  # a turn this long means that the supervisor itself did not run
_METRICS_EVERY_NS = 1000 * clock.MS


def run(config: Config, state_dir: Path, run_dir: Path, table: Sequence[Process] = TABLE_2) -> int:
    """Run the line until SIGTERM, SIGINT or the command `stop`; 0 after a clean end, 1 if something had to be killed.

    DaemonError if the run directory or the metrics address cannot be had. `table` is for tests with processes of their own.
    """
    launch.name_process("supervisord", run_dir)
    log.configure("supervisord")
    with Lock(run_dir), StopSignals() as signals, Hub(run_dir) as hub:
        line = _Line(config, StateDir(state_dir), run_dir, table, hub, signals)
        try:
            return line.run()
        finally:
            line.kill_all()


class _Line:
    """All processes of one line."""

    def __init__(
        self, config: Config, state: StateDir, run_dir: Path, table: Sequence[Process], hub: Hub, signals: StopSignals
    ) -> None:
        self._config, self._state, self._run_dir = config, state, run_dir
        self._hub, self._signals, self._session = hub, signals, secrets.token_hex(8)
        self._log = log.get(__name__)
        self._lives = {row.name: Life(row) for row in rows(config, table)}
        self._children: dict[str, launch.Launched] = {}
        self._cores = cores.divide(os.sched_getaffinity(0), config.line.workers)
        launch.keep_to(self._cores.of_others)  # before it has threads
        self._port, control, self._beats = hub.bind("orders"), hub.bind("control"), hub.connect("beats")
        self._orders = Orders(self._port)
        self._desk = Desk(control, config, state, self._lives, self._orders)
        self._pulse = Pulse()
        self._stopping: Stopping | None = None
        self._began_ns = self._turn_ns = clock.now_ns()
        self._notifier = Notifier(os.environ, os.getpid(), self._began_ns)
        self._metrics, self._metrics_ns = Metrics(), 0
        self._server = self._metrics.serve(config.line.metrics) if config.line.metrics else None

    def run(self) -> int:
        """Turn until everything has stopped."""
        workers, others = [sorted(own) for own in self._cores.of_workers], sorted(self._cores.of_others)
        self._log.info("started", pid=os.getpid(), processes=list(self._lives), worker_cores=workers, other_cores=others)
        while self._stopping is None or not self._stopping.ended:
            self._turn()
        clean = self._stopping.clean
        self._log.info("stopped", clean=clean, notes_lost=self._orders.notes_open)
        return 0 if clean else 1

    def kill_all(self) -> None:
        """Leave nothing behind, whatever happened."""
        for child in self._children.values():
            child.orphan()
        for child in self._children.values():
            child.release()
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def _turn(self) -> None:
        self._listen()
        now = clock.now_ns()
        self._forgive(now)
        self._reap(now)
        self._obey(now)
        self._end_hung(now)
        self._start_due(now)
        self._desk.serve(now, self._status)
        self._orders.flush(self._lives[LEDGER], now)
        self._tell(now)
        self._hub.wait(TICK_MS)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Take reports, answers and beats; before anybody's silence is judged."""
        for envelope in self._port.drain():
            match envelope.message:
                case Health() as report if report.process in self._lives:
                    self._lives[report.process].heard(report, clock.now_ns())
                case Done() as done if not (self._orders.noted(done) or self._desk.done(done) or done.ok):
                    self._log.warning("order failed", order=done.id, text=done.text)
        for envelope in self._beats.drain():
            if isinstance(envelope.message, Beat):
                self._pulse.beat = envelope.message

    def _forgive(self, now: int) -> None:
        gap, self._turn_ns = now - self._turn_ns, now
        if gap > _PAUSED_NS:
            self._log.warning("supervisor did not run", ms=gap / clock.MS)
            for life in self._lives.values():
                life.forgive(gap)

    def _reap(self, now: int) -> None:
        for name, child in list(self._children.items()):
            code = child.exit_code()
            if code is None:
                continue
            del self._children[name]
            self._hub.unwatch_fd(child.sentinel)
            child.release()
            self._died(self._lives[name], code, now)

    def _died(self, life: Life, code: int, now: int) -> None:
        life.died(code, now)
        wanted = life.phase is Phase.WAITING or (life.phase is Phase.STOPPED and not life.failed)
        report = self._log.info if wanted else self._log.error
        report("process ended", name=life.name, pid=life.pid, how=life.last_end, state=str(life.phase))
        self._desk.lost(life.name)
        match life.row.kind.one_per:
            case "worker":
                self._orders.send(self._lives[LEDGER], "worker_died", {"name": life.name})
            case "station":
                self._orders.send(self._lives[LEDGER], "camera_died", {"name": life.row.subject})

    # --- what goes out -----------------------------------------------------------------------------------------------

    def _obey(self, now: int) -> None:
        """Act on signals and on the command `stop`: the first begins the end, a further one hurries it."""
        asked = len(self._signals.take()) + self._desk.stop_asked
        self._desk.stop_asked = False
        for _ in range(asked):
            if self._stopping is None:
                self._stopping = self._begin_the_end(now)
            else:
                self._stopping.hurry(now)
        if self._stopping:
            self._step(self._stopping, now)

    def _begin_the_end(self, now: int) -> Stopping:
        stopping = Stopping(list(self._lives.values()), now)
        self._notifier.stopping(stopping.longest_s)
        self._log.info("stopping", longest_s=stopping.longest_s)
        return stopping

    def _step(self, stopping: Stopping, now: int) -> None:
        tell, kill, close = stopping.step(now)
        for life in close:
            life.close_told = bool(self._orders.send(life, "close_intake", {}))
        for life in tell:
            if self._orders.send(life, "stop", {"hurry": "yes"} if stopping.wanted is Told.HURRY else {}):
                life.told = stopping.wanted
        for life in kill:
            self._kill(life, "did not stop in time")

    def _end_hung(self, now: int) -> None:
        for life in self._lives.values():
            if life.hung(now):
                self._kill(life, "no Health")

    def _kill(self, life: Life, why: str) -> None:
        if not life.doomed:
            self._log.error("killing", name=life.name, pid=life.pid, why=why)
            self._children[life.name].kill()
            life.doomed = True

    def _start_due(self, now: int) -> None:
        for life in self._lives.values():
            if life.due(now):
                seat = Seat(life.name, life.row.subject, self._config, self._state.root, self._run_dir, self._session)
                child = self._children[life.name] = launch.Launched(life.row, seat, self._cores.of(life.row))
                self._hub.watch_fd(child.sentinel)
                life.started(child.pid, now)

    # --- what is told ------------------------------------------------------------------------------------------------

    def _tell(self, now: int) -> None:
        lives = list(self._lives.values())
        found = self._health(now)
        text = f"{found.state}: {'; '.join(found.reasons)}" if found.reasons else f"{found.state}: {len(lives)} processes"
        self._notifier.step(now, health.ready(lives, self._pulse, now), self._pulse.fresh(now), text)
        if self._server and now - self._metrics_ns >= _METRICS_EVERY_NS:
            self._metrics_ns, self._metrics.status = now, self._status()

    def _health(self, now: int) -> status.Overall:
        stopping = self._stopping.waits_for(now) if self._stopping else ""
        return health.overall(list(self._lives.values()), self._pulse, now, stopping)

    def _status(self) -> Status:
        now, lives = clock.now_ns(), list(self._lives.values())
        return Status(
            pid=os.getpid(),
            up_s=round((now - self._began_ns) / 1e9, 3),
            ready=health.ready(lives, self._pulse, now),
            stopping=self._stopping is not None,
            health=self._health(now),
            stations=self._pulse.beat.stations if self._pulse.beat else {},
            processes=status.processes(lives, now),
            channels=status.channels(lives, self._hub.counts()),
            sources=status.sources(lives),
            **status.ledger(self._lives[LEDGER], list(self._config.stations)),
        )
