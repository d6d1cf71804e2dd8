"""What a calibration takes of the memory is told before it starts, and what is too much refused with what would fit."""

import re
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration import bank, fitting, memory
from calibration.features import Extractor
from calibration.job import Job, Options
from calibration.memory import Knob, Size, Taken
from inspectd.errors import BadInput, ConfigError, StateError
from inspectd.vision.methods import judges
from tests.calibration import parts
from tests.calibration.parts import METHOD, Watch

STATION = "station: lid\nmethod:\n  kind: {kind}\n  bank: 50%\n"


def asked(tmp_path: Path, **changes: object) -> Job:
    method = msgspec.structs.replace(METHOD, **changes)
    (tmp_path / "lid.yaml").write_text(STATION.format(kind=method.kind))
    config = parts.config(tmp_path, method=method)
    return Job(config.stations["lid"], "default", tmp_path / "lid.yaml", Options(), "max_false_reject")


class Seen:
    """As much as 40 pictures of 28 x 28 patches of 152 channels give, without pictures."""

    PICTURES, SIDE, CHANNELS = 40, 28, 152

    def __init__(self) -> None:
        shape = (self.PICTURES, self.SIDE, self.SIDE, self.CHANNELS)
        self.kept = np.random.default_rng(0).standard_normal(shape, np.float32)
        backbone = SimpleNamespace(channels=self.CHANNELS)
        self.extractor = SimpleNamespace(patches=784, grid=(28, 28), judged=None, backbone=backbone)

    def vectors(self, members: np.ndarray) -> np.ndarray:
        return self.kept[members]

    def candidates(self, members: np.ndarray, _budget: int, _seed: int) -> np.ndarray:
        return self.drawn(members)

    def drawn(self, members: np.ndarray) -> np.ndarray:
        return self.kept[members].reshape(-1, self.CHANNELS)

    def standard(self, _members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(self.CHANNELS, np.float32), np.ones(self.CHANNELS, np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"bank": "100%"},
        {"bank": "30%", "sampler": "random"},
        {"bank": 200},
        {"bank": 200, "sampler": "proxy"},
        {"kind": "padim"},
        {"kind": "spade"},
    ],
)  # fmt: skip
def test_the_estimate_holds_for_what_is_really_taken(changes: dict[str, object]) -> None:
    """With the sample that is drawn, a fit and its judge take no more than was said, nor less than a third of it."""
    method, seen = msgspec.structs.replace(METHOD, **changes), Seen()
    sample = bank.candidates(method, 40 * 784) * 152 * 4
    tracemalloc.start()
    fitted = fitting.fit(seen, np.arange(40), method, 0, lambda _done: None)
    judges.judge(method.kind, method, fitted, None)
    taken = tracemalloc.get_traced_memory()[1] + sample
    tracemalloc.stop()
    blocks = 24 << 20  # of products, whatever the pictures
    assert taken - blocks <= memory.needed(method, Size(40, 784, 152, 1)) <= 3 * taken


def test_it_is_told_before_anything_is_computed(extractor: Extractor, tmp_path: Path) -> None:
    """What it takes, what is taken, and what is free."""
    watch = Watch()
    memory.check(asked(tmp_path), [extractor], 100, tmp_path, watch)
    assert len(watch.notes) == 1
    gigabytes = r"\d+(\.\d+)? GB"
    said = rf"memory: at most about {gigabytes}, {gigabytes} of it taken already; {gigabytes} are free"
    assert re.fullmatch(said, watch.notes[0])


