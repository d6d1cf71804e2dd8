"""One station's handshake between a scripted dispatch and a scripted PLC, on a clock that only the test moves."""

from inspectd.plc.handshake import Fire, Handshake, Select, Terms
from inspectd.plc.registers import Command, Control, Image, Status
from inspectd.wire.enums import LineOutcome
from inspectd.wire.messages import Closed, Key, Opened, StationBeat
from tests.plc import facts
from tests.plc.facts import MS, START_NS


class Bench:
    """`bus` is what the PLC sees at present; `outcomes` what the handshake said so far, by key."""

    def __init__(self, **terms: object) -> None:
        self.handshake = Handshake(Terms(facts.STATION, START_NS, 200.0, **terms))  # type: ignore[arg-type]
        self.now_ns = START_NS
        self.bus = Image()
        self.outcomes: dict[Key, LineOutcome] = {}
        self.dispatch_has_all = True  # every trigger numbered here is acknowledged
        self.requests: list[Fire | Select] = []
        self._happened: list[tuple[str, object, Image]] = []

    # --- the PLC: what it does stands in the order of the bus until the next turn ----------------------------------

    def read(self, whole: bool = True) -> Image:
        """The PLC reads the block."""
        self._happened.append(("read", whole, self.bus))
        return self.bus

    def write(self, word: Command = Command(0), **fields: object) -> None:  # noqa: B008 (a number)
        """The PLC writes its control registers."""
        self._happened.append(("write", Control(word, **fields), self.bus))  # type: ignore[arg-type]

    # --- dispatch ---------------------------------------------------------------------------------------------------

    def beat(self, station: StationBeat | None = None) -> None:
        """Dispatch beats."""
        self.handshake.beat(self.now_ns, station or facts.beat())

    def opened(self, fact: Opened) -> None:
        """Dispatch opens a key."""
        self.handshake.results.opened(fact, self.now_ns)

    def closed(self, fact: Closed) -> None:
        """Dispatch closes a key."""
        self.handshake.results.closed(fact, self.now_ns)

    # --- time -------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """The first half of plcd's turn: what the PLC did."""
        happened, self._happened = self._happened, []
        if happened:
            self.handshake.heard(self.now_ns)
        for what, value, image in happened:
            if what == "read":
                self.handshake.read(image, bool(value), self.now_ns)
            else:
                assert isinstance(value, Control)
                self.requests += self.handshake.written(value, image, self.now_ns)
        self.handshake.settle_withdrawn(self.now_ns)
        select = self.handshake.changeover() if self.dispatch_has_all else None
        self.requests += [select] if select else []

    def show(self) -> Image:
        """The second half: the new image, and the outcomes."""
        self.bus = self.handshake.tick(self.now_ns)
        for outcome in self.handshake.results.outcomes:
            assert outcome.key not in self.outcomes, f"a second outcome of {outcome.key}"
            self.outcomes[outcome.key] = outcome.outcome
        self.handshake.results.outcomes.clear()
        return self.bus

    def turn(self, after_ms: float = 0) -> Image:
        """One turn of plcd."""
        self.now_ns += round(after_ms * MS)
        self.look()
        return self.show()

    def live(self, ms: float, step_ms: float = 20, reading: bool = True) -> Image:
        """Let time pass with a healthy dispatch and (`reading`) a PLC that polls the status word alone."""
        end_ns = self.now_ns + round(ms * MS)
        while self.now_ns < end_ns:
            self.beat()
            if reading:
                self.read(whole=False)
            self.turn(min(step_ms, (end_ns - self.now_ns) / MS))
        return self.bus

    def ready(self, word: Command = Command(0)) -> Image:  # noqa: B008 (a number)
        """Bring the station up: dispatch beats, the PLC has read and written once."""
        self.beat()
        self.read()
        self.turn()
        self.write(word)
        return self.turn()

    def part(self, seq: int, closed: Closed | None = None, deadline_ms: float = 200.0) -> Image:
        """A trigger now, and its verdict at once."""
        of = facts.key(seq)
        self.opened(facts.opened(of, self.now_ns, deadline_ms))
        self.closed(closed or facts.closed(of))
        return self.turn()


def shows(image: Image) -> tuple[int, str]:
    """Return seq and the result bits as letters: V(alid), P(ass), F(ail), L(ate), R(echeck)."""
    letters = {Status.RESULT_VALID: "V", Status.PASS: "P", Status.FAIL: "F", Status.LATE: "L", Status.RECHECK: "R"}
    return image.seq, "".join(letter for bit, letter in letters.items() if image.status & bit)
