"""report.html: what an engineer reads before releasing a bundle, and signs.

One self-contained page for screen and paper: warnings first, then what to expect on the line, the scores, the parts nearest
to a wrong verdict, what more pictures would bring, and all that is needed to make the same bundle again. Each part begins
with what it means and what to do.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from calibration import charts, curve, defects, findings, metrics, page, sheets, synthetic
from calibration.charts import Line, Panel, Scores
from calibration.choice import Choice, Tried
from calibration.curve import Curve
from calibration.evidence import Evidence
from calibration.page import LISTED, Markup
from calibration.sheets import Shown
from calibration.threshold import CONFIDENCE, PARTS
from inspectd.vision.bundle import Manifest, Member

_HASHES = 200  # pictures whose sha256 is printed: two pages; those of more stand in report.json alone


@dataclass(frozen=True)
class Report:
    """All that the report shows: figures, pictures of the good parts with the highest scores and bad ones with the lowest."""

    evidence: Evidence
    good: Sequence[Shown]
    bad: Sequence[Shown]


def render(report: Report) -> bytes:
    """Return report.html."""
    evidence = report.evidence
    manifest = evidence.manifest
    title = f"Calibration of {manifest.station}, {manifest.product}, bundle {evidence.number}"
    parts = [_head(evidence), _warnings(evidence), _figures(evidence), _expected(evidence), _scores(evidence)]
    parts += [
        _told_apart(evidence),
        *_sheets(report),
        *_sizes(evidence),
        _learning(evidence.curve, evidence.rejects.groups),
        _suspects(evidence),
    ]
    parts += [*_choice(evidence.choice), _settings(manifest), _made_with(manifest), _data(manifest), _signature(evidence)]
    return page.page(title, parts, f"{title}, fingerprint {manifest.fingerprint}").encode()


def _head(evidence: Evidence) -> Markup:
    manifest, kind = evidence.manifest, "inspectd calibration report"
    made = f"bundle {evidence.number}, made {manifest.created}"
    return page.header(kind, manifest.station, manifest.product, made, manifest.fingerprint)


def _warnings(evidence: Evidence) -> Markup:
    if not evidence.warnings:
        return page.items("warnings none", ["Nothing to warn of. Look at the sheets below before you sign."])
    return page.items("warnings", evidence.warnings)


def _figures(evidence: Evidence) -> Markup:
    metrics_ = evidence.manifest.metrics
    pairs = [("Threshold", f"{evidence.manifest.threshold:.4g}"), ("Good pictures", f"{len(evidence.good.scores):,}")]
    if count := len(evidence.bad.scores):
        pairs += [("Bad pictures", f"{count:,}"), ("Bad ones that pass", f"{len(evidence.escaped)}")]
    pairs.append((f"False rejects in {PARTS:,}", f"{PARTS * evidence.rejects.expected:.0f}"))
    names = {"image_auroc": "Image AUROC", "f1": "F1 at threshold", "synthetic_smallest_px": "Found from (synthetic), px"}
    pairs += [(name, _number(metrics_[key])) for key, name in names.items() if key in metrics_]
    return page.figures(pairs)


def _expected(evidence: Evidence) -> Markup:
    found = evidence.rejects
    kind = "by the very bank that will judge" if evidence.exact else "each by a bank of the others, so this is an estimate"
    rejects = (
        f"Of {PARTS:,} good parts expect about {PARTS * found.expected:.0f} to be rejected, two-sided {CONFIDENCE:.0%} "
        f"interval {PARTS * found.low:.0f} to {PARTS * found.high:.0f}: here it was {found.rejected} of {found.groups} "
        f"(parts, or lots where the station file groups them), {kind}. More good pictures make the interval narrower."
    )
    told = [page.note(rejects)]
    if evidence.band is not None:
        told.append(page.note(f"Parts from {evidence.band:.4g} up to the threshold go to the rework lane (RECHECK)."))
    if not len(evidence.bad.scores):
        told.append(page.note(
            "No bad parts were given, so what the station catches is not known. Keep every bad part that you find, and check "
            "with inspectd evaluate."
        ))  # fmt: skip
        return page.section("What to expect on the line", *told)
    return page.section("What to expect on the line", *told, *_escaped(evidence))


def _escaped(evidence: Evidence) -> list[Markup]:
    """Name the known defects that pass."""
    passing, count, at = evidence.escaped, len(evidence.bad.scores), evidence.manifest.threshold
    if not passing:
        return [page.note(f"All {count} known bad parts are stopped.")]
    rows = [(name, f"{score:.4g}", f"{score / at:.1%}") for name, score in passing[:LISTED]]
    more = f" The {LISTED} with the lowest scores:" if len(passing) > LISTED else ""
    note = f"{len(passing)} of the {count} known bad parts pass: decide whether customers may get such parts.{more}"
    return [page.note(note), page.table(("Bad part that passes", "Score", "Of the threshold"), rows)]


def _scores(evidence: Evidence) -> Markup:
    note = page.note(
        "Good parts should lie left of the threshold, bad ones right of it: the wider the gap between them, the safer. Painted "
        "defects are synthetic, many of them tiny, and need not all lie to the right."
    )
    rows = [
        (rule + (", active" if rule == evidence.findings.rule else ""), f"{found.value:.5g}", found.how)
        for rule, found in evidence.manifest.thresholds.items()
    ]
    scores = Scores(evidence.good.scores, evidence.bad.scores, evidence.painted.scores.ravel())
    drawn = Markup(charts.histogram(scores, evidence.manifest.threshold, evidence.band))
    return page.section("Scores and threshold", note, drawn, page.table(("Rule", "Threshold", "How it was found"), rows))


def _told_apart(evidence: Evidence) -> Markup:
    """Draw ROC and precision over recall, of known defects and of painted ones."""
    pairs = {name: (evidence.good.scores, scores) for name, scores in evidence.defective.items()}
    if not pairs:
        return Markup()
    note = page.note(
        "What any other threshold would do. Left: the nearer a line comes to the upper left corner, the more bad parts are "
        "rejected for few good ones. Right: of what is rejected, how much is bad."
    )
    roc = {name: _line(metrics.roc(*both)) for name, both in pairs.items()}
    precision = {name: _line(metrics.precision_recall(*both)) for name, both in pairs.items()}
    shown = [
        Panel("ROC", "share of good parts rejected", "share of bad parts rejected", roc, marked=False),
        Panel("Precision and recall", "share of bad parts rejected", "bad ones among rejected", precision, marked=False),
    ]
    return page.section("How well bad parts are told from good ones", note, Markup(charts.drawing(shown)))


def _line(found: metrics.Curve) -> Line:
    thin = found.thinned()
    return Line(thin.x.tolist(), thin.y.tolist())


def _sheets(report: Report) -> list[Markup]:
    at, band = report.evidence.manifest.threshold, report.evidence.band
    good = page.note(
        "Is each of these really good? If not, calibrate again without it (--drop). Is the bright place one that varies but "
        "does not matter? Mask it. Each was scored by a bank that does not contain it. Maps: dark to 50% of the threshold, "
        "bright from 150% on."
    )
    found = [page.section("Good parts with the highest scores", good, sheets.sheet(report.good, at, band))]
    if report.bad:
        bad = page.note("Does the bright place of each map lie where the defect is? If not, the part is rejected by luck.")
        found.append(page.section("Bad parts with the lowest scores", bad, sheets.sheet(report.bad, at, band)))
    return found


def _sizes(evidence: Evidence) -> list[Markup]:
    """Tell of which painted defects how many were found."""
    sizes, manifest = evidence.painted.sizes, evidence.manifest
    if not sizes:
        return []
    found = synthetic.told(evidence.painted, manifest.threshold, manifest.picture.mm_per_px)
    note = page.note(
        f"{found} The table has the share by size, and by kind. Painted defects show how large a defect must be at least, not "
        "how many real ones are caught."
    )
    rows = [
        (kind, *(f"{float(manifest.metrics[f'synthetic_recall.{kind}.{size}px']):.0%}" for size in sizes))
        for kind in defects.KINDS
    ]
    table = page.table(("Kind", *(f"{size} px" for size in sizes)), rows)
    return [page.section("Which sizes are found (synthetic)", note, table)]


def _learning(found: Curve | None, groups: int) -> Markup:
    title, verdict = "Would more good pictures help?", curve.told(found, groups)
    if found is None:
        return page.section(title, page.note(verdict))
    note = page.note(
        f"{verdict} The line shows the mean score of such parts, 100 being that of the most pictures; "
        "bars show how it differs from fold to fold."
    )
    means, spreads = 100 * found.scores.mean(axis=0), 100 * found.scores.std(axis=0)
    line = Line(list(map(float, found.pictures)), means.tolist(), spreads.tolist())
    shown = Panel("", "pictures learnt from", "score of unseen good parts", {"good parts not learnt from": line})
    return page.section(title, note, page.fill('<div class="half">$svg</div>', svg=Markup(charts.drawing([shown]))))


def _suspects(evidence: Evidence) -> Markup:
    odd, left_out = evidence.suspects, evidence.manifest.left_out
    title = "Pictures to look at"
    rows = [("scores far above the others", name) for name in odd.outliers[:LISTED]]
    rows += [("look like the same part", " = ".join(names)) for names in odd.alike[:LISTED]]
    rows += [("copy of another file", name) for name in odd.copies[:LISTED]]
    rows += [(f"left out: {one.why}", name) for name, one in list(left_out.items())[:LISTED]]
    if not rows:
        return page.section(title, page.note("No picture stands out, none looks like another, none was left out."))
    told = [page.note("All of them stand in report.json.")]
    if again := [*odd.outliers, *(name for names in odd.alike for name in names[1:])]:
        told.insert(0, page.note(f"To calibrate without them: inspectd calibrate … {findings.drop(again)}"))
    return page.section(title, *told, page.table(("What", "Pictures"), rows))


def _choice(choice: Choice | None) -> list[Markup]:
    """Show what an automatic choice of settings tried."""
    if choice is None:
        return []
    note = page.note(f"{choice.sure} Score: {choice.score} A part may take {choice.budget_ms:.0f} ms.")
    head = ("Settings", "Score", "Interval", "ms a part", "")
    return [page.section("How the settings were chosen", note, page.table(head, map(_tried, choice.tried)))]


def _tried(one: Tried) -> tuple[str, ...]:
    score = "not measured" if one.score is None else f"{one.score:.3f}"
    interval = "" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"
    return one.settings, score, interval, f"{one.ms:.1f}", one.fate


def _settings(manifest: Manifest) -> Markup:
    picture = manifest.picture
    rows = [("camera picture", f"{picture.camera_px[1]} x {picture.camera_px[0]} {picture.pixel_format}")]
    rows.append(("roi", "whole picture" if picture.roi is None else "x {}, y {}, {} x {}".format(*picture.roi)))
    rows += [("mask, sha256", picture.mask_sha256)] if picture.mask_sha256 else []
    for member in manifest.members:
        rows += _member(member)
        if len(manifest.members) > 1:
            rows.append(("share in the score", f"weight {member.weight:g}, in units of {member.scale:.4g}"))
    rows += [(f"{ref.role}, {ref.dtype} {list(ref.shape)}, sha256", ref.sha256) for ref in manifest.arrays]
    return page.section("Settings", page.table((), [*rows, ("seed", str(manifest.seed))]))


def _member(member: Member) -> list[tuple[str, str]]:
    layers = ", ".join(str(layer) for layer in member.layers)
    score = f"{member.score} {member.power:g}" if member.score == "power_mean" else member.score
    score += f", sigma {member.sigma:g} patches" if member.score in ("power_mean", "smoothed_max") else ""
    return [
        ("method", f"{member.method}, score {score}, {member.normalisation} standardisation"),
        ("backbone", f"{member.backbone_name}, layers {layers}, averaged over {member.patch} x {member.patch}"),
        ("backbone graph, sha256", member.backbone),
        ("input", _input(member)),
    ]


def _input(member: Member) -> str:
    """Say how a member sees."""
    told = f"{member.input_px[1]} x {member.input_px[0]} px"
    tiling = member.tiling
    told += f" for each of {tiling.rows} x {tiling.columns} tiles, {tiling.overlap_px} px shared" if tiling else ""
    return told + (f", 1 of {member.stride} x {member.stride} patches" if member.stride > 1 else "")


def _made_with(manifest: Manifest) -> Markup:
    timings = {f"time: {step}": f"{seconds:.1f} s" for step, seconds in manifest.timings.items()}
    return page.section("Made with", page.table((), [*manifest.versions.items(), *timings.items()]))


def _data(manifest: Manifest) -> Markup:
    """List the pictures' hashes, and one of all: that of what `sha256sum` prints of the files, in the order listed."""
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in manifest.pictures.items())
    whole = hashlib.sha256(lines.encode()).hexdigest()
    told = f"{len(manifest.pictures):,} pictures; sha256 of their list, as sha256sum prints it: {whole}."
    if len(manifest.pictures) > _HASHES:
        return page.section("Pictures", page.note(f"{told} Every picture's own stands in report.json."))
    listed = page.hashes((name, sha256[:16]) for name, sha256 in manifest.pictures.items())
    return page.section("Pictures", page.note(f"{told} First 16 digits of each; whole in report.json."), listed)


def _signature(evidence: Evidence) -> Markup:
    what = f"I have read the warnings and looked at the sheets. Bundle {evidence.number} of {evidence.manifest.station}"
    return page.release(what, evidence.manifest.fingerprint)


def _number(value: float | str) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
