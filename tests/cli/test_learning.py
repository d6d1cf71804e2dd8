"""What calibration and evaluation print: what an engineer must know, the worst first."""

import pytest

from inspectd.cli import learning
from inspectd.errors import BadInput
from inspectd.station.schema import Method


def test_wrong_verdicts_are_printed_with_their_scores_and_long_lists_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts first, then the names; what is cut can be had in the file."""
    missed = [{"picture": f"scratch/{i}.png", "score": i / 100} for i in range(12)]
    rejected = [{"picture": "good/7.png", "score": 3.0}]
    learning.show_figures({"good": 20, "bad": 30, "missed": missed, "rejected": rejected, "reasons": {}}, None)
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == [["good", "20"], ["bad", "30"]]
    text = "\n".join(" ".join(line) for line in lines)
    assert "bad, but passes scratch/0.png, score 0.0000" in " ".join(text.split())
    assert "scratch/9.png" in text
    assert "scratch/10.png" not in text
    assert "and 2 more: --json FILE names all" in text
    assert "good/7.png, score 3.0000" in text


def test_a_figure_that_is_not_known_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason stands where the figure would."""
    learning.show_figures({"pro": None, "reasons": {"pro": "needs masks"}}, None)
    assert capsys.readouterr().out.split() == ["pro", "not", "known:", "needs", "masks"]


def test_every_setting_that_cannot_be_is_told_as_it_was_typed() -> None:
    """Both at once, each with its option, its bounds and what came."""
    with pytest.raises(BadInput) as caught:
        learning.method(["sigma=3"], input_px="97", layers="4,10", bank="1", sampler="greedy", score=None)
    input_px, bank = str(caught.value).splitlines()
    assert input_px.startswith("--input-px: expected a whole number from 64 to 1600, a multiple of 32")
    assert input_px.endswith("got 97")
    assert bank.startswith("--bank: expected ")
    assert ", got 1" in bank


def test_settings_are_typed_as_in_a_station_file() -> None:
    """Lists by commas, keys inside others by dots, numbers as numbers; an option that was left out is the default."""
    found = learning.method(["tiling.rows=3", "sigma=0.5"], layers="4", input_px="224,320", kind=None)
    assert found.layers == (4,)
    assert found.input_px == (224, 320)
    assert (found.tiling.rows, found.sigma, found.kind) == (3, 0.5, Method().kind)
    with pytest.raises(BadInput, match="--set: expected KEY=VALUE"):
        learning.method(["sigma"])
    with pytest.raises(BadInput, match="--sigma: expected a number from 0 to 8"):
        learning.method(["sigma=9"])
    with pytest.raises(BadInput, match="unknown key sigmas"):
        learning.method(["sigmas=1"])
