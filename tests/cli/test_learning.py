"""What calibration and evaluation print: what an engineer must know, the worst first."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from inspectd.cli import learning
from inspectd.errors import BadInput, ConfigError
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
    with pytest.raises(BadInput, match="--layers: expected at least one block, in rising order"):
        learning.method([], layers="10,4")


def test_a_method_is_read_from_what_a_station_file_says_under_method(tmp_path: Path) -> None:
    """Members too, whatever else the file says; a name is a kind; what is wrong comes with its line; not both at once."""
    file = tmp_path / "lid.yaml"
    file.write_text("station: lid\nmethod:\n  members:\n    - {weight: 2}\n    - {layers: [19]}\n", encoding="utf-8")
    found = learning.judging(str(file), (), backbone=None)
    assert [(one.layers, one.weight) for one in found.members] == [((10, 14), 2.0), ((19,), 1.0)]
    assert learning.judging("padim", ["sigma=2"], bank=None) == Method(kind="padim", sigma=2.0)
    with pytest.raises(BadInput, match=r"expected every setting in the file, got --bank, --set too"):
        learning.judging(str(file), ["sigma=2"], bank="100")
    file.write_text("method:\n  bank: 100\n  layers: [10, 4]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        learning.judging(str(file), ())
    assert [(wrong.line, wrong.key) for wrong in caught.value.problems] == [(3, "method.layers")]
    for text in ("station: lid\n", "kind: padim\nbackbone: lite0\n"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(
            ConfigError, match=r"lid.yaml:1: method: .*\(put everything under `method:`, as in a station file\)"
        ):
            learning.judging(str(file), ())


def test_the_time_of_every_stage_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In their order, with tenths of seconds."""
    timings = {"pictures": 0.26, "patch vectors": 12.0}
    result = SimpleNamespace(
        warnings=[],
        number=3,
        fingerprint="ab",
        threshold=1.5,
        rule="f1",
        how="so",
        metrics={},
        timings=timings,
        learning="more would help",
        report="r",
    )
    learning.show(result)
    assert "time: pictures 0.3 s, patch vectors 12.0 s" in capsys.readouterr().out.splitlines()
