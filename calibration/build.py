"""The calibration of a station, top to bottom: pictures, patch vectors, banks, threshold, bundle, report."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from calibration import bank, ensemble, findings, fitting, graphs, memory, pictures, release, report, synthetic
from calibration.ensemble import Learnt, Opinions, Panel, Pupil
from calibration.features import MEMORY, Extractor, Features, Indices
from calibration.findings import Findings, Rule
from calibration.job import Job, Options, accept
from calibration.pictures import Files, Pictures, Sample
from calibration.progress import Progress, Silent, Timed
from calibration.synthetic import Trial
from inspectd import clock
from inspectd.errors import Interrupted
from inspectd.station.schema import Config, Method
from inspectd.station.scratch import scratch
from inspectd.station.state import StateDir
from inspectd.vision import neighbours
from inspectd.vision.bundle import Bundle, FoundThreshold, Manifest

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
    learnt: Learnt
    bad: Opinions
    findings: Findings
    drawn: Trial


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
        with scratch(state) as work:
            cut = job.graphs(state.backbones)
            stored = [graphs.store(work, graph) for graph in cut]
            outcome = _learn(job, files, [work / f"{sha256}.onnx" for sha256 in stored], work, timed)
            seconds = timed.seconds()
            advance = timed.stage("bundle and report", 1)
            draft = _draft(job, outcome, seconds)
            backbones = [extractor.backbone for extractor in outcome.learnt.panel.extractors]
            bundle = release.publish(draft, state, dict(zip(stored, cut, strict=True)), backbones, work)
            advance(1)
    except KeyboardInterrupt:
        raise Interrupted("calibration stopped; nothing was written") from None
    return _result(bundle, outcome.findings, draft.warnings, timed.seconds())


def _learn(job: Job, files: Files, graphs: Sequence[Path], work: Path, timed: Timed) -> _Outcome:
    """Find out all that there is to find out from the pictures; what does not fit into the memory lies in `work`."""
    found = pictures.gather(files, job.station.group_by, timed)
    extractors = job.extractors(found.good[0], graphs)
    split = job.split([sample.group for sample in found.good])  # again: copies count once, and only their bytes tell them
    for extractor, (_, method) in zip(extractors, job.methods, strict=True):
        fitting.check_enough(split, extractor.patches, method)
    memory.check(job, extractors, len(found.good), work, timed)
    learnt = ensemble.learn(_pupils(job, extractors, found.good, work, timed), split, job.station.seed, timed)
    advance = timed.stage("scores of bad parts", len(found.bad) * len(extractors))
    known = learnt.panel.see(found.bad, job.options.threads, advance)
    verdict = findings.find(_good(found.good, learnt, timed), known.scores, job.rule, job.rate, job.recheck, job.station.seed)
    drawn = synthetic.try_out(learnt.panel, _not_learnt_first(learnt, found.good), job.station.seed, timed)
    return _Outcome(found, learnt, known, verdict, drawn)


def _good(samples: Sequence[Sample], learnt: Learnt, progress: Progress) -> findings.Good:
    """Put together what thresholds rest on."""
    said, peaks = learnt.good, np.empty(len(learnt.good.pictures))
    advance = progress.stage("heat maps of good parts", len(peaks))
    for i in range(len(peaks)):
        peaks[i] = learnt.panel.heat_map(said, i).max()
        advance(1)
    return findings.Good(said.scores, [samples[i].group for i in said.pictures], peaks, learnt.exact)


def _not_learnt_first(learnt: Learnt, samples: Sequence[Sample]) -> list[Sample]:
    """Return the good parts on which defects are painted: those held out alone, else all, golden ones first."""
    rest = [] if learnt.exact else [i for i in learnt.good.pictures if i not in learnt.golden]
    return [samples[i] for i in (learnt.good.pictures if learnt.exact else [*learnt.golden, *rest])]


def _pupils(job: Job, extractors: Sequence[Extractor], good: Sequence[Sample], work: Path, progress: Progress) -> list[Pupil]:
    """Let every member see the good parts."""
    advance, share = progress.stage("patch vectors", len(good) * len(extractors)), MEMORY // len(extractors)

    def seen(extractor: Extractor, method: Method) -> Features:
        drawn = bank.candidates(method, len(good) * extractor.patches)
        return Features(extractor, good, job.station.seed, advance, share, drawn, work)

    pairs = zip(extractors, job.methods, strict=True)
    return [Pupil(method, extractor, seen(extractor, method)) for extractor, (_, method) in pairs]


def _draft(job: Job, outcome: _Outcome, seconds: dict[str, float]) -> release.Draft:
    """Put the bundle together: manifest, arrays, golden pictures, report."""
    found, verdict = outcome.pictures, outcome.findings
    chosen = [found.good[i] for i in outcome.learnt.golden]
    golden = release.golden(outcome.learnt.panel, chosen, job.station.seed, verdict.active.value)
    blind = int((~golden.defective_failed).sum())
    good, bad = _named(found.good, outcome.learnt.good), _named(found.bad, outcome.bad)
    told = _doubts(outcome.learnt.panel) + findings.warnings(verdict, good, bad, found.repeated, blind)
    told += findings.no_band(job.recheck, verdict)
    page = partial(_report, outcome, told)
    return release.Draft(_manifest(job, outcome, seconds), outcome.learnt.panel.arrays, golden, told, page)


def _doubts(panel: Panel) -> list[str]:
    """Return which backbones never learnt to see."""
    seen = dict.fromkeys((m.backbone, e.backbone.weights) for m, e in zip(panel.methods, panel.extractors, strict=True))
    return [
        f"Backbone {name}: weights {said}, for tests alone; no score means anything."
        for name, said in seen
        if said.startswith("random")
    ]


def _named(samples: list[Sample], judged: Opinions) -> findings.Named:
    return findings.Named(judged.scores, [samples[i].name for i in judged.pictures])


def _report(outcome: _Outcome, told: list[str], sealed: Manifest, number: int) -> bytes:
    good, bad = outcome.learnt.good, outcome.bad
    good_sheet = _sheet(outcome.learnt.panel, outcome.pictures.good, good, np.argsort(-good.scores, kind="stable"))
    bad_sheet = _sheet(outcome.learnt.panel, outcome.pictures.bad, bad, np.argsort(bad.scores, kind="stable"))
    return report.render(report.Report(sealed, number, told, good.scores, bad.scores, good_sheet, bad_sheet))


def _manifest(job: Job, outcome: _Outcome, seconds: dict[str, float]) -> Manifest:
    active = outcome.findings.active
    everything = [*outcome.pictures.good, *outcome.pictures.bad]
    return Manifest(
        station=job.station.station,
        product=job.product,
        members=outcome.learnt.panel.described,
        picture=job.picture(everything[0]),
        threshold=active.value,
        thresholds={rule: FoundThreshold(**vars(found)) for rule, found in outcome.findings.thresholds.items()},
        seed=job.station.seed,
        versions=release.versions(job.options.threads),
        pictures={sample.name: sample.sha256 for sample in everything},
        metrics=_metrics(outcome, job.station.mm_per_px),
        created=clock.utc_text(clock.utc_ns()),
        timings=seconds,
    )


def _metrics(outcome: _Outcome, mm_per_px: float | None) -> findings.Figures:
    """Return the figures of merit at the active threshold; those of painted defects are called synthetic."""
    good, at = outcome.learnt.good.scores, outcome.findings.active.value
    known = findings.figures(good, outcome.bad.scores, at) | outcome.findings.intervals
    return known | synthetic.figures(outcome.drawn, good, at, mm_per_px)


def _sheet(panel: Panel, samples: list[Sample], said: Opinions, order: Indices) -> list[report.Shown]:
    """Return the first pictures of an order, with heat maps of the distances by which they were scored."""
    shown = []
    for i in order[:_SHOWN]:
        sample = samples[said.pictures[i]]
        pixels = panel.extractors[0].cut(sample.pixels())
        shown.append(report.Shown(sample.name, float(said.scores[i]), pixels, panel.heat_map(said, i)))
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
