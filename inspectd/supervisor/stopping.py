"""The orderly end, pure: stages in stop order, each with a limit; who must be told to stop and who must be killed now.

First of all, PLCs' triggers end: whoever takes them says when dispatch has the last one. Its camera still takes the picture.
"""

from collections.abc import Sequence
from typing import NamedTuple

from inspectd.supervisor.life import Life, Phase, S, Told

_ECHO_NS = S // 2
_CLOSE_NS = S  # for dispatch to acknowledge the last triggers; one that is away will not


class Step(NamedTuple):
    """What the supervisor must do now."""

    tell: list[Life]
    kill: list[Life]
    close: list[Life]  # to be told to take no more triggers


class Stopping:
    """Goes through the stages. Later stages are kept alive (and restarted) until theirs comes."""

    def __init__(self, lives: Sequence[Life], now: int) -> None:
        self._lives = lives
        self._began_ns = now
        self._stage = 0
        self._until_ns = 0
        self._hurry = False

    @property
    def ended(self) -> bool:
        """Nothing runs and nothing will be started."""
        return all(life.phase is Phase.STOPPED for life in self._lives)

    @property
    def clean(self) -> bool:
        """Everything ended by itself when told to."""
        return not any(life.failed for life in self._lives)

    @property
    def wanted(self) -> Told:
        """What the processes of the present stage are told."""
        return Told.HURRY if self._hurry else Told.STOP

    @property
    def longest_s(self) -> float:
        """The time that all stages may take together."""
        stages = {life.row.kind.stop for life in self._lives}
        return _CLOSE_NS / S + sum(self._limit_s(stage) for stage in stages)

    def waits_for(self, now: int) -> str:
        """In words: who has not ended yet, how long that is borne, and how many parts have no verdict."""
        here = [life for life in self._lives if life.running and life.row.kind.stop == self._stage]
        if not here:
            return "goes on to the next processes"
        left_s = max(0.0, (self._until_ns - now) / S)
        return f"waits for {', '.join(life.name for life in here)}, {left_s:.0f} s at most{_parts_open(self._lives)}"

    def hurry(self, now: int) -> None:
        """Shorten the waits. The ledger and the journal still get the time to close.

        Wrappers such as timeout(1) send one signal twice, to the process and to its group: an echo is no second wish.
        """
        if now - self._began_ns < _ECHO_NS:
            return
        self._hurry = True
        self._until_ns = min(self._until_ns, now + round(self._limit_s(self._stage) * S))

    def step(self, now: int) -> Step:
        """Enter the next stage where the present one is over; say whom to tell and whom to kill."""
        intake = [life for life in self._lives if life.row.kind.intake and life.running and not life.told]
        close = [life for life in intake if not life.close_told]
        if (
            now < self._began_ns + _CLOSE_NS
            and not self._hurry
            and not all(life.health and life.health.done for life in intake)
        ):
            return Step([], [], close)
        here = self._enter(now)
        overdue = now >= self._until_ns
        for life in here:
            life.failed |= overdue
        return Step([life for life in here if life.told != self.wanted], here if overdue else [], close)

    def _enter(self, now: int) -> list[Life]:
        """Running processes of the stage that is to stop now."""
        for stage in sorted({life.row.kind.stop for life in self._lives}):
            here = [life for life in self._lives if life.row.kind.stop == stage]
            for life in here:
                if not life.running and life.phase is not Phase.STOPPED:
                    life.give_up()
            running = [life for life in here if life.running]
            if not running:
                continue
            if stage != self._stage:
                self._stage, self._until_ns = stage, now + round(self._limit_s(stage) * S)
            return running
        return []

    def _limit_s(self, stage: int) -> float:
        here = (life.row for life in self._lives if life.row.kind.stop == stage)
        return max((row.kind.hurry_s if self._hurry else row.stop_s for row in here), default=0.0)


def _parts_open(lives: Sequence[Life]) -> str:
    """What dispatch still has to settle; nothing once it has ended."""
    counts = (life.health.counters for life in lives if life.running and life.row.kind.finishes_parts and life.health)
    return "".join(
        f"; {counters.get('in_flight', 0):.0f} parts in flight, {counters.get('unsettled', 0):.0f} without a line outcome"
        for counters in counts
    )
