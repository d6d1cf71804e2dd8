"""The handshake of one station, pure: what the PLC wrote and what dispatch said become the image that the PLC reads.

The caller tells it what happened, in this order on every turn: what the peer read and wrote (`read`, `written`), then
`settle_withdrawn`, then beats and facts, then `tick`, whose image it must show before the next turn begins.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum, auto

from inspectd.plc.registers import NOTHING, UINT16_MAX, Command, Control, Image, Status
from inspectd.plc.results import Results, Shown, per_mille
from inspectd.wire.enums import Reason, Verdict
from inspectd.wire.messages import Key, Opened, StationBeat

_MS = 1_000_000
STALE_NS = 300 * _MS  # three beats of dispatch
SILENCE_NS = 1_000 * _MS  # a PLC that asks nothing for so long is not there; fieldbus watchdogs default to the same
HEARTBEAT_NS = 500 * _MS
EXECUTE_NS = 10_000 * _MS  # as long as other makers' controllers wait
_NEVER_NS = -(10**18)
_NO_KEY = Key("", 0, 0)
_SAFE = Image()
_NO_STATION = StationBeat(ready=False, fingerprint="", product="")


@dataclass(frozen=True)
class Terms:
    """What a station's handshake is bound to."""

    station: str
    started_ns: int  # when this plcd began to serve
    deadline_ms: float
    products: tuple[str, ...] = ("default",)
    plc_triggers: bool = False
    heartbeat_ns: int = 0  # the PLC's must change within this time; 0: not supervised


@dataclass(frozen=True)
class Fire:
    """Request: number a trigger and answer with `fired`."""

    part_id: str


@dataclass(frozen=True)
class Select:
    """Request: activate a product; `refused` or a beat that names it is the answer."""

    product: str


class Execution(Enum):
    """Where the product selection stands."""

    IDLE = auto()
    RUNNING = auto()
    COMPLETED = auto()
    FAILED = auto()


