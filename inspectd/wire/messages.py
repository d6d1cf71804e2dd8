"""Every message body. Units stand in field names: `_ms`, `_ns` (CLOCK_MONOTONIC of the host named), `_px`.

A part's life is three facts, each sent, spooled and published as one of these structs: `Opened`, `Closed`, `Outcome`.
"""

import msgspec

from inspectd.wire.enums import HealthState, LineOutcome, Reason, Verdict


class Key(msgspec.Struct, frozen=True, order=True, array_like=True):
    """A trigger's name: station, run (starts of the source, on disk before the first trigger), seq (from 1, no gaps)."""

    station: str
    run: int
    seq: int

    def __str__(self) -> str:
        return f"{self.station}/{self.run}/{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read `station/run/seq`; ValueError if it is anything else."""
        station, run, seq = text.rsplit("/", 2)
        return cls(station, int(run), int(seq))


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is", omit_defaults=True):
    """Base of all message bodies; the class name travels as the field `is`."""


# --- triggers: sources <-> dispatch -----------------------------------------------------------------------------


class Trigger(Message, frozen=True):
    """A part is there. Kept by the source and sent again until acknowledged."""

    key: Key
    t_ns: int
    utc_ns: int
    part_id: str = ""
    lot: str = ""
    product: str = ""  # empty: the station's active one
    picture: bool = True  # its picture follows on `frames`, or comes when dispatch asks with Shoot
    shoot: bool = False  # the source has no camera (a PLC bit): dispatch asks the station's ingestd for the picture
    reason: Reason = Reason.NONE  # why no picture follows


class NoFrame(Message, frozen=True):
    """The picture of this key will not come. Sent again until acknowledged, like a trigger."""

    key: Key
    reason: Reason


class SourceState(Message, frozen=True):
    """A source's last key: sent at its start and whenever a beat names a new dispatch session."""

    station: str
    run: int
    last_seq: int
    camera: bool = True  # an ingestd (it can shoot), not a plcd


class Ack(Message, frozen=True):
    """dispatch has the trigger (or NoFrame) of this key in its spool."""

    key: Key
    no_frame: bool = False


class Place(Message, frozen=True):
    """dispatch has closed this key: a source that waits for places may send one more."""

    key: Key


class Shoot(Message, frozen=True):
    """dispatch asks the station's ingestd to take the picture for a trigger that another source numbered."""

    key: Key


# --- frames: ingestd -> dispatch; the same on the tap, for whoever captures pictures ----------------------------------


class Frame(Message, frozen=True):
    """One picture; the next part holds its pixels, C-contiguous uint8."""

    key: Key
    shape: tuple[int, ...]  # (H, W) for mono8, (H, W, 3) for rgb8
    pixel_format: str  # mono8 | rgb8
    camera_px: tuple[int, int] = (0, 0)  # (height, width) of the camera's picture, before the roi was cut
    corner: tuple[int, int] = (0, 0)  # (x, y) in it where the roi was cut
    name: str = ""  # where it came from, for people
    n: int = 0  # sequence on the tap, so that a reader sees a loss as a gap


# --- work: dispatch <-> workers ----------------------------------------------------------------------------------


class BundleRef(msgspec.Struct, frozen=True):
    """A bundle on disk that a worker must hold."""

    station: str
    product: str
    fingerprint: str
    path: str
    threshold: float  # with which dispatch compares its scores
    attempt: int = 0  # counts activations: a bundle that was refused is tried again when somebody asks for it again


class Hold(Message, frozen=True):
    """All the bundles a worker must hold from now on (absolute, not a change)."""

    session: str
    bundles: list[BundleRef]


class WorkItem(msgspec.Struct, frozen=True):
    """One frame to score; its pixels are the part at the same place after the header."""

    key: Key
    fingerprint: str
    budget_ms: float  # what is left until dispatch must decide
    shape: tuple[int, ...]
    pixel_format: str
    camera_px: tuple[int, int] = (0, 0)  # as in Frame
    corner: tuple[int, int] = (0, 0)  # as in Frame


