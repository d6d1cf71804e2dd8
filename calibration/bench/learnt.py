"""Judges learnt from some pictures, as benchmarks need them: for pictures of any size, each resized to the input.

A station's pictures are all of one size; those of a data set may vary (the magnetic tiles do).
"""

import dataclasses
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from calibration import bank, ensemble, graphs, job, memory
from calibration.ensemble import Panel, Pupil
from calibration.evaluate import Seen
from calibration.features import MEMORY, U8, Extractor, Features
from calibration.job import Options
from calibration.memory import Size
from calibration.pictures import Sample
from calibration.progress import Progress
from inspectd.errors import ConfigError, Problem
from inspectd.station.document import TYPED, Key
from inspectd.station.schema import Ensemble, Method
from inspectd.vision import member
from inspectd.vision.backbone import Backbone
from inspectd.vision.member import Layer


@dataclass(frozen=True)
class Machine:
    """By what it is computed: where base graphs were added, and how many threads each step may use."""

    backbones: Path
    threads: int = 2


@dataclass(frozen=True)
class Learnt:
    """What the members have learnt from some good pictures."""

    panel: Panel

    def see(self, pixels: U8) -> Seen:
        """Judge one picture; its heat map is worked out when asked for."""
        panel, views = self.panel, [extractor.view(pixels.shape[:2]) for extractor in self.panel.extractors]
        placed = [dataclasses.replace(judge, view=view) for judge, view in zip(panel.judges, views, strict=True)]
        said = [one.judge(sees.vectors([pixels])) for one, sees in zip(placed, panel.extractors, strict=True)]
        score = float(member.together(panel.shares, [one.scores for one in said])[0])
        each = list(zip(panel.shares, said, views, strict=True))
        return Seen(score, lambda: member.heat_map([Layer(share, one.distances[0], view.heat) for share, one, view in each]))


def extractor(method: Method, machine: Machine) -> Extractor:
    """Cut the method's graph and open it."""
    graph = graphs.cut(graphs.base_graph(method.backbone, machine.backbones), method.layers, method.patch)
    with tempfile.TemporaryDirectory() as work:
        opened = Backbone.open(Path(work) / f"{graphs.store(Path(work), graph)}.onnx", machine.threads)
    return Extractor(opened, method.size_px, stride=method.stride, tiling=method.tiling)


@dataclass(frozen=True)
class _Asked:
    """What a benchmark is asked for: keys as in a station file, but no file."""

    method: Method | Ensemble

    @property
    def methods(self) -> list[tuple[Key, Method]]:
        return job.keyed(self.method)

    def problem(self, key: Key, expected: str, got: str, hint: str = "") -> Problem:
        return Problem(TYPED, None, ".".join(key), expected, got, hint)


def need(method: Method | Ensemble, machine: Machine) -> None:
    """ConfigError, as of keys that were typed, unless backbones have the layers and banks suit their search."""
    if problems := job.check(_Asked(method), machine.backbones):
        raise ConfigError(problems)


def check(
    method: Method | Ensemble, pictures: int, sizes: Collection[tuple[int, int]], machine: Machine, progress: Progress
) -> None:
    """Tell what learning takes from so many pictures [H,W] of some sizes, before anything is computed.

    Errors are those of `memory.check`; ConfigError, too, of what `need` asks for and of tiles that do not fit the pictures.
    """

    def fitting(one: Method, size: Size) -> int:
        return memory.needed(_within(one, size.pictures * size.patches), size)

    need(method, machine)
    asked, sees = _Asked(method), [extractor(one, machine) for one in method.members]
    for size in sorted(sizes):
        pairs = zip(asked.methods, sees, strict=True)
        if problems := [wrong for (key, _), one in pairs for wrong in job.tiling_problems(asked, key, one.lens, size)]:
            raise ConfigError(problems)
    memory.check(asked, sees, pictures, Path(tempfile.gettempdir()), progress, fitting)


def learn(method: Method | Ensemble, samples: Sequence[Sample], seed: int, machine: Machine, progress: Progress) -> Learnt:
    """Learn from good pictures; a bank holds what was asked for, or all their patches if they are fewer.

    Several members need as many pictures as a calibration has folds, for their spreads: NotEnoughPictures.
    """
    share = MEMORY // len(method.members)

    def pupil(asked: Method) -> Pupil:
        sees = extractor(asked, machine)
        within = _within(asked, len(samples) * sees.patches)
        drawn = bank.candidates(within, len(samples) * sees.patches)
        advance = progress.stage("patch vectors", len(samples))
        return Pupil(within, sees, Features(sees, samples, seed, advance, share, drawn))

    return Learnt(ensemble.learn_all(list(map(pupil, method.members)), Options.folds, seed, progress))


def _within(method: Method, patches: int) -> Method:
    """Ask for no more than there is: all patches, of which none need be chosen."""
    return method if bank.size(method, patches) < patches else replace(method, bank=patches, sampler="random")