class Handshake:
    """One station's end of the bus."""

    def __init__(self, terms: Terms) -> None:
        self.results = Results(terms.started_ns, SILENCE_NS)
        self._terms = terms
        self._control = Control()
        self._station = _NO_STATION
        self._beat_ns = self._heard_ns = self._changed_ns = _NEVER_NS
        self._missed = self._trigger_ack = self._closing = self._retired = False
        self._triggered: Key | None = None
        self._execution = Execution.IDLE
        self._wanted, self._asked, self._until_ns = "", False, 0  # the product being changed to; empty: none

    # --- what happened -------------------------------------------------------------------------------------------

    def beat(self, t_ns: int, station: StationBeat | None) -> None:
        """Dispatch lived at `t_ns` and said this of the station (None: it does not know it)."""
        self._beat_ns = max(self._beat_ns, t_ns)
        self._station = station or _NO_STATION

    def heard(self, now_ns: int) -> None:
        """The PLC asked or wrote something."""
        self._heard_ns = now_ns

    def read(self, image: Image, whole: bool, now_ns: int) -> None:
        """The PLC read this image's status word; `whole`: in one answer with the result."""
        key = self._key(image)
        if key is not None:
            self.results.read(key, whole, now_ns)

    def written(self, control: Control, image: Image, now_ns: int) -> list[Fire]:
        """The PLC wrote its control registers while it was shown `image`; returns what must be done for it."""
        before, self._control = self._control, control
        rose, fell = control.word & ~before.word, before.word & ~control.word
        if control.heartbeat != before.heartbeat:
            self._changed_ns = now_ns
        buffered, ack = Command.BUFFER_ENABLE in control.word, Command.RESULT_ACK in control.word
        self.results.control(buffered, ack, self._key(image), now_ns)
        if (rose | fell) & Command.TRIGGER_ENABLE or rose & Command.CLEAR_FAULT:
            self._missed = self.results.overrun = False
        fires = self._trigger(rose, fell, before, now_ns)  # before Execute, where one write has both
        self._execute(rose, fell, now_ns)
        return fires

    def settle_withdrawn(self, now_ns: int) -> None:
        """Every read and write until the last swap has been told."""
        self.results.settle_withdrawn(now_ns)

    def fired(self, key: Key | None, part_id: str, now_ns: int) -> None:
        """Answer to `Fire`: the key given; None: no trigger can be kept at present.

        Its deadline runs from here: whatever becomes of dispatch, Fail with Late stands in time.
        """
        if key is None:
            self._missed = True
            return
        self._triggered, self._trigger_ack = key, True
        product, deadline_ms = self._station.product, self._terms.deadline_ms
        fact = Opened(key=key, t_ns=now_ns, utc_ns=0, host="", part_id=part_id, product=product, deadline_ms=deadline_ms)
        self.results.opened(fact, now_ns)

    def changeover(self) -> Select | None:
        """Return the product to ask for now, once.

        To be called when dispatch has every trigger numbered here: each part is judged by the product of its moment.
        """
        if not self._wanted or self._asked:
            return None
        self._asked = True
        return Select(self._wanted)

    def refused(self) -> None:
        """Answer to `Select`: the product will not be activated."""
        self._changed(Execution.FAILED)

    def close_intake(self) -> None:
        """Be ready for no more triggers."""
        self._closing = True

    def retire(self, now_ns: int) -> None:
        """Go down: from now on only the safe state is shown."""
        self._closing = self._retired = True
        self.results.retire(now_ns)

    def tick(self, now_ns: int) -> Image:
        """Let time pass; returns the image to show."""
        self.results.advance(now_ns, self.fresh(now_ns), self.silent(now_ns))
        if self._wanted:
            self._watch_change(now_ns)
        return _SAFE if self._retired else self._image(now_ns)

    # --- how things are ------------------------------------------------------------------------------------------

    def fresh(self, now_ns: int) -> bool:
        """Dispatch beats."""
        return now_ns - self._beat_ns < STALE_NS

    def silent(self, now_ns: int) -> bool:
        """The PLC asks nothing, or its supervised heartbeat stands."""
        return now_ns - self._heard_ns >= SILENCE_NS or self.stands(now_ns)

    def stands(self, now_ns: int) -> bool:
        """The PLC's heartbeat is supervised and does not change: whoever writes there no longer runs its program."""
        return 0 < self._terms.heartbeat_ns <= now_ns - self._changed_ns

    def ready(self, now_ns: int) -> bool:
        """Whether a trigger would be taken."""
        if self._closing or self._wanted or not self.fresh(now_ns) or not self._station.ready or self.stands(now_ns):
            return False
        enabled = bool(self._control.word & Command.TRIGGER_ENABLE) and not self._trigger_ack
        return enabled or not self._terms.plc_triggers

    def complaints(self, now_ns: int) -> list[str]:
        """What keeps results from the line."""
        unasked = f"the PLC has asked nothing for {SILENCE_NS // _MS} ms"
        stands = f"the PLC's heartbeat has stood for {self._terms.heartbeat_ns // _MS} ms: not Ready, no results"
        stale = f"no beat from dispatch for {STALE_NS // _MS} ms"
        said = [
            (unasked, now_ns - self._heard_ns >= SILENCE_NS),
            (stands, self.stands(now_ns)),
            (stale, not self.fresh(now_ns)),
        ]
        return [text for text, true in said if true]

    def due_ns(self, now_ns: int) -> int:
        """When the image next changes by itself; never later than the next turn of the heartbeat."""
        elapsed = now_ns - self._terms.started_ns
        due = [now_ns + HEARTBEAT_NS - elapsed % HEARTBEAT_NS]
        if self.fresh(now_ns):
            due.append(self._beat_ns + STALE_NS)
        if self._terms.heartbeat_ns and not self.stands(now_ns):
            due.append(self._changed_ns + self._terms.heartbeat_ns)
        results = self.results.due_ns()
        return min(due if results is None else [*due, results])

    # --- triggers and products -------------------------------------------------------------------------------------

    def _trigger(self, rose: Command, fell: Command, before: Control, now_ns: int) -> list[Fire]:
        if fell & Command.TRIGGER:
            self._trigger_ack = False
        if not rose & Command.TRIGGER:
            return []
        # TriggerEnable must have stood before: whoever sets both at once cannot have seen Ready
        if self._terms.plc_triggers and before.word & Command.TRIGGER_ENABLE and self.ready(now_ns):
            return [Fire(self._control.part_id)]
        self._missed = True
        return []

    def _execute(self, rose: Command, fell: Command, now_ns: int) -> None:
        if fell & Command.EXECUTE:
            self._execution = Execution.IDLE
            if not self._asked:  # else it goes on, and Ready stays off until it has ended
                self._wanted = ""
        if not rose & Command.EXECUTE:
            return
        number = self._control.product
        if self._wanted or not 1 <= number <= len(self._terms.products):  # one change at a time
            self._execution = Execution.FAILED
            return
        self._wanted = self._terms.products[number - 1]
        self._asked = self._active()
        self._execution, self._until_ns = Execution.RUNNING, now_ns + EXECUTE_NS

    def _active(self) -> bool:
        return self._station.product == self._wanted

    def _watch_change(self, now_ns: int) -> None:
        if self._active() and self.fresh(now_ns):
            self._changed(Execution.COMPLETED)
        elif now_ns >= self._until_ns:
            self._changed(Execution.FAILED)

    def _changed(self, how: Execution) -> None:
        """End the change of product; only the Execute that began it hears how."""
        self._wanted = ""
        if self._execution is Execution.RUNNING:
            self._execution = how

    # --- the image -----------------------------------------------------------------------------------------------

    def _key(self, image: Image) -> Key | None:
        valid = image.status & Status.RESULT_VALID
        return Key(self._terms.station, image.run, image.seq) if valid else None

    def _image(self, now_ns: int) -> Image:
        beats = (now_ns - self._terms.started_ns) // HEARTBEAT_NS
        tally, triggered = self.results.tally, self._triggered or _NO_KEY
        standing = self.results.standing
        return replace(
            _SAFE if standing is None else self._result(standing),
            status=self._station_bits(now_ns)
            | self._answer_bits()
            | _result_bits(standing)
            | _set((Status.HEARTBEAT, beats & 1)),
            heartbeat=beats & UINT16_MAX,
            queued=len(self.results.waiting),
            triggered_run=triggered.run,
            triggered_seq=triggered.seq,
            triggers=tally.triggers,
            passes=tally.shown[Verdict.PASS],
            fails=tally.shown[Verdict.FAIL],
            undecided=tally.shown[Verdict.UNDECIDED],
            echo=self._control.heartbeat,
        )

    def _result(self, standing: Shown) -> Image:
        result, products = standing.result, self._terms.products
        return Image(
            run=result.key.run,
            seq=result.key.seq,
            reason=result.reason,
            per_mille=per_mille(result),
            score=result.score if math.isfinite(result.score) else math.nan,
            fingerprint=_fingerprint(result.fingerprint),
            product=products.index(result.product) + 1 if result.product in products else 0,
            part_id=result.part_id,
            latency_ms=min((standing.since_ns - result.t_ns) // _MS, UINT16_MAX),
        )

    def _station_bits(self, now_ns: int) -> Status:
        fresh, station = self.fresh(now_ns), self._station
        return _set(
            (Status.READY, self.ready(now_ns)),
            (Status.ONLINE, fresh),
            (Status.BUSY, self.results.busy),
            (Status.DEGRADED, fresh and station.degraded),
            (Status.FAULT, (fresh and station.fault) or self.stands(now_ns)),
        )

    def _answer_bits(self) -> Status:
        return _set(
            (Status.OVERRUN, self.results.overrun),
            (Status.MISSED_TRIGGER, self._missed),
            (Status.TRIGGER_ACK, self._trigger_ack),
            (Status.EXECUTE_COMPLETED, self._execution is Execution.COMPLETED),
            (Status.EXECUTE_FAILED, self._execution is Execution.FAILED),
        )


def _result_bits(standing: Shown | None) -> Status:
    """PASS: Pass alone. FAIL and UNDECIDED: Fail alone. Nothing stands: neither, and no ResultValid."""
    if standing is None:
        return NOTHING
    result = standing.result
    passed = result.verdict is Verdict.PASS
    return _set(
        (Status.RESULT_VALID, True),
        (Status.PASS, passed),
        (Status.FAIL, not passed),
        (Status.RECHECK, result.reason is Reason.RECHECK),
        (Status.LATE, result.late),
    )


def _set(*bits: tuple[Status, object]) -> Status:
    return Status(sum(bit for bit, on in bits if on))


def _fingerprint(text: str) -> int:
    return int(text, 16) if len(text) == 16 and set(text) <= set("0123456789abcdef") else 0