class Work(Message, frozen=True):
    """A micro-batch of one batch key; as many pixel parts as items."""

    session: str
    items: list[WorkItem]


Box = tuple[int, int, int, int]  # x, y, width, height in roi pixels


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """Where a heat map reaches the bundle's pixel threshold; areas of 0 where it does nowhere."""

    threshold: float  # of a pixel, in the unit of the score
    area_px: int = 0
    area_mm2: float | None = None  # None: the station file does not say how large a pixel is
    regions: int = 0  # connected, diagonally too
    boxes: tuple[Box, ...] = ()  # around the largest of them, the largest first


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of one frame; its heat map is the part at the same place (empty: none)."""

    key: Key
    fingerprint: str
    score: float = float("nan")
    reason: Reason = Reason.NONE
    text: str = ""  # details of the reason, for people
    map_shape: tuple[int, ...] = ()  # uint16 [H, W] in roi pixels, per mille of the threshold, clamped at 65,535
    recheck: float | None = None  # of the bundle that judged: from here to the threshold the part goes to the rework lane
    outline: Outline | None = None  # None: the bundle has no pixel threshold
    wait_ms: float = 0.0  # in the worker before its batch began
    score_ms: float = 0.0  # the batch, from pixels to score
    batch: int = 0  # how many frames it had


class Answers(Message, frozen=True):
    """The answers to one Work; as many map parts as items."""

    session: str
    items: list[Answer]


class Held(msgspec.Struct, frozen=True):
    """A bundle that a worker has loaded, checked against its golden pictures, and warmed up."""

    batch_key: str  # sha256 of the backbone graph: frames of one key share a forward pass
    threshold: float


class Refusal(msgspec.Struct, frozen=True):
    """A bundle that a worker does not trust."""

    why: str
    attempt: int = 0  # of the BundleRef that was tried


class WorkerState(Message, frozen=True):
    """A worker's whole state, from its work loop, after each batch and every 200 ms when idle."""

    session: str  # the dispatch session it answers to; empty before the first Hold
    name: str  # workerd-1; its socket identity is new at each start
    places: int  # free places, absolute
    received: int  # Work messages of this session that it has taken: places count only once it has seen all that was sent
    held: dict[str, Held]  # by fingerprint
    refused: dict[str, Refusal]  # by fingerprint
    p95_ms: dict[str, float]  # "batch_key:size" -> p95 of the time for such a batch


# --- deliveries: dispatch <-> plcd, and the facts of a part's life ----------------------------------------------------


class Opened(Message, frozen=True):
    """Fact 1: the trigger is in the ledger. Times below are ms since `t_ns`."""

    key: Key
    t_ns: int
    utc_ns: int
    host: str
    part_id: str = ""
    lot: str = ""
    product: str = "default"
    deadline_ms: float = 0.0
    fingerprint: str = ""  # the bundle assigned; empty: none
    threshold: float = float("nan")
    plc: str = ""
    opened_ms: float = 0.0


class Closed(Message, frozen=True):
    """Fact 2: the verdict. Born UNDECIDED."""

    key: Key
    utc_ns: int  # of the trigger: names the journal file
    verdict: Verdict = Verdict.UNDECIDED
    reason: Reason = Reason.NONE
    text: str = ""
    score: float = float("nan")
    threshold: float = float("nan")
    recheck: float | None = None  # as in Answer
    outline: Outline | None = None  # as in Answer
    fingerprint: str = ""
    part_id: str = ""
    product: str = "default"
    worker: str = ""
    batch: int = 0
    frame_ms: float = float("nan")  # the picture was here
    sent_ms: float = float("nan")  # it went to a worker
    scored_ms: float = float("nan")  # the answer came back
    closed_ms: float = float("nan")
    n: int = 0  # PUB sequence, so that a watcher sees a loss as a gap


