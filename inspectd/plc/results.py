"""What becomes of each key at the PLC, pure: open, waiting, standing, and exactly one outcome.

    Opened -> open -> Closed in time -> waiting -> standing -> taken: delivered
               |                          |           |
               +--- deadline: a notice <--+           +-> withdrawn: settled after the next look at what the peer read

A notice is the adapter's own Fail + Late for a key whose outcome is already a fail-safe; it is shown like a result, so that the
PLC rejects the right part, but nobody counts it as a verdict. A result that is taken off is settled one look later, because
the peer may have read it until the moment of the swap.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from inspectd.plc.registers import UINT16_MAX
from inspectd.wire.enums import LineOutcome, Reason, Verdict
from inspectd.wire.messages import Closed, Key, Opened, Outcome

QUEUE = 8  # results that wait behind the one shown, as in commercial smart cameras
REMEMBERED = 10_000  # settled keys, so that a repeated Opened or Closed changes nothing
_MS = 1_000_000


@dataclass(frozen=True)
class Result:
    """A verdict on its way to the PLC, or (`late`) the notice of a fail-safe."""

    key: Key
    t_ns: int
    deadline_ns: int
    verdict: Verdict = Verdict.UNDECIDED
    reason: Reason = Reason.LATE
    late: bool = True
    score: float = float("nan")
    threshold: float = float("nan")
    fingerprint: str = ""
    part_id: str = ""
    product: str = ""


@dataclass
class Shown:
    """A result and what the peer has had of it. One that was put back keeps what it was."""

    result: Result
    since_ns: int = 0
    stood: bool = False  # on the bus, at some time; counted then
    seen: bool = False  # the peer read the status word
    whole: bool = False  # the peer read status, key and result in one answer
    taken: bool = False


@dataclass
class Tally:
    """Counters since plcd started."""

    triggers: int = 0
    shown: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    outcomes: dict[LineOutcome, int] = field(default_factory=lambda: dict.fromkeys(LineOutcome, 0))


class Results:
    """The results of one station. Every method takes `now_ns`; `outcomes` is for the caller to empty."""

    def __init__(self, started_ns: int, silence_ns: int) -> None:
        self.outcomes: list[Outcome] = []
        self.standing: Shown | None = None
        self.waiting: deque[Shown] = deque()
        self.overrun = False
        self.tally = Tally()
        self._started_ns, self._silence_ns = started_ns, silence_ns
        self._buffered = self._acked = self._fresh = self._retired = False
        self._silent = True
        self._live: dict[Key, int] = {}  # every key without an outcome -> its t_ns
        self._open: dict[Key, Opened] = {}
        self._withdrawn: list[tuple[Shown, LineOutcome]] = []  # off, but the bus does not know it yet
        self._leaving: list[tuple[Shown, LineOutcome]] = []  # off the bus with the swap after the last `advance`
        self._settled: dict[Key, None] = {}

    @property
    def busy(self) -> bool:
        """Some trigger has no verdict yet."""
        return bool(self._open)

    @property
    def unsettled(self) -> int:
        """Keys without an outcome."""
        return len(self._live)

    def opened(self, fact: Opened, now_ns: int) -> None:
        """A trigger is in the ledger, or was numbered here and will be: its deadline runs from now on.

        A repeated one changes nothing, but for what dispatch alone knows (the product) of a trigger numbered here.
        """
        if fact.key in self._open:
            self._open[fact.key] = fact
        if fact.key in self._live or fact.key in self._settled:
            return
        self.tally.triggers += 1
        self._live[fact.key] = fact.t_ns
        if self._retired:
            self._settle(fact.key, LineOutcome.PLC_DOWN, now_ns)
        else:
            self._open[fact.key] = fact

    def closed(self, fact: Closed, now_ns: int) -> None:
        """A verdict is there; one that is repeated, late or older than this process is not shown."""
        self._expire(now_ns)
        if fact.key in self._settled:
            return
        if fact.key not in self._live:  # its Opened was told to an earlier plcd, which may have shown this verdict
            self._settle(fact.key, LineOutcome.PLC_DOWN, now_ns)
            return
        opened = self._open.pop(fact.key, None)
        if opened is None:
            return
        if self._may_have_stood_before(opened, fact):
            self._settle(fact.key, LineOutcome.PLC_DOWN, now_ns)
        else:
            self._post(_result(opened, fact), now_ns)

    def read(self, key: Key, whole: bool, now_ns: int) -> None:
        """The peer read this key's result; `whole`: status, key and result in one answer."""
        for shown in self._of(key):
            if not shown.stood:  # what was read under its key is the notice that it came too late
                continue
            shown.seen = True
            shown.whole |= whole
            if shown is self.standing and whole and not self._buffered:
                self._take(now_ns)

    def control(self, buffered: bool, ack: bool, key: Key | None, now_ns: int) -> None:
        """The PLC wrote BufferEnable and ResultAck, while it was shown `key`."""
        self._expire(now_ns)
        if buffered != self._buffered:
            self._switch(buffered, now_ns)
        rose, self._acked = ack and not self._acked, ack
        if rose and buffered:
            self._acknowledge(key, now_ns)
        self._promote(now_ns)

    def settle_withdrawn(self, now_ns: int) -> None:
        """Settle what left the bus with the last swap; all reads until then must have been told."""
        leaving, self._leaving = self._leaving, []
        for shown, otherwise in leaving:
            # whoever read a whole result may have acted on it, acknowledged or not
            outcome = LineOutcome.DELIVERED if shown.whole else otherwise
            self.overrun |= outcome is LineOutcome.OVERRUN
            self._settle(shown.result.key, outcome, now_ns)

    def advance(self, now_ns: int, fresh: bool, silent: bool) -> None:
        """Let time pass (`fresh`: dispatch beats; `silent`: the PLC does not); what stands then is what the bus must show."""
        self._fresh, self._silent = fresh, silent
        self._expire(now_ns)
        self._clear(now_ns)
        self._promote(now_ns)
        self._leaving += self._withdrawn
        self._withdrawn = []
        if self.standing is not None and not self.standing.stood:
            self.standing.stood = True
            self.tally.shown[self.standing.result.verdict] += 1

    def retire(self, now_ns: int) -> None:
        """Take everything off for good; what was not taken is the fault of a plcd that goes down."""
        self._retired = True
        self._withdraw(LineOutcome.PLC_DOWN)
        self._withdrawn += [(shown, LineOutcome.PLC_DOWN) for shown in self.waiting if not shown.result.late]
        for key in self._open:
            self._settle(key, LineOutcome.PLC_DOWN, now_ns)
        self._open.clear()
        self.waiting.clear()

    def due_ns(self) -> int | None:
        """When `advance` would next change something because of a deadline; 0: at once."""
        if self._withdrawn or self._leaving:
            return 0
        deadlines = [_deadline_ns(fact) for fact in self._open.values()]
        deadlines += [shown.result.deadline_ns for shown in self.waiting if not shown.result.late]
        return min(deadlines, default=None)

    # --- deadlines -----------------------------------------------------------------------------------------------

    def _expire(self, now_ns: int) -> None:
        """Turn what missed its deadline into notices; an old key has none, its place in the line is unknown."""
        missed = LineOutcome.LATE if self._fresh else LineOutcome.STALE
        for index, shown in enumerate(self.waiting):
            if not shown.result.late and shown.result.deadline_ns <= now_ns:
                self._withdrawn.append((shown, LineOutcome.PLC_DOWN if self._silent else missed))
                self.waiting[index] = Shown(_notice(shown.result))
        for fact in [fact for fact in self._open.values() if _deadline_ns(fact) <= now_ns]:
            del self._open[fact.key]
            old = fact.t_ns < self._started_ns
            self._settle(fact.key, LineOutcome.PLC_DOWN if old else missed, now_ns)
            if not old and not self._silent:
                self._post(_notice(fact), now_ns)

    def _may_have_stood_before(self, opened: Opened, fact: Closed) -> bool:
        """Whether an earlier plcd may have shown this verdict; a NaN `closed_ms` says yes."""
        if opened.t_ns >= self._started_ns:
            return False
        return not opened.t_ns + fact.closed_ms * _MS > self._started_ns

    # --- what stands ---------------------------------------------------------------------------------------------

    def _post(self, result: Result, now_ns: int) -> None:
        if len(self.waiting) < QUEUE:
            self.waiting.append(Shown(result))
            self._promote(now_ns)
            return
        self.overrun = True
        if not result.late:
            self._settle(result.key, LineOutcome.OVERRUN, now_ns)

    def _promote(self, now_ns: int) -> None:
        """Show what may be shown. Without BufferEnable each result overwrites the one before."""
        while not self._retired and (index := self._next()) is not None:
            shown = self.waiting[index]
            del self.waiting[index]
            self._withdraw(LineOutcome.PLC_DOWN if self._silent else LineOutcome.OVERRUN)
            shown.since_ns, self.standing = now_ns, shown

    def _next(self) -> int | None:
        if self._buffered and (self.standing is not None or self._acked):
            return None
        showable = (i for i, shown in enumerate(self.waiting) if self._fresh or shown.result.verdict is not Verdict.PASS)
        return next(showable, None)

    def _clear(self, now_ns: int) -> None:
        """Take off a PASS that nobody vouches for any more, and whatever a silent PLC left standing."""
        standing = self.standing
        if standing is not None and not self._fresh and standing.result.verdict is Verdict.PASS:
            self._withdraw(LineOutcome.STALE)
        elif standing is not None and self._silent and self._over(standing, now_ns):
            self._withdraw(LineOutcome.PLC_DOWN)
        if self._silent:  # on its return the PLC must find nothing of the time without it
            self.waiting = deque(shown for shown in self.waiting if not shown.result.late)

    def _over(self, standing: Shown, now_ns: int) -> bool:
        waited_ns = now_ns - standing.since_ns
        return standing.taken or now_ns >= standing.result.deadline_ns or waited_ns >= self._silence_ns

    def _withdraw(self, outcome: LineOutcome) -> None:
        standing, self.standing = self.standing, None
        if standing is not None and not standing.taken and not standing.result.late:
            self._withdrawn.append((standing, outcome))

    # --- what the peer did -----------------------------------------------------------------------------------------

    def _of(self, key: Key) -> list[Shown]:
        standing = [] if self.standing is None else [self.standing]
        off = [shown for shown, _ in self._withdrawn + self._leaving]
        return [shown for shown in [*standing, *self.waiting, *off] if shown.result.key == key]

    def _take(self, now_ns: int) -> None:
        standing = self.standing
        assert standing is not None
        if not standing.taken and not standing.result.late:
            self._settle(standing.result.key, LineOutcome.DELIVERED, now_ns)
        standing.taken = True

    def _switch(self, buffered: bool, now_ns: int) -> None:
        """BufferEnable changed: what was read without it must not be offered again with it."""
        self._buffered = buffered
        standing = self.standing
        if standing is None:
            return
        if buffered and standing.taken:
            self.standing = None
        elif not buffered and standing.whole:
            self._take(now_ns)

    def _acknowledge(self, key: Key | None, now_ns: int) -> None:
        """ResultAck rose. It counts for the result that stood when it was written, if the PLC had looked at it.

        An acknowledgement meant for an earlier result (the PLC was frozen, or plcd is new) puts this one back: ResultValid
        drops, as the PLC expects, and the result comes again when ResultAck has dropped.
        """
        standing = self.standing
        if standing is None:
            return
        if standing.seen and standing.result.key == key:
            self._take(now_ns)
        else:
            self.waiting.appendleft(standing)
        self.standing = None

    def _settle(self, key: Key, outcome: LineOutcome, now_ns: int) -> None:
        t_ns = self._live.pop(key, None)
        self._settled[key] = None
        if len(self._settled) > REMEMBERED:
            del self._settled[next(iter(self._settled))]
        t_ms = float("nan") if t_ns is None else (now_ns - t_ns) / _MS
        self.tally.outcomes[outcome] += 1
        self.outcomes.append(Outcome(key=key, outcome=outcome, t_ms=t_ms))


