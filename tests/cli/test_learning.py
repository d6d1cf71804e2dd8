"""What calibration and evaluation print: what an engineer must know, the worst first."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from inspectd.cli import learning
from inspectd.station.state import StateDir


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
        summary=["more would help"],
        report="r",
    )
    learning.show(result, StateDir(tmp_path), "lid", "default")
    said = capsys.readouterr().out.splitlines()
    assert "time: pictures 0.3 s, patch vectors 12.0 s" in said
    assert "more would help" in said
