"""Accuracy as in the papers: learn from train/good, judge test/, and report at the F1-optimal threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import msgspec
import numpy as np

from calibration import evaluate, layout
from calibration.bench import learnt
from calibration.bench.learnt import Machine
from calibration.evaluate import Figures
from calibration.layout import Layout
from calibration.pictures import Sample
from calibration.progress import Numbered, Progress, Silent
from inspectd.errors import BadInput
from inspectd.station.schema import Ensemble, Method
from inspectd.vision import neighbours

_AVERAGED = (
    "image_auroc", "average_precision", "pixel_auroc", "pro", "f1", "threshold", "false_positives", "false_negatives",
    "full_recall_false_positives", "ms_per_image",
)  # fmt: skip
_COUNTED = ("false_positives", "false_negatives", "full_recall_false_positives")  # added up over categories
_OF_ONE = ("threshold",)  # of no meaning over several
_LISTS = ("curves", "missed", "rejected")


@dataclass(frozen=True)
class Category:
    """One kind of part: good pictures to learn from, labelled ones to judge."""

    name: str
    train: Sequence[Sample]
    tests: Layout

    def few(self, shots: int | None, seed: int) -> Sequence[Sample]:
        """Draw so many good pictures, or take all; of one seed, the fewer are among the more. BadInput if there are fewer."""
        if shots is None:
            return self.train
        if shots > len(self.train):
            raise BadInput(f"--shots: expected at most {len(self.train)}, the good pictures of {self.name}, got {shots}")
        return [self.train[i] for i in np.random.default_rng(seed).permutation(len(self.train))[:shots]]


class Bench:
    """A data set, read and checked once, on which any number of settings are measured."""

    def __init__(self, root: Path, category: str | None, seeds: Sequence[int], machine: Machine, progress: Progress) -> None:
        """BadInput or BadImages if the folder is not laid out as MVTec AD."""
        if not seeds:
            raise BadInput("accuracy: expected at least one seed, got none")
        self._seeds, self._machine, self._progress = list(seeds), machine, progress
        self.categories = [
            Category(folder.name, layout.train_good(folder, progress), layout.read(folder, progress))
            for folder in layout.categories(root, category)
        ]

    def measure(self, method: Ensemble | Method, shots: int | None = None) -> Figures:
        """Return the figures of a method that learns from all good pictures, or from a few of them; errors as of `check`.

        Keys as `evaluate`'s, at the F1-optimal threshold of each seed and category: means over the seeds and then over the
        categories, counts being added up over these; `spread` over the seeds; each category's in `by_category`.
        """
        self.check(method, shots, self._progress)
        return self._measured(method, shots)

    def measure_each(self, asked: Sequence[tuple[str, Ensemble | Method, int | None]]) -> list[Figures]:
        """Return what `measure` does of each, told by its name, if all can be: none is measured in vain."""
        for name, method, shots in asked:
            self.check(method, shots, Numbered(self._progress, name))
        return [self._measured(method, shots) for _, method, shots in asked]

    def _measured(self, method: Ensemble | Method, shots: int | None) -> Figures:
        neighbours.use_threads(self._machine.threads)
        each = {one.name: [self._run(one, method, shots, seed) for seed in self._seeds] for one in self.categories}
        found = {
            name: _means(runs) | {"reasons": runs[0]["reasons"], "curves": runs[0]["curves"]} for name, runs in each.items()
        }
        seeds = [_together([runs[i] for runs in each.values()]) for i in range(len(self._seeds))]
        reasons = {key: f"{name}: {why}" for name, one in found.items() for key, why in one["reasons"].items()}
        return _means(seeds) | {
            "reasons": reasons | {key: "each category has its own" for key in _OF_ONE if len(found) > 1},
            "settings": self._settings(method, shots),
            "by_seed": seeds,
            "by_category": found,
        }

    def check(self, method: Ensemble | Method, shots: int | None, progress: Progress) -> None:
        """Refuse what cannot be measured, as `learnt.check` does, and more pictures than there are; BadInput."""
        pictures = max(len(one.few(shots, 0)) for one in self.categories)
        every = [sample for one in self.categories for sample in (*one.train, *(case.sample for case in one.tests.cases))]
        learnt.check(method, pictures, {(one.height, one.width) for one in every}, self._machine, progress)

    def patches(self, method: Method) -> int:
        """Return how many good patches there are of a category, the smallest."""
        return min(len(one.train) for one in self.categories) * learnt.extractor(method, self._machine).patches

    def _run(self, one: Category, method: Ensemble | Method, shots: int | None, seed: int) -> Figures:
        """Learn from the good pictures and judge the test pictures."""
        judge = learnt.learn(method, one.few(shots, seed), seed, self._machine, self._progress)
        return evaluate.figures(evaluate.collect(one.tests, judge.see, None, self._progress), None, self._progress)

    def _settings(self, method: Ensemble | Method, shots: int | None) -> dict[str, Any]:
        described: dict[str, Any] = msgspec.to_builtins(method)
        return described | {
            "seeds": self._seeds,
            "categories": [one.name for one in self.categories],
            "train": sum(len(one.train) if shots is None else shots for one in self.categories),
            "test": sum(len(one.tests.cases) for one in self.categories),
            "threads": self._machine.threads,
            "batch": 1,
        }


def accuracy(
    directory: Path, seeds: Sequence[int] = (0,), method: Ensemble | Method | None = None, backbones: Path | None = None,
    threads: int = 2, progress: Progress | None = None, category: str | None = None,
) -> Figures:  # fmt: skip
    """Return `Bench.measure`'s figures of one setting; `backbones` is where base graphs were added."""
    machine = Machine(backbones or directory, threads)
    return Bench(directory, category, seeds, machine, progress or Silent()).measure(method or Method())


def _together(runs: Sequence[Figures]) -> Figures:
    """Put one seed's figures of all categories together; None where one category has none."""
    if len(runs) == 1:
        return {key: value for key, value in runs[0].items() if key not in _LISTS}
    known = [key for key in _AVERAGED if key not in _OF_ONE and all(run[key] is not None for run in runs)]
    sums = {key: (sum if key in _COUNTED else fmean)(run[key] for run in runs) for key in known}
    return dict.fromkeys(_AVERAGED) | sums


def _means(runs: Sequence[Figures]) -> dict[str, Any]:
    """Average each figure over the seeds; None where it could not be worked out."""
    known = [key for key in _AVERAGED if runs[0][key] is not None]
    means = {key: fmean(run[key] for run in runs) if key in known else None for key in _AVERAGED}
    return means | {"spread": {key: pstdev(run[key] for run in runs) for key in known}}
