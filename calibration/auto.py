"""`calibrate --auto`: the settings that suit a station, found from its good parts alone, inside a budget of time a part.

    grid ─ time of one part ─ those within the budget ─ exam, round by round; those clearly behind leave ─ one setting

What a part takes is measured first: what is over the budget is never tried. The others learn from some good parts and are
asked about others, with and without painted defects (exam.py); contest.py settles who may leave, and who wins.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from msgspec import structs

from calibration import exam, graphs, grid, latency, pictures, race
from calibration.candidate import Candidate
from calibration.choice import Choice
from calibration.features import Extractor
from calibration.job import Job, Options, accept
from calibration.pictures import Sample
from calibration.progress import Progress
from inspectd.errors import BadInput, Interrupted
from inspectd.station.schema import Config, Method, Station
from inspectd.station.scratch import scratch
from inspectd.station.state import StateDir
from inspectd.vision import neighbours
from inspectd.vision.backbone import Backbone

FEWEST = 20  # groups of good parts; fewer tell nothing apart
SHARE = 0.5  # of the time that dispatch has for a part: the rest is for the picture's way, parts before it, slow moments
_Timed = tuple[Candidate, float]  # a setting, and the ms that it takes for a part


@dataclass(frozen=True)
class Chosen:
    """The settings for a station, and what was tried; where nothing was, `note` says why."""

    method: Method
    choice: Choice | None
    note: str = ""


def budget(station: Station) -> float:
    """Return the ms that a part may take where nobody says otherwise: half of what dispatch has for it."""
    return SHARE * (station.deadline_ms - station.delivery_ms)


def choose(  # noqa: PLR0913, PLR0917 (as build.calibrate)
    config: Config, station: str, product: str, good: Path, bad: Path | None, state: StateDir,
    options: Options, budget_ms: float | None, progress: Progress,
) -> Chosen:  # fmt: skip
    """Choose settings for a station's product; those in its file have no say.

    Nothing is written. Errors as build.calibrate, and BadInput if no setting is within the budget. The same pictures and
    seed give the same choice, as long as the same settings are within the budget.
    """
    job = accept(config, station, product, bad, options)
    files = pictures.listed(good, bad, job.options.drop)
    limit = budget(job.station) if budget_ms is None else budget_ms
    neighbours.use_threads(1)
    try:
        with scratch(state) as work:
            found = pictures.gather(files, job.station.group_by, progress, job.options.skip_bad)
            usable = _usable(job, found.good)
            groups = len({sample.group for sample in usable})
            if groups < FEWEST:
                told = f"settings: expected at least {FEWEST} good parts to tell them apart, got {groups}; the default is taken"
                return Chosen(grid.DEFAULT, None, told)
            return _among(_entrants(job, usable[0], state.backbones, work), job, usable, found.bad, limit, progress)
    except KeyboardInterrupt:
        raise Interrupted("the choice of settings stopped; nothing was written") from None


def _usable(job: Job, good: Sequence[Sample]) -> list[Sample]:
    """Return the good parts that may have a say: those held out for an exact threshold have none in anything else."""
    split = job.split([sample.group for sample in good])
    return [sample for sample, fold in zip(good, split.fold_of, strict=True) if fold or not split.exact]


def _entrants(job: Job, like: Sample, backbones: Path, work: Path) -> list[Candidate]:
    """Return the settings for pictures like this one."""
    roi = job.station.roi
    size = (like.height, like.width) if roi is None else (roi.height, roi.width)
    found = []
    for method in grid.settings(size):
        of_it = dataclasses.replace(job, station=structs.replace(job.station, method=method))
        path = work / f"{graphs.store(work, of_it.graphs(backbones)[0])}.onnx"
        found.append(Candidate(method, partial(_open, of_it, like, path)))
    return found


def _open(job: Job, like: Sample, graph: Path, threads: int) -> Extractor:
    """Open a setting; each forward pass has so many threads."""
    sees = job.extractors(like, [graph])[0]
    return sees if threads == 1 else dataclasses.replace(sees, backbone=Backbone.open(graph, threads))


def _among(
    entrants: Sequence[Candidate], job: Job, good: Sequence[Sample], bad: Sequence[Sample], limit: float, progress: Progress
) -> Chosen:
    """Measure what each setting takes, and let those within the budget race."""
    inside, over = _by_budget(_timed(entrants, good, job.options.threads, progress), limit)
    seen = inside[0][0].open(1).cut(good[0].pixels()).shape
    asked = exam.deal(good, bad, min(seen[:2]), job.station.seed)
    settings, ms = zip(*inside, strict=True)
    result = race.run(settings, ms, asked, progress)
    return Chosen(result.method, race.told(result, ms, [(one.method, took) for one, took in over], limit))


def _timed(entrants: Sequence[Candidate], good: Sequence[Sample], threads: int, progress: Progress) -> list[_Timed]:
    """Measure the ms of one part, with as many threads as a worker has."""
    advance, timed = progress.stage("time of one part", len(entrants)), []
    neighbours.use_threads(threads)
    try:
        for one in entrants:
            sees = one.open(threads)
            pictures_ = [sees.cut(sample.pixels()) for sample in good[: latency.PICTURES]]
            timed.append((one, latency.of(one.method, sees, pictures_)))
            advance(1)
    finally:
        neighbours.use_threads(1)
    return timed


def _by_budget(timed: Sequence[_Timed], limit: float) -> tuple[list[_Timed], list[_Timed]]:
    """Part the settings into those within the budget and the others; BadInput if all are over it."""
    inside = [pair for pair in timed if pair[1] <= limit]
    if not inside:
        one, ms = min(timed, key=lambda pair: pair[1])
        raise BadInput(
            f"budget: expected at least {ms:g} ms, which the fastest setting takes for a part on this machine "
            f"({grid.described(one.method)}), got {limit:g} ms; give a larger --budget-ms, or a larger deadline_ms"
        )
    return inside, [pair for pair in timed if pair[1] > limit]
