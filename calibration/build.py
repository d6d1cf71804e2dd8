"""The calibration of a station, top to bottom: pictures, patch vectors, banks, threshold, bundle, report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration import bank, curve, ensemble, findings, fitting, graphs, memory, pictures, release, synthetic
from calibration.ensemble import Learnt, Pupil
from calibration.features import MEMORY, Extractor, Features
from calibration.findings import Rule, Suspects
from calibration.job import Job, Options, accept
from calibration.outcome import Outcome, draft, named, summary
from calibration.pictures import Files, Pictures, Sample
from calibration.progress import Progress, Silent, Timed
from inspectd.errors import Interrupted, NotEnoughPictures
from inspectd.station.schema import Config, Method
from inspectd.station.scratch import scratch
from inspectd.station.state import StateDir
from inspectd.vision import likeness, neighbours, reports
from inspectd.vision.bundle import Bundle


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
    summary: list[str]  # what to expect on the line, a sentence each
    metrics: dict[str, float | str]
    timings: dict[str, float]  # seconds, by stage

    @property
    def report(self) -> Path:
        """The page to read and sign."""
        return self.directory / reports.REPORT


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
    neighbours.use_threads(1)  # calibration divides its work in larger pieces than matrix products
    timed, before = Timed(progress or Silent()), state.bundles(station, product)
    try:
        files = job.listed(good, bad)
        with scratch(state, *state.goals(station, product)) as work:
            cut = job.graphs(state.backbones)
            stored = [graphs.store(work, graph) for graph in cut]
            found = _learn(job, files, [work / f"{sha256}.onnx" for sha256 in stored], work, timed)
            seconds = timed.seconds()
            advance = timed.stage("bundle and report", 1)
            made = draft(job, found, seconds)
            backbones = [extractor.backbone for extractor in found.learnt.panel.extractors]
            bundle = release.publish(made, state, dict(zip(stored, cut, strict=True)), backbones, work)
            advance(1)
    except KeyboardInterrupt:
        new = [number for number in state.bundles(station, product) if number not in before]
        left = f"bundle {new[-1]} was written, and is not active" if new else "nothing was written"
        raise Interrupted(f"calibration stopped; {left}") from None
    except NotEnoughPictures as error:
        raise NotEnoughPictures(f"{good}: {error}") from error
    return _result(job, bundle, found, made.warnings, timed.seconds())


def _learn(job: Job, files: Files, graphs: Sequence[Path], work: Path, timed: Timed) -> Outcome:
    """Find out all that there is to find out from the pictures; what does not fit into the memory lies in `work`."""
    found = pictures.gather(files, job.station.group_by, timed, job.options.skip_bad)
    extractors = job.extractors(found.good[0], graphs)
    split = job.split([sample.group for sample in found.good])  # again: copies count once, and only their bytes tell them
    for extractor, (_, method) in zip(extractors, job.methods, strict=True):
        fitting.check_enough(split, extractor.patches, method)
    memory.check(job, extractors, len(found.good), work.parent, timed)
    pupils = _pupils(job, extractors, found.good, work, timed)
    learnt = ensemble.learn(pupils, split, job.station.seed, timed)
    drawn = curve.draw(pupils, learnt, split, job.station.seed, timed)
    alike = likeness.groups(pupils[0].features.small)
    del pupils  # and with them the patch vectors
    advance = timed.stage("scores of bad parts", len(found.bad) * len(extractors))
    known = learnt.panel.see(found.bad, job.options.threads, advance)
    verdict = findings.find(_good(found.good, learnt, timed), known.scores, job.rule, job.rate, job.recheck, job.station.seed)
    odd = _suspects(found, learnt, alike)
    painted = synthetic.try_out(learnt.panel, _not_learnt_first(learnt, found.good), job.station.seed, timed)
    return Outcome(found, learnt, known, verdict, odd, painted, drawn)


def _suspects(found: Pictures, learnt: Learnt, alike: Sequence[Sequence[int]]) -> Suspects:
    names = [[found.good[i].name for i in group] for group in alike]
    return findings.suspects(named(found.good, learnt.good), names, found.repeated)


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


def _result(job: Job, bundle: Bundle, found: Outcome, told: list[str], seconds: dict[str, float]) -> CalibrationResult:
    verdict = found.findings
    return CalibrationResult(
        directory=bundle.directory,
        number=bundle.number,
        fingerprint=bundle.manifest.fingerprint,
        threshold=verdict.active.value,
        rule=verdict.rule,
        how=verdict.active.how,
        warnings=told,
        summary=summary(job, found),
        metrics=bundle.manifest.metrics,
        timings=seconds,
    )
