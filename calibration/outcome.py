"""All that a calibration found out, and how it is written down: manifest, golden pictures, report."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from calibration import curve, evidence, findings, pictures, release, report, synthetic, threshold
from calibration.curve import Curve
from calibration.ensemble import Learnt, Opinions, Panel
from calibration.evidence import Evidence
from calibration.features import Indices
from calibration.findings import Findings, Named, Suspects
from calibration.job import Job
from calibration.pictures import Pictures, Sample
from calibration.sheets import Shown
from calibration.synthetic import Trial
from calibration.threshold import PARTS
from inspectd import clock
from inspectd.vision import reports
from inspectd.vision.bundle import RECHECK, FoundThreshold, Manifest

_SHOWN = 9  # pictures in each sheet of the report


@dataclass(frozen=True)
class Outcome:
    """All that was found out, before it is written down."""

    pictures: Pictures
    learnt: Learnt
    bad: Opinions
    findings: Findings
    suspects: Suspects
    drawn: Trial
    curve: Curve | None

    @property
    def good_parts(self) -> Named:
        """Good parts that were scored."""
        return named(self.pictures.good, self.learnt.good)

    @property
    def groups(self) -> list[str]:
        """Their groups."""
        return [self.pictures.good[i].group for i in self.learnt.good.pictures]

    @property
    def bad_parts(self) -> Named:
        """Known bad parts."""
        return named(self.pictures.bad, self.bad)


def draft(job: Job, outcome: Outcome, seconds: dict[str, float]) -> release.Draft:
    """Put the bundle together: manifest, arrays, golden pictures, report."""
    found, verdict = outcome.pictures, outcome.findings
    chosen = [found.good[i] for i in outcome.learnt.golden]
    golden = release.golden(outcome.learnt.panel, chosen, job.station.seed, verdict.active.value)
    blind = int((~golden.defective_failed).sum())
    told = _doubts(outcome.learnt.panel) + pictures.skipped(found)
    told += findings.warnings(verdict, outcome.good_parts, outcome.bad_parts, outcome.suspects, blind)
    told += findings.no_band(job.recheck, verdict) + synthetic.warnings(outcome.drawn, verdict.active.value)
    pages = partial(_pages, job, outcome, told)
    return release.Draft(_manifest(job, outcome, seconds), outcome.learnt.panel.arrays, golden, told, pages)


def summary(job: Job, outcome: Outcome) -> list[str]:
    """Say what to expect on the line, a sentence each."""
    at, mm = outcome.findings.active.value, job.station.mm_per_px
    rejects, bad = threshold.rejects(outcome.learnt.good.scores, outcome.groups, at), outcome.bad_parts
    expected = f"{rejects.in_parts} of {PARTS:,} good parts"
    told = [f"False rejects to expect: {expected}."]
    if band := outcome.findings.thresholds.get(RECHECK):
        told.append(f"Parts from {band.value:.4g} up to the threshold go to the rework lane (recheck).")
    if len(bad.scores):
        told.append(f"Known bad parts that pass: {len(findings.escaped(outcome.findings, bad))} of {len(bad.scores)}.")
    return [*told, synthetic.told(outcome.drawn, at, mm), curve.told(outcome.curve, rejects.groups)]


def _doubts(panel: Panel) -> list[str]:
    """Return which backbones never learnt to see."""
    seen = dict.fromkeys((m.backbone, e.backbone.weights) for m, e in zip(panel.methods, panel.extractors, strict=True))
    return [
        f"Backbone {name}: weights {said}, for tests alone; no score means anything."
        for name, said in seen
        if said.startswith("random")
    ]


def named(samples: list[Sample], judged: Opinions) -> Named:
    """Return the scores of the pictures that were judged, by name."""
    return findings.Named(judged.scores, [samples[i].name for i in judged.pictures])


def _pages(job: Job, outcome: Outcome, told: list[str], sealed: Manifest, number: int) -> dict[str, bytes]:
    """Return what stands in the bundle for people, and the same for programs."""
    good, bad = outcome.learnt.good, outcome.bad
    found = Evidence(
        manifest=sealed, number=number, warnings=told, findings=outcome.findings,
        groups=outcome.groups, exact=outcome.learnt.exact, good=outcome.good_parts,
        bad=outcome.bad_parts, painted=outcome.drawn, suspects=outcome.suspects, curve=outcome.curve,
        choice=job.options.choice,
    )  # fmt: skip
    good_sheet = _sheet(outcome.learnt.panel, outcome.pictures.good, good, np.argsort(-good.scores, kind="stable"))
    bad_sheet = _sheet(outcome.learnt.panel, outcome.pictures.bad, bad, np.argsort(bad.scores, kind="stable"))
    shown = report.render(report.Report(found, good_sheet, bad_sheet))
    return {reports.REPORT: shown, reports.FIGURES: evidence.as_json(found)}


def _manifest(job: Job, outcome: Outcome, seconds: dict[str, float]) -> Manifest:
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
        versions=release.versions(job.options.threads, any(one.search == "ivfpq" for _, one in job.methods)),
        pictures={sample.name: sample.sha256 for sample in everything},
        left_out=outcome.pictures.left_out,
        metrics=_metrics(job, outcome),
        created=clock.utc_text(clock.utc_ns()),
        timings=seconds,
    )


def _metrics(job: Job, outcome: Outcome) -> findings.Figures:
    """Return the figures of merit at the active threshold; those of painted defects are called synthetic."""
    tried = job.options.choice.figures if job.options.choice else {}
    good, at = outcome.learnt.good.scores, outcome.findings.active.value
    known = findings.figures(good, outcome.bad.scores, at) | outcome.findings.intervals
    return known | synthetic.figures(outcome.drawn, good, at, job.station.mm_per_px) | tried


def _sheet(panel: Panel, samples: list[Sample], said: Opinions, order: Indices) -> list[Shown]:
    """Return the first pictures of an order, with heat maps of the distances by which they were scored."""
    shown = []
    for i in order[:_SHOWN]:
        sample = samples[said.pictures[i]]
        pixels = panel.extractors[0].cut(sample.pixels())
        shown.append(Shown(sample.name, float(said.scores[i]), pixels, panel.heat_map(said, i)))
    return shown
