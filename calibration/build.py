"""The calibration of a station, top to bottom: pictures, patch vectors, banks, threshold, bundle, report."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration import findings, fitting, graphs, pictures, release, report
from calibration.features import Extractor, Features, Indices
from calibration.findings import Findings, Rule
from calibration.fitting import Judged, Learnt
from calibration.job import Job, Options, accept
from calibration.pictures import Files, Pictures, Sample
from calibration.progress import Progress, Silent, Timed
from inspectd import clock
from inspectd.errors import Interrupted
from inspectd.station.schema import Config
from inspectd.station.state import StateDir
from inspectd.vision import neighbours, scoring
from inspectd.vision.bundle import Bundle, FoundThreshold, Manifest, Member

_SHOWN = 9  # pictures in each sheet of the report


@dataclass(frozen=True)
class CalibrationResult:
    """A bundle that is written but not active."""

    directory: Path
    number: int
    fingerprint: str
    threshold: float
    rule: Rule
    how: str  # the threshold was found, a sentence
    warnings: list[str]
    metrics: dict[str, float | str]
    timings: dict[str, float]  # seconds, by stage

    @property
    def report(self) -> Path:
        """The page to read and sign."""
        return self.directory / release.REPORT


@dataclass(frozen=True)
class _Outcome:
    """All that was found out, before it is written down."""

    pictures: Pictures
    extractor: Extractor
    learnt: Learnt
    bad: Judged
    findings: Findings


def calibrate(  # noqa: PLR0913, PLR0917 (what, from what, where to, how: none of it belongs together)
    config: Config, station: str, product: str, good: Path, bad: Path | None, state: StateDir,
    options: Options | None = None, progress: Progress | None = None,
) -> CalibrationResult:  # fmt: skip
    """Learn a station's product from pictures of good parts, and of bad ones where there are some; write the next bundle.

    Nothing is activated, and nothing is left behind if it fails or is interrupted. The same inputs, seed, versions and
    threads give the same fingerprint. Errors are BadInput's: all bad pictures at once, too few of them, a station file that
    does not fit them; Interrupted on Ctrl-C.
    """
    job = accept(config, station, product, bad, options or Options())
    files = pictures.listed(good, bad)
    job.split(pictures.groups(files.good, job.station.group_by))  # too few are refused before any work, by their names
    neighbours.use_threads(1)  # calibration divides its work in larger pieces than matrix products
    timed = Timed(progress or Silent())
    try:
        with release.scratch(state) as work:
            graph = _graph(job, state)
            outcome = _learn(job, files, work / f"{graphs.store(work, graph)}.onnx", timed)
            seconds = timed.seconds()
            advance = timed.stage("bundle and report", 1)
            draft = _draft(job, outcome, seconds)
            bundle = release.publish(draft, state, graph, outcome.extractor.backbone, work)
            advance(1)
    except KeyboardInterrupt:
        raise Interrupted("calibration stopped; nothing was written") from None
    return _result(bundle, outcome.findings, draft.warnings, timed.seconds())


def _graph(job: Job, state: StateDir) -> bytes:
    method = job.station.method
    return graphs.cut(graphs.base_graph(method.backbone, state.backbones), method.layers, method.patch)


def _learn(job: Job, files: Files, graph: Path, timed: Timed) -> _Outcome:
    """Find out all that there is to find out from the pictures."""
    method, seed = job.station.method, job.station.seed
    found = pictures.gather(files, job.station.group_by, timed)
    extractor = job.extractor(found.good[0], graph)
    split = job.split([sample.group for sample in found.good])  # again: copies count once, and only their bytes tell them
    fitting.check_enough(split, extractor.patches, method.bank)
    features = Features(extractor, found.good, seed, timed.stage("patch vectors", len(found.good)))
    learnt = fitting.learn(features, split, method, seed, timed)
    judge = fitting.judge(learnt.fitted, method, extractor)
    advance = timed.stage("scores of bad parts", len(found.bad))
    known = fitting.score(
        judge, lambda some: extractor.see([found.bad[i] for i in some]), np.arange(len(found.bad)), extractor.threads, advance
    )
    groups = [found.good[i].group for i in learnt.good.pictures]
    verdict = findings.find(learnt.good.scores, groups, known.scores, job.rule, job.rate, exact=learnt.exact)
    return _Outcome(found, extractor, learnt, known, verdict)


def _draft(job: Job, outcome: _Outcome, seconds: dict[str, float]) -> release.Draft:
    """Put the bundle together: manifest, arrays, golden pictures, report."""
    found, extractor, verdict = outcome.pictures, outcome.extractor, outcome.findings
    judge = fitting.judge(outcome.learnt.fitted, job.station.method, extractor)
    chosen = [found.good[i] for i in outcome.learnt.golden]
    golden = release.golden(extractor, judge, chosen, job.station.seed, verdict.active.value)
    blind = int((~golden.defective_failed).sum())
    good, bad = _named(found.good, outcome.learnt.good), _named(found.bad, outcome.bad)
    told = findings.warnings(verdict, good, bad, found.repeated, blind)
    page = partial(_report, outcome, told)
    return release.Draft(_manifest(job, outcome, seconds), _arrays(outcome), golden, told, page)


def _named(samples: list[Sample], judged: Judged) -> findings.Named:
    return findings.Named(judged.scores, [samples[i].name for i in judged.pictures])


def _report(outcome: _Outcome, told: list[str], sealed: Manifest, number: int) -> bytes:
    good, bad = outcome.learnt.good, outcome.bad
    good_sheet = _sheet(outcome.extractor, outcome.pictures.good, good, sealed, np.argsort(-good.scores, kind="stable"))
    bad_sheet = _sheet(outcome.extractor, outcome.pictures.bad, bad, sealed, np.argsort(bad.scores, kind="stable"))
    return report.render(report.Report(sealed, number, told, good.scores, bad.scores, good_sheet, bad_sheet))


def _manifest(job: Job, outcome: _Outcome, seconds: dict[str, float]) -> Manifest:
    method, extractor, active = job.station.method, outcome.extractor, outcome.findings.active
    member = Member(
        method=method.kind, backbone=extractor.backbone.sha256, backbone_name=method.backbone, layers=method.layers,
        patch=method.patch, input_px=extractor.input_px, score=method.score, sigma=method.sigma,
        arrays={name: name for name in vars(outcome.learnt.fitted)},
    )  # fmt: skip
    everything = [*outcome.pictures.good, *outcome.pictures.bad]
    return Manifest(
        station=job.station.station,
        product=job.product,
        members=(member,),
        picture=job.picture(everything[0]),
        threshold=active.value,
        thresholds={rule: FoundThreshold(**vars(found)) for rule, found in outcome.findings.thresholds.items()},
        seed=job.station.seed,
        versions=release.versions(job.options.threads),
        pictures={sample.name: sample.sha256 for sample in everything},
        metrics=findings.figures(outcome.learnt.good.scores, outcome.bad.scores, active.value),
        created=clock.utc_text(clock.utc_ns()),
        timings=seconds,
    )


def _arrays(outcome: _Outcome) -> dict[str, npt.NDArray[Any]]:
    """Return the bundle's arrays by role."""
    mask = outcome.extractor.mask
    return {**vars(outcome.learnt.fitted)} | ({} if mask is None else {"mask": mask.astype(np.uint8)})


def _sheet(extractor: Extractor, samples: list[Sample], judged: Judged, sealed: Manifest, order: Indices) -> list[report.Shown]:
    """Return the first pictures of an order, with heat maps of the distances by which they were scored."""
    picture, member, backbone = sealed.picture, sealed.members[0], extractor.backbone
    heat = scoring.heat(
        extractor.grid, member.input_px, picture.judged_px, backbone.stride, backbone.offset, member.map_sigma_px
    )
    shown = []
    for i in order[:_SHOWN]:
        sample = samples[judged.pictures[i]]
        pixels = extractor.cut(sample.pixels())
        shown.append(report.Shown(sample.name, float(judged.scores[i]), pixels, heat(judged.distances[i])))
    return shown


def _result(bundle: Bundle, verdict: Findings, told: list[str], seconds: dict[str, float]) -> CalibrationResult:
    return CalibrationResult(
        directory=bundle.directory,
        number=bundle.number,
        fingerprint=bundle.manifest.fingerprint,
        threshold=verdict.active.value,
        rule=verdict.rule,
        how=verdict.active.how,
        warnings=told,
        metrics=bundle.manifest.metrics,
        timings=seconds,
    )
