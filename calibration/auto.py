"""`calibrate --auto`: the settings that suit a station, found from its good parts alone, inside a budget of time a part.

    grid ─ time of one part ─ those within the budget ─ exam, round by round; those clearly behind leave ─ one setting

What a part takes is measured first: what is over the budget is never tried. The others learn from some good parts and are
asked about others, with and without painted defects (exam.py), alone and in teams (team.py); contest.py settles who may
leave, and who wins.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from msgspec import structs

from calibration import exam, fitting, graphs, grid, latency, memory, pictures, race
from calibration.candidate import Candidate
from calibration.choice import Choice, Fate, Tried
from calibration.features import Extractor
from calibration.job import Job, Options, accept
from calibration.pictures import Files, Sample
from calibration.progress import Progress, Silent
from calibration.team import Team
from inspectd import clock
from inspectd.errors import BadInput, ConfigError, InspectdError, Interrupted, NotEnoughPictures, StateError
from inspectd.station.schema import Config, Ensemble, Method, Station
from inspectd.station.scratch import scratch
from inspectd.station.state import StateDir
from inspectd.vision import neighbours
from inspectd.vision.backbone import Backbone

FEWEST = 20  # groups of good parts; fewer tell nothing apart
SHARE = 0.5  # of the time that dispatch has for a part: the rest is for the picture's way, parts before it, slow moments
LOAD = 0.9  # of the time of the workers that parts may take: a line reaches 0.9 to 1.0 of the detector alone (RESULTS.md)
_DRAWN = 6  # defects painted to see how long it takes
_Timed = tuple[Team[Candidate], float]  # a setting, and the ms that it takes for a part


@dataclass(frozen=True)
class Chosen:
    """The settings for a station, and what was tried; where nothing was, `note` says why."""

    method: Ensemble | Method
    choice: Choice | None
    files: Files  # those that had a say, for the calibration
    note: str = ""


def budget(config: Config, station: Station) -> float:
    """Return the ms that a part may take where nobody says otherwise.

    Half of what dispatch has for it; and where the camera says at what rate parts come, what the workers have for one of
    them, if all stations have an equal share.
    """
    in_time, rate = SHARE * (station.deadline_ms - station.delivery_ms), station.camera.rate
    if station.trigger != "camera" or rate == "max":
        return in_time
    return min(in_time, LOAD * 1000 / rate * config.line.workers.count / len(config.stations))


def choose(  # noqa: PLR0913, PLR0917 (as build.calibrate)
    config: Config, station: str, product: str, good: Path, bad: Path | None, state: StateDir,
    options: Options, budget_ms: float | None, progress: Progress,
) -> Chosen:  # fmt: skip
    """Choose settings for a station's product; those in its file have no say.

    Nothing is written. Errors as build.calibrate, and BadInput if no setting is within the budget. The same pictures and
    seed give the same choice, as long as the same settings are within the budget.
    """
    job = accept(config, station, product, bad, options)
    limit = budget(config, job.station) if budget_ms is None else budget_ms
    neighbours.use_threads(1)
    try:
        files = job.listed(good, bad)
        with scratch(state, *state.goals(station, product)) as work:
            found = pictures.gather(files, job.station.group_by, progress, job.options.skip_bad)
            usable = _usable(job, found.good)
            groups = len({sample.group for sample in usable})
            if groups < FEWEST:
                told = f"settings: expected at least {FEWEST} good parts to tell them apart, got {groups}; the default is taken"
                return Chosen(grid.DEFAULT, None, files, told)
            entrants = _entrants(job, usable[0], state.backbones, work)
            room = _room(entrants, job, found.good, work)
            method, choice = _among(entrants, room, job, usable, found.bad, limit, progress)
            return Chosen(method, choice, files)
    except KeyboardInterrupt:
        raise Interrupted("the choice of settings stopped; nothing was written") from None
    except NotEnoughPictures as error:
        raise NotEnoughPictures(f"{good}: {error}") from error


def _usable(job: Job, good: Sequence[Sample]) -> list[Sample]:
    """Return the good parts that may have a say: those held out for an exact threshold have none in anything else."""
    split = job.split([sample.group for sample in good])
    return [sample for sample, fold in zip(good, split.fold_of, strict=True) if fold or not split.exact]


def _entrants(job: Job, like: Sample, backbones: Path, work: Path) -> list[Team[Candidate]]:
    """Return the settings for pictures like this one; teams share their members with others."""
    roi = job.station.roi
    size = (like.height, like.width) if roi is None else (roi.height, roi.width)
    wanted = grid.settings(size)
    methods = dict.fromkeys(method for members in wanted for method in members)
    singles = {method: _candidate(job, method, like, backbones, work) for method in methods}
    return [Team([singles[method] for method in members]) for members in wanted]


def _candidate(job: Job, method: Method, like: Sample, backbones: Path, work: Path) -> Candidate:
    of_it = dataclasses.replace(job, station=structs.replace(job.station, method=method))
    path = work / f"{graphs.store(work, of_it.graphs(backbones)[0])}.onnx"
    return Candidate(method, partial(_open, of_it, like, path))


def _open(job: Job, like: Sample, graph: Path, threads: int) -> Extractor:
    """Open a setting; each forward pass has so many threads."""
    sees = job.extractors(like, [graph])[0]
    return sees if threads == 1 else dataclasses.replace(sees, backbone=Backbone.open(graph, threads))


def _among(
    entrants: Sequence[Team[Candidate]], room: Sequence[bool], job: Job, good: Sequence[Sample], bad: Sequence[Sample],
    limit: float, progress: Progress,
) -> tuple[Ensemble | Method, Choice]:  # fmt: skip
    """Measure what each setting takes, and let those race for which there is room, and which are within the budget."""
    timed = _timed(entrants, good, job.options.threads, limit, progress)
    inside, over = _by_budget(list(itertools.compress(timed, room)), limit)
    large = [pair for pair, fits in zip(timed, room, strict=True) if not fits]
    seen = inside[0][0].members[0].open(1).cut(good[0].pixels()).shape
    asked = exam.deal(good, bad, min(seen[:2]), job.station.seed)
    settings, ms = zip(*inside, strict=True)
    _tell(inside, len(entrants), asked, limit, job.options.threads, progress)
    result = race.run(settings, ms, asked, progress)
    return result.method, race.told(result, ms, [*_left_out(over, "over budget"), *_left_out(large, "no room")], limit)


def _tell(inside: Sequence[_Timed], tried: int, asked: exam.Exam, limit: float, threads: int, progress: Progress) -> None:
    """Tell what the race takes: every setting's parts, if none left early; and the memory of the largest."""
    alone = [(team.members[0], ms) for team, ms in inside if len(team.members) == 1]
    drawn_ms = _drawing_ms(alone[0][0].open(1), asked) / threads
    seconds = sum(one.steps(asked, len(exam.OPACITIES)) * (ms + drawn_ms) / 1000 for one, ms in alone)
    progress.note(f"settings: {len(inside)} of {tried} take at most {limit:g} ms a part; about {seconds / 60:.1f} minutes")
    memory.tell(max(one.memory(asked) for one, _ in alone), progress)


