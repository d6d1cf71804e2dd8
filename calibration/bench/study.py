"""Several settings on one data set: the papers' figures and tables, as rows, lines of a chart, and JSON.

PatchCore (Roth et al. 2022): figure 4 by patch size and by layers, figure 5 by sampler and share of patches kept, figure S4
by input size, table S5 by the number of good pictures.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from calibration import charts, graphs
from calibration.bench.accuracy import Bench
from calibration.charts import Line, Panel
from calibration.evaluate import Figures
from inspectd.errors import BadInput
from inspectd.station.schema import Ensemble, Method

_AXES = {"p": "patch size p", "layers": "layers", "sampler": "share of patches kept", "size": "input size, px"}
_PATCHES: tuple[Literal[1, 3, 5, 7, 9], ...] = (1, 3, 5, 7, 9)
_SIZES = (128, 160, 192, 224, 256, 288, 320, 384, 448)
_SHARES = (0.001, 0.003, 0.01, 0.03, 0.1)
_LEAST = 16  # vectors of a bank
_SAMPLERS: tuple[Literal["greedy", "proxy", "random"], ...] = ("greedy", "proxy", "random")
_CHARTED = {"image_auroc": "image AUROC", "pixel_auroc": "pixel AUROC", "pro": "PRO"}


class Variant(NamedTuple):
    """One setting: the line and the place on it, as a chart shows them."""

    line: str
    at: str
    method: Ensemble | Method
    shots: int | None = None

    @property
    def name(self) -> str:
        """What its row of a table is called."""
        return f"{self.line} {self.at}".strip()


def variants(
    method: Ensemble | Method, shots: Sequence[int], what: str | None, backbones: Path, bench: Bench
) -> tuple[list[Variant], str]:
    """Return what is measured and the name of the chart's x: so many good pictures each, or one setting changed.

    BadInput if there are several methods to ablate.
    """
    if what is None:
        return [Variant("", str(count), method, count) for count in shots], "good pictures"
    if isinstance(method, Ensemble):
        raise BadInput(f"--ablate: expected a single method, got {len(method.members)} members; ablate one of them")
    return _ablation(what, method, backbones, bench), _AXES[what]


def figures(points: Sequence[Figures]) -> Figures:
    """Return all points as one file, with the reasons why figures are missing."""
    return {"points": list(points), "reasons": {key: why for one in points for key, why in one["reasons"].items()}}


def _ablation(what: str, method: Method, backbones: Path, bench: Bench) -> list[Variant]:
    """Change one setting of a method."""
    patches = bench.patches(method)
    makers: dict[str, Callable[[], list[Variant]]] = {
        "p": lambda: [Variant("", str(p), replace(method, patch=p)) for p in _PATCHES],
        "layers": lambda: [
            Variant("", "+".join(map(str, layers)), replace(method, layers=layers)) for layers in _layers(method, backbones)
        ],
        "sampler": lambda: [
            Variant(sampler, f"{share:.1%}", replace(method, sampler=sampler, bank=round(share * patches)))
            for sampler in _SAMPLERS
            for share in _SHARES
            if share * patches >= _LEAST
        ],
        "size": lambda: [Variant("", str(side), replace(method, input_px=side)) for side in _SIZES],
    }
    return makers[what]()


def run(bench: Bench, variants: Sequence[Variant]) -> list[Figures]:
    """Measure each, if all can be; what each is stands in its settings, and by name under `variant`."""
    found = bench.measure_each([(one.name, one.method, one.shots) for one in variants])
    return [{"variant": one.name, **figures} for one, figures in zip(variants, found, strict=True)]


def chart(variants: Sequence[Variant], found: Sequence[Figures], x: str) -> bytes:
    """Return a PNG with one panel a figure, as far as it could be worked out."""
    places = list(dict.fromkeys(one.at for one in variants))
    known = {key: name for key, name in _CHARTED.items() if all(figures[key] is not None for figures in found)}
    shown = []
    for key, name in known.items():
        lines = {}
        for line in dict.fromkeys(one.line for one in variants):
            own = [(places.index(one.at), figures) for one, figures in zip(variants, found, strict=True) if one.line == line]
            y, spread = [figures[key] for _, figures in own], [figures["spread"][key] for _, figures in own]
            lines[line or name] = Line([at for at, _ in own], y, spread)
        shown.append(Panel(name, x, name, lines, ticks=places))
    return charts.panels(shown)


def curves(found: Figures) -> bytes:
    """Return a PNG with the curves of each category: ROC, precision and recall, PRO."""
    axes = {
        "roc": ("ROC", "good parts rejected", "bad parts rejected"),
        "precision_recall": ("precision and recall", "recall", "precision"),
        "pro": ("PRO", "false positive pixels", "overlap of regions"),
    }
    categories: dict[str, Any] = found["by_category"]
    shown = []
    for key, (title, x, y) in axes.items():
        lines = {
            name: Line(one["curves"][key]["x"], one["curves"][key]["y"])
            for name, one in categories.items()
            if key in one["curves"]
        }
        shown += [Panel(title, x, y, lines, marked=False)] if lines else []
    return charts.panels(shown) if shown else b""


def _layers(method: Method, backbones: Path) -> list[tuple[int, ...]]:
    """Return the deepest layer of each stride from 4 on, alone and with its neighbours, and all together."""
    taps = graphs.layers_of(graphs.base_graph(method.backbone, backbones))
    deepest = {tap.stride: layer for layer, tap in taps.items() if tap.stride >= 4}
    levels = tuple(deepest[stride] for stride in sorted(deepest))
    runs = {levels[a:b] for a, b in combinations(range(len(levels) + 1), 2)}
    return sorted(runs | {tuple(method.layers)}, key=lambda layers: (len(layers), layers))