def per_mille(result: Result) -> int:
    """Score in per mille of the threshold, rounded down so that a PASS stays below 1,000; 65,535 where there is none."""
    if not (math.isfinite(result.score) and result.threshold > 0):
        return UINT16_MAX
    return int(min(max(0.0, 1000 * result.score / result.threshold), UINT16_MAX))


def _deadline_ns(of: Opened | Result) -> int:
    return of.deadline_ns if isinstance(of, Result) else of.t_ns + int(of.deadline_ms * _MS)


def _notice(of: Opened | Result) -> Result:
    return Result(of.key, of.t_ns, _deadline_ns(of), part_id=of.part_id, product=of.product)


def _result(opened: Opened, fact: Closed) -> Result:
    """Join both facts. A PASS with a reason is a contradiction, and PASS is never read into one; UNDECIDED has a reason."""
    verdict = Verdict.UNDECIDED if fact.reason else fact.verdict
    return Result(
        key=fact.key,
        t_ns=opened.t_ns,
        deadline_ns=_deadline_ns(opened),
        verdict=verdict,
        reason=Reason.LOST if verdict is Verdict.UNDECIDED and not fact.reason else fact.reason,
        late=False,
        score=fact.score,
        threshold=fact.threshold,
        fingerprint=fact.fingerprint,
        part_id=fact.part_id,
        product=fact.product,
    )