def _drawing_ms(sees: Extractor, asked: exam.Exam) -> float:
    """Measure the ms in which a part is read and a defect painted on it: of large pictures as long as all else."""
    some = asked.defects[:: -(-len(asked.defects) // _DRAWN)]
    start = clock.now_ns()
    for defect in some:
        asked.paint(defect, sees.cut(asked.held[defect.part].pixels()), sees.mask)
    return (clock.now_ns() - start) / clock.MS / max(1, len(some))


def _timed(
    entrants: Sequence[Team[Candidate]], good: Sequence[Sample], threads: int, limit: float, progress: Progress
) -> list[_Timed]:
    """Measure the ms of one part, with as many threads as a worker has; members work one after the other."""
    singles = list({id(one): one for team in entrants for one in team.members}.values())
    advance, took = progress.stage("time of one part", len(singles)), {}
    neighbours.use_threads(threads)
    try:
        for one in singles:
            sees = one.open(threads)
            pictures_ = [sees.cut(sample.pixels()) for sample in good[: latency.PICTURES]]
            took[id(one)] = latency.of(one.method, sees, pictures_, limit)
            advance(1)
    finally:
        neighbours.use_threads(1)
    return [(team, sum(took[id(one)] for one in team.members)) for team in entrants]


def _by_budget(timed: Sequence[_Timed], limit: float) -> tuple[list[_Timed], list[_Timed]]:
    """Part the settings into those within the budget and the others; BadInput if all are over it."""
    inside = [pair for pair in timed if pair[1] <= limit]
    if not inside:
        one, ms = min(timed, key=lambda pair: pair[1])
        raise BadInput(
            f"budget: expected at least {ms:g} ms, which the fastest setting takes for a part on this machine "
            f"({grid.described(one.variants[0])}), got {limit:g} ms; give a larger --budget-ms, or a larger deadline_ms"
        )
    return inside, [pair for pair in timed if pair[1] > limit]


def _room(entrants: Sequence[Team[Candidate]], job: Job, good: Sequence[Sample], folder: Path) -> list[bool]:
    """Return for which settings pictures, memory and disk suffice; where for none, the error of the preferred one."""
    split = job.split([sample.group for sample in good])

    def lacks(team: Team[Candidate]) -> InspectdError | None:
        of_it = dataclasses.replace(job, station=structs.replace(job.station, method=team.variants[0]))
        see = [one.open(1) for one in team.members]
        try:
            for sees, (_, method) in zip(see, of_it.methods, strict=True):
                fitting.check_enough(split, sees.patches, method)
            memory.check(of_it, see, len(good), folder, Silent())
        except (ConfigError, NotEnoughPictures, StateError) as error:
            return error
        return None

    lacking = list(map(lacks, entrants))
    if lacking[0] and all(lacking):
        raise lacking[0]
    return [one is None for one in lacking]


def _left_out(timed: Sequence[_Timed], fate: Fate) -> list[Tried]:
    return [Tried(grid.described(one.variants[0]), None, None, None, ms, fate) for one, ms in timed]
