"""The ledger: every trigger gets exactly one verdict, and exactly one line outcome. Pure: the clock is passed in.

    triggers = pass + fail + undecided + in_flight

PASS is earned in one place, `close()`. Silence, staleness, crash, full queue, decode error or a missed deadline end as
UNDECIDED. Every method returns the facts (Opened, Closed, Outcome, Late) that the caller must spool before it acts on them.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from inspectd.wire.enums import LineOutcome, Reason, Verdict
from inspectd.wire.messages import Answer, Checkpoint, Closed, Key, Late, Opened, Outcome, Trigger

MS = 1_000_000
REMEMBERED = 1_000  # closed keys kept to record a late score; beyond that it is only counted
Fact = Opened | Closed | Outcome | Late


class Policy(NamedTuple):
    """What the station file says of time and PLC."""

    deadline_ms: float
    delivery_ms: float
    plc: str  # empty: none


class Assigned(NamedTuple):
    """The bundle by which a trigger must be judged; all empty where the station has none."""

    product: str
    fingerprint: str = ""
    threshold: float = math.nan


@dataclass
class _Entry:
    """A key that is not finished: open, or closed with its line outcome still unknown."""

    opened: Opened
    decide_by_ns: int
    marks: dict[str, float] = field(default_factory=dict)  # frame_ms, sent_ms, scored_ms
    closed: Closed | None = None
    outcome: Outcome | None = None


@dataclass
class _Source:
    run: int = 0
    last_seq: int = 0


class Ledger:
    """Open keys, last keys of every source, and counts by station."""

    def __init__(self, policies: dict[str, Policy], host: str) -> None:
        self._policies = policies
        self._host = host
        self._entries: dict[Key, _Entry] = {}
        self._sources: dict[str, _Source] = {}
        self._deadlines: list[tuple[int, Key]] = []
        self._recent: dict[Key, tuple[Closed, int]] = {}  # with the time of closing
        self._published = 0
        self.counts: dict[str, Counter[str]] = {station: Counter() for station in policies}

    # --- opening -------------------------------------------------------------------------------------------------

    def open(self, trigger: Trigger, assigned: Assigned, now_ns: int) -> list[Fact]:
        """Open a trigger, after opening and closing the gap before it as LOST; nothing for a key it has seen before."""
        key = trigger.key
        facts = self.gap(key.station, key.run, key.seq - 1, assigned, now_ns, trigger.utc_ns)
        source = self._sources[key.station]
        if key.run < source.run or key.seq <= source.last_seq:
            self.counts[key.station]["duplicate_triggers"] += 1
            return facts
        source.last_seq = key.seq
        facts.append(self._enter(trigger, assigned, now_ns))
        if trigger.reason:
            facts += self.close(key, now_ns, reason=trigger.reason)
        return facts

    def gap(self, station: str, run: int, up_to: int, assigned: Assigned, now_ns: int, utc_ns: int) -> list[Fact]:
        """Open and close as LOST every key of this run up to `up_to` that never came; a newer run starts from 1."""
        source = self._sources.setdefault(station, _Source())
        if run > source.run:
            source.run, source.last_seq = run, 0
        facts: list[Fact] = []
        while run == source.run and source.last_seq < up_to:
            source.last_seq += 1
            key = Key(station, run, source.last_seq)
            facts.append(self._enter(Trigger(key=key, t_ns=now_ns, utc_ns=utc_ns), assigned, now_ns))
            facts += self.close(key, now_ns, reason=Reason.LOST)
        return facts

    def _enter(self, trigger: Trigger, assigned: Assigned, now_ns: int) -> Opened:
        policy = self._policies[trigger.key.station]
        opened = Opened(
            key=trigger.key, t_ns=trigger.t_ns, utc_ns=trigger.utc_ns, host=self._host, part_id=trigger.part_id,
            lot=trigger.lot, product=assigned.product, deadline_ms=policy.deadline_ms, fingerprint=assigned.fingerprint,
            threshold=assigned.threshold, plc=policy.plc, opened_ms=(now_ns - trigger.t_ns) / MS,
        )  # fmt: skip
        self._keep(opened)
        self.counts[trigger.key.station]["triggers"] += 1
        return opened

    def _keep(self, opened: Opened) -> _Entry:
        delivery_ms = self._policies[opened.key.station].delivery_ms if opened.key.station in self._policies else 0.0
        entry = _Entry(opened, opened.t_ns + int((opened.deadline_ms - delivery_ms) * MS))
        self._entries[opened.key] = entry
        heapq.heappush(self._deadlines, (entry.decide_by_ns, opened.key))
        return entry

    # --- what happens to an open key -------------------------------------------------------------------------------

    def opened(self, key: Key) -> Opened | None:
        """Return what was opened if the key is still open (no verdict yet)."""
        entry = self._entries.get(key)
        return entry.opened if entry and entry.closed is None else None

    def knows(self, key: Key) -> bool:
        """Tell whether this key was ever opened."""
        source = self._sources.get(key.station)
        return source is not None and (key.run < source.run or (key.run == source.run and key.seq <= source.last_seq))

    def mark(self, key: Key, step: str, now_ns: int) -> None:
        """Note when a step (frame_ms, sent_ms, scored_ms) was reached, if the key is still open."""
        entry = self._entries.get(key)
        if entry and entry.closed is None:
            entry.marks[step] = (now_ns - entry.opened.t_ns) / MS

    def assigned_frame(self, key: Key) -> tuple[int, Key, str]:
        """When this open key must have its verdict, the key, and the fingerprint by which it is judged."""
        entry = self._entries[key]
        return entry.decide_by_ns, key, entry.opened.fingerprint

    def decide_by_ns(self, key: Key) -> int:
        """When this open key must have its verdict, so that it can still be delivered in time."""
        return self._entries[key].decide_by_ns

    # --- closing ----------------------------------------------------------------------------------------------------

    def close(
        self, key: Key, now_ns: int, answer: Answer | None = None, reason: Reason = Reason.NONE, worker: str = ""
    ) -> list[Fact]:
        """Give a key its verdict; the only place where PASS is earned. A key that has one keeps it."""
        entry = self._entries.get(key)
        if entry is None or entry.closed is not None:
            return self._second(key, answer, now_ns)
        opened = entry.opened
        verdict, why = Verdict.UNDECIDED, self._refusal(entry, answer, reason, now_ns)
        if answer is not None and not why:
            verdict, why = self._compare(answer.score, opened.threshold, answer.recheck)
        self._published += 1
        entry.closed = Closed(
            key=key, utc_ns=opened.utc_ns, verdict=verdict, reason=why, text=answer.text if answer else "",
            score=answer.score if answer else math.nan, threshold=opened.threshold, fingerprint=opened.fingerprint,
            recheck=answer.recheck if answer else None, outline=answer.outline if answer else None,
            part_id=opened.part_id, product=opened.product, worker=worker, batch=answer.batch if answer else 0,
            closed_ms=(now_ns - opened.t_ns) / MS, n=self._published, **entry.marks,
        )  # fmt: skip
        self.counts[key.station][verdict.lower()] += 1
        if why:
            self.counts[key.station][f"reason.{why.name.lower()}"] += 1
        self._remember(entry.closed, now_ns)
        return [entry.closed, *self._outcome_at_close(entry)]

    @staticmethod
    def _refusal(entry: _Entry, answer: Answer | None, reason: Reason, now_ns: int) -> Reason:
        """Why this key cannot be judged; NONE if everything that PASS needs is there."""
        if answer is None:
            return reason or Reason.LATE
        if now_ns > entry.decide_by_ns:
            return Reason.LATE
        if reason or answer.reason:
            return reason or answer.reason
        if not entry.opened.fingerprint or answer.fingerprint != entry.opened.fingerprint:
            return Reason.WRONG_BUNDLE
        finite = math.isfinite(answer.score) and math.isfinite(entry.opened.threshold)
        return Reason.NONE if finite else Reason.BAD_SCORE

    @staticmethod
    def _compare(score: float, threshold: float, recheck: float | None) -> tuple[Verdict, Reason]:
        """Below the threshold a part passes, unless the score lies in the recheck band, or a band that is none (NaN)."""
        if not score < threshold:
            return Verdict.FAIL, Reason.NONE
        if recheck is not None and not score < recheck:
            return Verdict.UNDECIDED, Reason.RECHECK
        return Verdict.PASS, Reason.NONE

    def _second(self, key: Key, answer: Answer | None, now_ns: int) -> list[Fact]:
        """Handle a second close of a key: counted, changes nothing; a late score is recorded as late."""
        self.counts.setdefault(key.station, Counter())["second_closes"] += 1
        closed, closed_ns = self._recent.get(key, (None, 0))
        if answer is None or closed is None or closed.reason is not Reason.LATE or not math.isfinite(answer.score):
            return []
        self.counts[key.station]["late_scores"] += 1
        return [Late(key=key, utc_ns=closed.utc_ns, score=answer.score, late_ms=(now_ns - closed_ns) / MS)]

    def _remember(self, closed: Closed, now_ns: int) -> None:
        self._recent[closed.key] = closed, now_ns
        if len(self._recent) > REMEMBERED:
            del self._recent[next(iter(self._recent))]

    def expire(self, now_ns: int) -> list[Fact]:
        """Close every key whose time is over: NO_FRAME if its picture never came, else LATE."""
        facts: list[Fact] = []
        while self._deadlines and self._deadlines[0][0] < now_ns:
            _, key = heapq.heappop(self._deadlines)
            entry = self._entries.get(key)
            if entry and entry.closed is None:
                came = "frame_ms" in entry.marks
                facts += self.close(key, now_ns, reason=Reason.LATE if came else Reason.NO_FRAME)
        return facts

    def close_all(self, now_ns: int, reason: Reason, station: str = "") -> list[Fact]:
        """Close every open key for one reason, those of one station if it is named."""
        open_ = (key for key, entry in self._entries.items() if entry.closed is None)
        left = [key for key in open_ if station in ("", key.station)]
        return [fact for key in left for fact in self.close(key, now_ns, reason=reason)]

    def next_deadline_ns(self) -> int | None:
        """When `expire` will have work next; None if nothing is open."""
        while self._deadlines and self.opened(self._deadlines[0][1]) is None:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    # --- line outcomes -----------------------------------------------------------------------------------------------

    def settle(self, key: Key, outcome: LineOutcome, t_ms: float) -> list[Fact]:
        """Record what the line saw; the first outcome of a key counts. It may come before our own verdict, never instead."""
        entry = self._entries.get(key)
        if entry is None or entry.outcome is not None:
            self.counts.setdefault(key.station, Counter())["second_outcomes"] += 1
            return []
        entry.outcome = Outcome(key=key, outcome=outcome, t_ms=t_ms, utc_ns=entry.opened.utc_ns)
        self.counts[key.station][f"outcome.{outcome.value}"] += 1
        if entry.closed is not None:
            del self._entries[key]
        return [entry.outcome]

    def _outcome_at_close(self, entry: _Entry) -> list[Fact]:
        if entry.outcome is not None:
            del self._entries[entry.opened.key]
            return []
        if not entry.opened.plc:
            return self.settle(entry.opened.key, LineOutcome.NO_PLC, (entry.closed.closed_ms if entry.closed else math.nan))
        return []

    def settle_gone(self, plc: str, now_ns: int, gone_ms: float) -> list[Fact]:
        """Settle as PLC_DOWN what is closed and past its deadline by so much that a PLC which is away cannot have seen it."""
        facts: list[Fact] = []
        for opened, closed in list(self.unfinished(plc)):
            age_ms = (now_ns - opened.t_ns) / MS
            if closed and age_ms > opened.deadline_ms + gone_ms:
                facts += self.settle(opened.key, LineOutcome.PLC_DOWN, age_ms)
        return facts

    def give_up(self) -> list[Fact]:
        """Settle all that is closed and was never taken as PLC_DOWN: at the end, when nobody is left to take it."""
        waiting = [key for key, entry in self._entries.items() if entry.closed is not None]
        return [fact for key in waiting for fact in self.settle(key, LineOutcome.PLC_DOWN, math.nan)]

    # --- what others ask -----------------------------------------------------------------------------------------------

    def unfinished(self, plc: str) -> Iterator[tuple[Opened, Closed | None]]:
        """Yield every key of a PLC whose outcome is unknown, oldest first: what a new plcd must be told."""
        for entry in self._entries.values():
            if entry.opened.plc == plc and entry.outcome is None:
                yield entry.opened, entry.closed

    @property
    def in_flight(self) -> int:
        """How many keys have no verdict."""
        return sum(entry.closed is None for entry in self._entries.values())

    def in_flight_of(self, station: str) -> int:
        """How many keys of a station have no verdict."""
        return sum(entry.closed is None for key, entry in self._entries.items() if key.station == station)

    @property
    def unsettled(self) -> int:
        """How many keys have no line outcome."""
        return sum(entry.outcome is None for entry in self._entries.values())

    def figures(self) -> dict[str, float]:
        """Return every count by its dotted name: of the whole line, and `station.<name>.<what>`."""
        found: dict[str, float] = {"in_flight": self.in_flight, "unsettled": self.unsettled}
        for station, counts in self.counts.items():
            run, seq = self.last_key(station)
            more = {"run": run, "seq": seq, "in_flight": self.in_flight_of(station)}
            found |= {f"station.{station}.{what}": n for what, n in {**counts, **more}.items()}
        return found

    def last_key(self, station: str) -> tuple[int, int]:
        """Run and last seq heard of a station's source; (0, 0) if none."""
        source = self._sources.get(station, _Source())
        return source.run, source.last_seq

    # --- restarts ------------------------------------------------------------------------------------------------------

    def checkpoint(self, utc_ns: int) -> Checkpoint:
        """Everything a new dispatch must know, in one record."""
        entries = self._entries.values()
        return Checkpoint(
            utc_ns=utc_ns,
            opened=[e.opened for e in entries],
            closed=[e.closed for e in entries if e.closed is not None],
            outcomes=[e.outcome for e in entries if e.outcome is not None],
            sources={station: (s.run, s.last_seq) for station, s in self._sources.items()},
            counts={station: dict(counter) for station, counter in self.counts.items()},
        )

    def replay(self, records: Iterable[object]) -> None:
        """Take over from a dispatch that died: read its spool from the newest checkpoint on."""
        for record in records:
            self._replay(record)

    def close_open(self, now_ns: int) -> list[Fact]:
        """Close as RESTART what the dispatch before left open; its answers will not come."""
        return self.close_all(now_ns, Reason.RESTART) + self._settle_other_boots()

    def _replay(self, record: object) -> None:
        match record:
            case Checkpoint():
                self._replay_checkpoint(record)
            case Opened(key=key):
                source = self._sources.setdefault(key.station, _Source())
                if (key.run, key.seq) > (source.run, source.last_seq):
                    source.run, source.last_seq = key.run, key.seq
                    self._keep(record)
                    self.counts.setdefault(key.station, Counter())["triggers"] += 1
            case Closed(key=key):
                entry = self._entries.get(key)
                if entry and entry.closed is None:
                    entry.closed = record
                    self._published = max(self._published, record.n)
                    self.counts[key.station][record.verdict.lower()] += 1
                    if record.reason:
                        self.counts[key.station][f"reason.{record.reason.name.lower()}"] += 1
                    self._finish(entry)
            case Outcome(key=key, outcome=outcome):
                entry = self._entries.get(key)
                if entry and entry.outcome is None:
                    entry.outcome = record
                    self.counts[key.station][f"outcome.{outcome.value}"] += 1
                    self._finish(entry)

    def _finish(self, entry: _Entry) -> None:
        if entry.closed is not None and entry.outcome is not None:
            del self._entries[entry.opened.key]

    def _replay_checkpoint(self, point: Checkpoint) -> None:
        self._entries.clear()
        self._deadlines.clear()
        self._sources = {station: _Source(run, seq) for station, (run, seq) in point.sources.items()}
        for station, counts in point.counts.items():
            self.counts[station] = Counter(counts)
        for opened in point.opened:
            self._keep(opened)
        for closed in point.closed:
            self._entries[closed.key].closed = closed
            self._published = max(self._published, closed.n)
        for outcome in point.outcomes:
            self._entries[outcome.key].outcome = outcome

    def _settle_other_boots(self) -> list[Fact]:
        """Settle what was opened before the machine booted: its times mean nothing now, and the line has moved on."""
        gone = [key for key, entry in self._entries.items() if entry.opened.host != self._host and entry.closed]
        return [fact for key in gone for fact in self.settle(key, LineOutcome.PLC_DOWN, math.nan)]
