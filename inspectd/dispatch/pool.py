"""What dispatch knows of its workers: places, what they hold, what they have in work, and who is overdue. Pure.

A worker's state replaces what was known, it is never added to. A death is known from the supervisor, from a failed send, or
from an answer overdue by 3 x p95 + 200 ms; its frames go out once more. A frame that two workers did not survive is poison;
a worker that is merely late has survived it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from inspectd.dispatch.batching import Waiting, choose, estimate
from inspectd.wire.messages import Held, Key, Refusal, WorkerState

MS = 1_000_000
GRACE_MS = 200.0
SILENT_MS = 60_000.0  # a worker that says nothing for so long (it reports every 200 ms, also while it loads) is forgotten


@dataclass
class _Batch:
    keys: list[Key]
    overdue_ns: int


@dataclass
class Worker:
    """One worker process, by its socket identity (new at each start)."""

    name: str
    held: dict[str, Held] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)
    p95_ms: dict[str, float] = field(default_factory=dict)
    places: int = 0
    sent: int = 0  # Work messages sent to it
    seen: int = 0  # Work messages it says it has taken
    told: int = -1  # version of the Hold it was told
    suspect: bool = False
    heard_ns: int = 0
    batches: list[_Batch] = field(default_factory=list)
    overdue: set[Key] = field(default_factory=set)  # frames it owes an answer for that went elsewhere meanwhile

    @property
    def free(self) -> int:
        """Places it offers; none until it has seen all that was sent to it."""
        return self.places if self.seen == self.sent and not self.suspect else 0


class Pool:
    """All workers that dispatch has heard of."""

    def __init__(self) -> None:
        self.workers: dict[bytes, Worker] = {}
        self.attempts: dict[Key, int] = {}
        self.deaths: dict[Key, int] = {}

    def heard(self, identity: bytes, state: WorkerState, session: str, now_ns: int) -> Worker:
        """Take a worker's whole state; one of another session has no places until it has been told ours."""
        worker = self.workers.setdefault(identity, Worker(state.name))
        worker.heard_ns = now_ns
        worker.held, worker.refused, worker.p95_ms = state.held, state.refused, state.p95_ms
        ours = state.session == session
        worker.places = state.places if ours else 0
        worker.seen = state.received if ours else -1
        worker.suspect = False
        if not ours:
            worker.told = -1
        return worker

    def pick(self, fingerprint: str) -> bytes | None:
        """Choose the free worker with the least in work that holds this bundle; None if there is none."""
        able = [(sum(len(b.keys) for b in w.batches), i) for i, w in self.workers.items() if w.free and fingerprint in w.held]
        return min(able)[1] if able else None

    def next_batch(self, frames: Iterable[tuple[int, Key, str]], now_ns: int) -> tuple[bytes, list[Key], str] | None:
        """Choose a worker and its next batch (identity, keys, batch key) from frames of (decide_by_ns, key, fingerprint)."""
        able: dict[str, bytes | None] = {}
        waiting: list[tuple[Waiting, str]] = []
        for decide_by_ns, key, fingerprint in frames:
            if fingerprint not in able:
                able[fingerprint] = self.pick(fingerprint)
            if able[fingerprint] is not None:
                waiting.append((Waiting(decide_by_ns, key, self.batch_key(fingerprint)), fingerprint))
        for identity in {identity for identity in able.values() if identity is not None}:
            worker = self.workers[identity]
            mine = [frame for frame, fingerprint in waiting if fingerprint in worker.held]
            chosen = choose(mine, worker.free, partial(estimate, worker.p95_ms), now_ns)
            if chosen:
                return identity, [frame.key for frame in chosen], chosen[0].batch_key
        return None

    def sent(self, identity: bytes, keys: list[Key], batch_key: str, now_ns: int) -> None:
        """Note a batch that went out, and when its answer is overdue."""
        worker = self.workers[identity]
        before = sum(len(batch.keys) for batch in worker.batches)
        expected = estimate(worker.p95_ms, batch_key, before + len(keys))
        worker.sent += 1
        worker.batches.append(_Batch(keys, now_ns + int((3 * expected + GRACE_MS) * MS)))
        for key in keys:
            self.attempts[key] = self.attempts.get(key, 0) + 1

    def answered(self, identity: bytes, keys: Iterable[Key]) -> None:
        """Note that a worker answered for these keys."""
        done = set(keys)
        worker = self.workers.get(identity)
        if worker:
            worker.batches = [batch for batch in worker.batches if not done & set(batch.keys)]
        self.forget(done)

    def forget(self, keys: Iterable[Key]) -> None:
        """Drop what is known of keys that are answered or closed."""
        for key in keys:
            self.attempts.pop(key, None)
            self.deaths.pop(key, None)
            for worker in self.workers.values():
                worker.overdue.discard(key)

    def died(self, identity: bytes) -> list[Key]:
        """Remove a worker; returns the frames that it did not survive."""
        worker = self.workers.pop(identity, None)
        if worker is None:
            return []
        keys = [key for batch in worker.batches for key in batch.keys] + sorted(worker.overdue)
        for key in keys:
            self.deaths[key] = self.deaths.get(key, 0) + 1
        return keys

    def died_by_name(self, name: str) -> list[Key]:
        """Remove every identity of a worker whose process ended."""
        gone = [identity for identity, worker in self.workers.items() if worker.name == name]
        return [key for identity in gone for key in self.died(identity)]

    def overdue(self, now_ns: int) -> list[Key]:
        """Collect the frames whose answers are overdue; their workers get nothing until they are heard again."""
        keys: list[Key] = []
        for worker in self.workers.values():
            late = [batch for batch in worker.batches if batch.overdue_ns < now_ns]
            if late:
                worker.suspect = True
                worker.batches = [batch for batch in worker.batches if batch not in late]
                owed = [key for batch in late for key in batch.keys]
                worker.overdue.update(owed)
                keys += owed
        for identity in [i for i, w in self.workers.items() if now_ns - w.heard_ns > SILENT_MS * MS]:
            keys += self.died(identity)
        return keys

    def poisoned(self, key: Key) -> bool:
        """Tell whether two workers did not survive this frame."""
        return self.deaths.get(key, 0) >= 2

    def may_go_again(self, key: Key) -> bool:
        """Tell whether this frame was sent once only: the first answer counts, and two workers may owe it."""
        return self.attempts.get(key, 0) < 2

    def refusals(self, fingerprint: str) -> list[tuple[str, Refusal]]:
        """Who refused this bundle, by name, and why."""
        said = ((worker.name, worker.refused.get(fingerprint)) for worker in self.workers.values())
        return [(name, no) for name, no in said if no]

    def holders(self, fingerprint: str) -> int:
        """How many live workers hold this bundle."""
        return sum(fingerprint in worker.held for worker in self.workers.values())

    def batch_key(self, fingerprint: str) -> str:
        """Batch key of a bundle, from any worker that holds it; empty if none does."""
        return next((w.held[fingerprint].batch_key for w in self.workers.values() if fingerprint in w.held), "")
