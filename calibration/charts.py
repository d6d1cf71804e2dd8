"""The one home of matplotlib: histograms and curves, as SVG for a page or PNG for a file."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inspectd.errors import MissingExtra

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise MissingExtra("charts are drawn with the package matplotlib: pip install 'inspectd[calibrate]'") from error

F64 = npt.NDArray[np.float64]

_GOOD, _BAD, _BAND, _INK = "#2f6f9f", "#c2452d", "#b07d1e", "#1b2430"
_COLOURS = (_GOOD, _BAD, "#3f8f5f", "#8f5fa8", "#b07d1e", "#5d6b7a")
_PANEL = (4.2, 3.1)  # inches
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "inspectd", "font.family": "sans-serif", "font.size": 9}


class Line(NamedTuple):
    """One line of a panel; with `spread` [n] its points carry bars of that half length."""

    x: Sequence[float]
    y: Sequence[float]
    spread: Sequence[float] = ()


class Panel(NamedTuple):
    """Lines by name over a common x; axes are plain unless `log` names them: x, y or xy."""

    title: str
    x: str
    y: str
    lines: Mapping[str, Line]
    ticks: Sequence[str] = ()  # names of x = 0, 1, 2 …
    log: str = ""
    marked: bool = True  # whether points are marked: measured ones, not those of a curve


class Scores(NamedTuple):
    """Scores of good parts, of known bad ones and of parts with painted defects, any but the good ones may be none."""

    good: F64
    bad: F64
    painted: F64


def histogram(scores: Scores, threshold: float, band: float | None = None) -> str:
    """SVG of scores by kind of part over each other, with the threshold and the recheck band below it."""
    everything = np.concatenate(scores)
    edges = np.histogram_bin_edges(everything, bins=min(60, max(10, len(everything) // 5))).tolist()
    with _figure((8.4, 2.9)) as figure:
        axes = figure.add_subplot()
        if band is not None:
            axes.axvspan(band, threshold, color=_BAND, alpha=0.25, linewidth=0, label="recheck band")
        axes.hist(scores.good, edges, color=_GOOD, alpha=0.75, label=f"good ({len(scores.good)})")
        if len(scores.bad):
            axes.hist(scores.bad, edges, color=_BAD, alpha=0.6, hatch="///", label=f"bad ({len(scores.bad)})")
        if len(scores.painted):
            name = f"painted, synthetic ({len(scores.painted)})"
            axes.hist(scores.painted, edges, histtype="step", color=_INK, linewidth=1, linestyle=":", label=name)
        axes.axvline(threshold, color=_INK, linewidth=1.6, label="threshold")
        _dress(axes, "score: PASS to the left of the threshold, FAIL from it on", "parts")
        return _svg(figure)


def drawing(shown: Sequence[Panel]) -> str:
    """SVG of panels beside each other."""
    with _panels(shown) as figure:
        return _svg(figure)


def panels(shown: Sequence[Panel]) -> bytes:
    """PNG of panels beside each other."""
    with _panels(shown) as figure:
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=150, metadata={"Software": None})
    return out.getvalue()


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    return svg[svg.index("<svg") :]


@contextmanager
def _panels(shown: Sequence[Panel]) -> Iterator[Figure]:
    width, height = _PANEL
    with _figure((width * len(shown), height)) as figure:
        for axes, panel in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            _draw(axes, panel)
        yield figure


@contextmanager
def _figure(size: tuple[float, float]) -> Iterator[Figure]:
    """Lend a figure; the same input gives the same bytes."""
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        yield Figure(figsize=size, layout="constrained")


def _draw(axes: Axes, panel: Panel) -> None:
    for colour, (name, line) in zip(_COLOURS * len(panel.lines), panel.lines.items(), strict=False):
        marker = "o" if panel.marked else ""
        axes.errorbar(
            line.x, line.y, yerr=line.spread or None, label=name, color=colour, marker=marker, markersize=3.5, linewidth=1.2,
            capsize=2,
        )  # fmt: skip
    if "x" in panel.log:
        axes.set_xscale("log")
    if "y" in panel.log:
        axes.set_yscale("log")
    if panel.ticks:
        axes.set_xticks(range(len(panel.ticks)), panel.ticks, rotation=30 if max(map(len, panel.ticks)) > 4 else 0)
    axes.set_title(panel.title, fontsize=9, loc="left")
    axes.grid(color="#d8dee5", linewidth=0.6)
    _dress(axes, panel.x, panel.y)


def _dress(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