class Outcome(Message, frozen=True):
    """Fact 3: what the line saw. plcd -> dispatch, sent again until acknowledged."""

    key: Key
    outcome: LineOutcome
    t_ms: float = float("nan")  # when, since the trigger
    utc_ns: int = 0  # of the trigger; dispatch fills it in


class Late(Message, frozen=True):
    """A score that came after its verdict: recorded, changes nothing."""

    key: Key
    utc_ns: int
    score: float
    late_ms: float


class DeliveryAck(Message, frozen=True):
    """plcd has the Opened or the Closed; dispatch has the Outcome."""

    key: Key
    fact: str  # Opened | Closed | Outcome


class PlcState(Message, frozen=True):
    """plcd's hello, at its start and whenever a beat names a new dispatch session."""

    plc: str


# --- beats, pictures ------------------------------------------------------------------------------------------------


class StationBeat(msgspec.Struct, frozen=True):
    """What dispatch knows of one station."""

    ready: bool  # a live worker holds the bundle it is judged by
    fingerprint: str
    product: str
    degraded: str = ""
    fault: str = ""


class Beat(Message, frozen=True):
    """dispatch lives: every 100 ms, from its work loop. A new session means that it started anew."""

    session: str
    n: int
    t_ns: int
    stations: dict[str, StationBeat]


class KeptPicture(Message, frozen=True):
    """A picture for the journal: pixels and map (may be empty) are the two parts after the header."""

    key: Key
    utc_ns: int
    shape: tuple[int, ...]
    pixel_format: str
    map_shape: tuple[int, ...] = ()


# --- orders: supervisor <-> children; control: people -> supervisor ------------------------------------------------


class Health(Message, frozen=True):
    """A child's state, from its work loop, every 200 ms."""

    process: str
    pid: int
    state: HealthState
    reasons: list[str]
    counters: dict[str, float]  # dotted names, e.g. `station.solar-cell.pass`
    channels: dict[str, dict[str, int]]  # channel -> sent, received, refused (full), bad (did not decode)
    done: bool = False  # has nothing left to do: a camera at its end, a drained journal


class Order(Message, frozen=True):
    """The supervisor tells a child to do something: stop, activate, worker_died, camera_died, shoot, note."""

    id: int
    what: str
    args: dict[str, str]


class Done(Message, frozen=True):
    """A child did (or could not do) what it was ordered."""

    id: int
    ok: bool
    text: str = ""


class Command(Message, frozen=True):
    """A person's command: status, activate, trigger, stop, …"""

    what: str
    who: str
    args: dict[str, str]


class Reply(Message, frozen=True):
    """The supervisor's answer to a command; `data` is JSON where figures are asked for."""

    ok: bool
    text: str = ""
    data: str = ""
    bad_input: bool = False  # whoever asked must act: no such command, station, product or bundle


class Commanded(Message, frozen=True):
    """An audit line: who asked for what, when, and what came of it."""

    utc_ns: int
    who: str
    what: str
    args: dict[str, str]
    ok: bool
    text: str


class Checkpoint(Message, frozen=True):
    """The head of a spool segment: all that dispatch must know to go on without older segments."""

    utc_ns: int
    opened: list[Opened]  # all keys that still lack a verdict or a line outcome
    closed: list[Closed]  # the verdicts of those that have one
    outcomes: list[Outcome]  # the outcomes of those that have one: a fail-safe may come before the verdict
    sources: dict[str, tuple[int, int]]  # station -> (run, last seq)
    counts: dict[str, dict[str, int]]  # station -> verdict or outcome -> count


AnyMessage = (
    Trigger | NoFrame | SourceState | Ack | Place | Shoot | Frame | Hold | Work | Answers | WorkerState
    | Opened | Closed | Outcome | Late | DeliveryAck | PlcState | Beat | KeptPicture
    | Health | Order | Done | Command | Reply | Commanded | Checkpoint
)  # fmt: skip
