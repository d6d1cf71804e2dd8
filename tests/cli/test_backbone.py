"""Backbones on the command line: which there are, and what is refused before torch is even looked for."""

import importlib.util
from pathlib import Path

import pytest

from calibration import catalogue, graphs
from tests.cli.typed import inspectd


@pytest.fixture
def bare(line: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the extra `export`."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("torch", "torchvision") else found(name))
    return line


def test_the_backbones_are_listed_with_their_layers_and_where_they_come_from(line: Path) -> None:
    """Shipped ones, and those added to the state directory; graphs cut for stations are none."""
    own = line / "state" / "backbones"
    own.mkdir(parents=True)
    (own / "lite1.onnx").write_bytes((graphs.SHIPPED / "lite0.onnx").read_bytes())
    graphs.store(own, b"a cut graph")
    result = inspectd("backbone", "list")
    assert result.exit_code == 0
    heads = [row.split() for row in result.stdout.splitlines() if "shipped" in row or "added" in row]
    assert [head[:2] for head in heads] == [["lite0", "shipped"], ["lite2", "shipped"], ["lite1", "added"]]
    assert heads[0][2:] == ["2.8", "0", "16", "2"]


def test_the_list_ends_with_what_could_be_added(line: Path) -> None:
    """Whoever looks for resnet50 finds the command."""
    told = inspectd("backbone", "list").stderr
    assert told == f"inspectd backbone add NAME adds one of {', '.join(catalogue.ADDABLE)}\n"


def test_without_the_extra_one_message_names_it_and_nothing_is_written(bare: Path) -> None:
    """No traceback out of an import."""
    result = inspectd("backbone", "add", "resnet18")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "needs torch, torchvision" in result.stderr
    assert "pip install 'inspectd[cpu,export]'" in result.stderr
    assert not (bare / "state").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resnet34"], "backbone resnet34 is not known: expected one of lite1, resnet18, resnet50"),
        (["lite0"], "backbone lite0 is shipped: expected one of lite1"),
        (["resnet18", "--random-weights", "--weights", "own.pth"], "expected one of them, got both"),
    ],
)
def test_what_cannot_be_added_is_refused_before_torch_is_looked_for(bare: Path, words: list[str], message: str) -> None:
    """The message says what could be."""
    result = inspectd("backbone", "add", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_station_file_takes_the_names_of_the_catalogue(line: Path) -> None:
    """Torchvision's names have underscores; one that was not added yet is missed, not misspelt."""
    path = line / "stations" / "flange.yaml"
    path.write_text(path.read_text() + "method: {backbone: wide_resnet50_2, layers: [2, 3]}\n")
    result = inspectd("check")
    assert result.exit_code == 2
    assert "backbone add" in result.output
