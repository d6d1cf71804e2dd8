"""One row's life, pure: started, heard of, hung, died, due again. Time is passed in as CLOCK_MONOTONIC nanoseconds."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from signal import Signals

from inspectd.supervisor.processes import Row
from inspectd.wire.messages import Health

S = 1_000_000_000  # nanoseconds


class Phase(StrEnum):
    """Where a process stands."""

    WAITING = "waiting"  # to be started for the first time
    STARTING = "starting"  # runs, has not reported yet
    UP = "up"
    BACK_OFF = "back-off"  # died, waits for its next start
    STOPPED = "stopped"  # for good


class Told(StrEnum):
    """What a process was told of the end."""

    NOTHING = ""
    STOP = "stop"
    HURRY = "hurry"


RUNNING = (Phase.STARTING, Phase.UP)


@dataclass
class Life:
    """What is known of one process, and what follows from it."""

    row: Row
    phase: Phase = Phase.WAITING
    told: Told = Told.NOTHING
    close_told: bool = False  # the running process knows that it shall take no more triggers
    pid: int = 0
    restarts: int = 0
    health: Health | None = None  # of the running process; the last one said once it is stopped
    last_end: str = ""  # how the process before this one ended
    doomed: bool = False  # SIGKILL is on its way
    anew: bool = False  # it was told to end, to be started anew with another file
    failed: bool = False  # it did not end well when it was stopped
    started_ns: int = 0
    _heard_ns: int = 0
    _due_ns: int = 0
    _delay_s: float = 0.0
    _deaths_ns: deque[int] = field(default_factory=deque)

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name

    @property
    def running(self) -> bool:
        """There is a process."""
        return self.phase in RUNNING

    @property
    def ready(self) -> bool:
        """It runs and has reported."""
        return self.phase is Phase.UP

    def due(self, now: int) -> bool:
        """It is time to start it."""
        return self.phase is Phase.WAITING or (self.phase is Phase.BACK_OFF and now >= self._due_ns)

    def started(self, pid: int, now: int) -> None:
        """It was started."""
        self.restarts += self.phase is Phase.BACK_OFF
        self.phase, self.pid, self.health, self.doomed, self.close_told = Phase.STARTING, pid, None, False, False
        self.started_ns = self._heard_ns = now

    def heard(self, health: Health, now: int) -> None:
        """Take its report; one that a former process of this row left behind is ignored."""
        if self.running and health.pid == self.pid:
            self.phase, self.health, self._heard_ns = Phase.UP, health, now

    def hung(self, now: int) -> bool:
        """It has been silent for too long. One that was told to stop is judged by its stage's limit instead."""
        limit_s = self.row.kind.silent_s if self.ready else self.row.kind.grace_s
        return self.running and not self.told and not self.doomed and now - self._heard_ns > limit_s * S

    def forgive(self, gap_ns: int) -> None:
        """Do not count time in which the supervisor itself did not run (a paused machine) as the child's silence."""
        self._heard_ns += gap_ns

    def died(self, code: int, now: int) -> None:
        """It ended: for good where it had been told to stop, else it comes back after a pause."""
        self.last_end = _end(code)
        if self.told:
            self.phase, self.failed = Phase.STOPPED, self.failed or code != 0
            return
        if self.anew:
            self.phase, self.health, self.anew = Phase.WAITING, None, False
            return
        rule, lived_s = self.row.kind.restart, (now - self.started_ns) / S
        again = self._delay_s and lived_s < rule.forget_s
        self._delay_s = min(rule.most_s, 2 * self._delay_s) if again else rule.first_s
        self.phase, self.health, self._due_ns = Phase.BACK_OFF, None, now + round(self._delay_s * S)
        self._deaths_ns.append(now)

    def give_up(self) -> None:
        """Start it no more. A line's process that was down could not finish what it had begun: that is no clean end."""
        self.failed = self.phase is Phase.BACK_OFF and self.row.kind.one_per == "line"
        self.phase = Phase.STOPPED

    def deaths(self, now: int) -> int:
        """How often it died within the fault window."""
        while self._deaths_ns and now - self._deaths_ns[0] > self.row.kind.restart.fault_window_s * S:
            self._deaths_ns.popleft()
        return len(self._deaths_ns)


def _end(code: int) -> str:
    """An exit code in words; negative: the signal that ended the process."""
    return f"exit code {code}" if code >= 0 else f"killed by {Signals(-code).name}"