def test_a_bank_larger_than_the_memory_names_the_share_that_would_fit(
    extractor: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With file, line and key; and that share is then taken."""
    monkeypatch.setattr(memory, "available", lambda: 3_000_000_000)
    with pytest.raises(ConfigError) as caught:
        memory.check(asked(tmp_path, bank="50%"), [extractor], 60_000, tmp_path, Watch())
    problem = caught.value.problems[0]
    assert (problem.line, problem.key, problem.file) == (4, "method.bank", tmp_path / "lid.yaml")
    said = r"fits into the 2\.\d GB that pictures and patch vectors leave of 3 GB of free memory, got 50%, about \d\d GB"
    assert re.search(said, str(problem))
    share = problem.hint.removesuffix(" fits")
    memory.check(asked(tmp_path, bank=share), [extractor], 60_000, tmp_path, Watch())
    more = f"{float(share.removesuffix('%')) * 2:g}%"
    with pytest.raises(ConfigError):
        memory.check(asked(tmp_path, bank=more), [extractor], 60_000, tmp_path, Watch())


@pytest.mark.parametrize("kind", ["patchcore", "padim", "spade"])
def test_what_no_bank_would_help_is_said_of_the_input(
    kind: str, extractor: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pictures and patch vectors alone are too much, no share is named, and no 0 GB; a small bank changes nothing."""
    monkeypatch.setattr(memory, "available", lambda: 100_000_000)
    for bank_ in ("50%", 16) if kind == "patchcore" else (METHOD.bank,):
        with pytest.raises(ConfigError) as caught:
            memory.check(asked(tmp_path, kind=kind, bank=bank_), [extractor], 100, tmp_path, Watch())
        (problem,) = caught.value.problems
        assert (problem.key, problem.line) == ("method.input_px", 2)
        assert problem.expected.startswith("pictures and patch vectors that fit into 0.1 GB of free memory")
        assert re.fullmatch(r"64 with layers \[4, 10\], at least about 0\.\d+ GB", problem.got)
        assert "fewer layers" in problem.hint


@pytest.mark.parametrize(("kind", "less"), [("padim", "channels"), ("spade", "pictures")])
def test_methods_without_a_bank_say_what_takes_less(
    kind: str, less: str, extractor: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have no share to name."""
    monkeypatch.setattr(memory, "available", lambda: 10_000_000 + memory.beside([extractor], 100, 1))
    with pytest.raises(
        ConfigError, match=f"method.kind: expected what fits into the 0.0061 GB.*got {kind}, about .*fewer {less}"
    ):
        memory.check(asked(tmp_path, kind=kind), [extractor], 100, tmp_path, Watch())


def test_several_members_share_the_memory(extractor: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that would fit alone does not fit beside what stays of another: patch vectors and what it judges by."""
    monkeypatch.setattr(Job, "methods", property(lambda _self: [(("method", "members", str(i)), METHOD) for i in range(2)]))
    size, vectors = Size(100, extractor.patches, 152, 1), 100 * 64 * 152 * 4
    both = vectors + memory.remaining(METHOD, size) + vectors + memory.needed(METHOD, size)
    monkeypatch.setattr(memory, "available", lambda: both + memory.beside([extractor] * 2, 100, 1))
    memory.check(asked(tmp_path), [extractor, extractor], 100, tmp_path, Watch())
    monkeypatch.setattr(memory, "available", lambda: both - 3_000_000 + memory.beside([extractor] * 2, 100, 1))
    with pytest.raises(ConfigError) as caught:
        memory.check(asked(tmp_path), [extractor, extractor], 100, tmp_path, Watch())
    assert [problem.key for problem in caught.value.problems] == ["method.members.1.input_px"]
    assert "patch vectors and the members before it" in caught.value.problems[0].expected


def test_what_is_free_is_read_from_the_machine() -> None:
    """Some of it, and less than there is."""
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert 0 < memory.available() < total


def test_an_index_takes_more_while_it_is_trained() -> None:
    """Residuals and tables of the bank beside it, in every fold that is fitted."""
    exact, indexed = (msgspec.structs.replace(METHOD, bank=50_000, search=search) for search in ("exact", "ivfpq"))
    size = Size(100, 784, 152, 2)
    assert memory.needed(indexed, size) - memory.needed(exact, size) == 2 * 2 * 50_000 * 152 * 4


@given(free=st.integers(1, 3_000_000), train=st.integers(1, 5000), largest=st.integers(1000, 400_000))
def test_a_command_that_takes_too_much_is_told_numbers_that_fit(free: int, train: int, largest: int) -> None:
    """Each named number fits with the others as they were, and a tenth more of it would not; what fits is not refused."""

    def needs(train: int, largest: int) -> Taken:
        return Taken(300 * train + 5 * largest)

    watch, knobs = Watch(), [Knob("--train", train), Knob("--largest", largest, 1000)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "available", lambda: free)
        if needs(train, largest).memory <= free:
            memory.check_knobs(needs, knobs, watch)
            return
        with pytest.raises(BadInput, match=rf"^--train {train} --largest {largest}: expected what fits") as caught:
            memory.check_knobs(needs, knobs, watch)
    assert watch.notes[0].startswith("memory: at most about")
    named = {name: int(number) for name, number in re.findall(r"(--\w+) (\d+)(?= or| fits)", str(caught.value).split("(")[1])}
    for name, other in (("--train", 5 * largest), ("--largest", 300 * train)):
        each, least = (300, 1) if name == "--train" else (5, 1000)
        if name in named:
            assert each * named[name] + other <= free < each * (1.1 * named[name] + 1) + other
        else:
            assert each * least * 1.1 + other > free
    assert named or "smaller input_px, a larger stride, or less of each" in str(caught.value)


def test_what_lies_on_disk_must_fit_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patch vectors that memory does not hold are no reason to fill a disk."""
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=1_000_000))
    with pytest.raises(StateError, match=r"expected 0\.002 GB of free disk for patch vectors"):
        memory.check_knobs(lambda _train: Taken(1, 2_000_000), [Knob("--train", 3)], Watch())
