"""The reports of a revision: who set the threshold, why, and what it changes of what the calibration found out.

Worked out from the calibration's own figures, calibration.json, without looking at a picture again; a line without the extra
`calibrate` can write them too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np

from calibration import page, threshold
from calibration.page import LISTED, Markup
from calibration.threshold import PARTS, Rejects
from inspectd.errors import BadBundle
from inspectd.vision import reports
from inspectd.vision.bundle import RECHECK, Manifest, Revision
from inspectd.vision.revision import CALIBRATION


class Part(msgspec.Struct, frozen=True):
    """A part that the calibration scored."""

    picture: str
    score: float
    group: str = ""


class Known(msgspec.Struct, frozen=True):
    """Scores of good parts by banks that do not hold them, and of bad ones."""

    good: list[Part]
    bad: list[Part]


class _Threshold(msgspec.Struct, frozen=True):
    fail_from: float


class _Figures(msgspec.Struct, frozen=True):
    """What is read of calibration.json."""

    scores: Known
    threshold: _Threshold


@dataclass(frozen=True)
class Effect:
    """What a threshold does to the parts of the calibration."""

    threshold: float  # FAIL from here on
    passes_below: float  # lower where there is a recheck band
    rejects: Rejects  # good groups
    passing: list[Part]  # known bad parts that pass, the lowest score first


def effect(known: Known, at: float, band: float | None) -> Effect:
    """Work out what a threshold does to parts whose scores are known; the recheck band begins at `band`."""
    scores, below = np.array([part.score for part in known.good]), at if band is None else band
    passing = sorted((part for part in known.bad if part.score < below), key=lambda part: part.score)
    return Effect(at, below, threshold.rejects(scores, [part.group for part in known.good], at), passing)


def pages(directory: Path, manifest: Manifest) -> dict[str, bytes]:
    """Return the reports of a revision, by file name; BadBundle if the calibration's figures are damaged.

    Where the calibration left no figures they tell who and why alone.
    """
    change = manifest.revision
    if change is None:
        raise ValueError("a bundle as it was calibrated has the report of its calibration")
    found, band = _figures(directory, manifest), manifest.thresholds.get(RECHECK)
    known, begins = (found.scores, None if band is None else band.value) if found else (None, None)
    at = [found.threshold.fail_from, change.threshold, manifest.threshold] if found else []
    effects = [effect(known, one, begins) for one in at] if known else []
    figures = {
        "station": manifest.station, "product": manifest.product, "fingerprint": manifest.fingerprint, "revision": change,
        "threshold": manifest.threshold, "effects": [asdict(one) for one in effects],
    }  # fmt: skip
    told = msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n"
    return {reports.REPORT: _page(manifest, change, known, effects), reports.FIGURES: told}


def _figures(directory: Path, manifest: Manifest) -> _Figures | None:
    name = CALIBRATION[reports.FIGURES]
    if name not in manifest.reports:
        return None
    reports.check(directory, manifest)
    try:
        return msgspec.json.decode((directory / name).read_bytes(), type=_Figures)
    except msgspec.DecodeError as error:  # unharmed, so of another release
        raise BadBundle(f"{directory / name}: expected the figures of a calibration: {error}; calibrate again") from error


def _page(manifest: Manifest, change: Revision, known: Known | None, effects: Sequence[Effect]) -> bytes:
    title = f"Threshold of {manifest.station}, {manifest.product}, set to {manifest.threshold:.5g}"
    head = page.header(
        "inspectd threshold report", manifest.station, manifest.product, f"made {manifest.created}", manifest.fingerprint
    )
    parts = [head, *(_effects(known, effects) if known else [_UNKNOWN]), _change(manifest, change)]
    if known and (changed := list(_changed(known, *effects[1:]))):
        note = f"Parts of the calibration that are judged otherwise than before{_and_more(len(changed))}."
        table = page.table(("Part", "Score", "Before", "Now"), changed[:LISTED])
        parts.append(page.section("Whose verdict changes", page.note(note), table))
    parts.append(
        page.release(
            f"I have read what changes. Threshold {manifest.threshold:.5g} of {manifest.station}", manifest.fingerprint
        )
    )
    return page.page(title, parts, f"{title}, fingerprint {manifest.fingerprint}").encode()


_UNKNOWN = page.items("warnings", ["The calibration left no figures: what this changes is not known. Watch the first parts."])


def warnings(known: Known, before: Effect, now: Effect) -> list[str]:
    """Tell of what gets worse: known bad parts that pass, good ones that are rejected; and of what is not known."""
    more, rejected = len(now.passing) - len(before.passing), now.rejects.rejected - before.rejects.rejected
    told = [f"Known bad parts that pass: {len(now.passing)}, {more} more than before."] if more > 0 else []
    if rejected > 0:
        of = f"{now.rejects.rejected} of {now.rejects.groups}"
        told.append(f"Good parts or lots that are rejected: {of}, {rejected} more than before.")
    if not known.bad:
        told.append("No bad parts were given to the calibration: what passes now is not known.")
    return told


def _effects(known: Known, effects: Sequence[Effect]) -> list[Markup]:
    """Compare the threshold of the calibration, the one before, and the new one."""
    told = warnings(known, *effects[1:])
    rows = [
        ("FAIL from", *(f"{one.threshold:.5g}" for one in effects)),
        ("PASS below", *(f"{one.passes_below:.5g}" for one in effects)),
        ("good groups rejected, of those scored", *(f"{one.rejects.rejected} of {one.rejects.groups}" for one in effects)),
        (f"false rejects to expect in {PARTS:,}", *(one.rejects.in_parts for one in effects)),
        (
            "known bad parts that pass",
            *(f"{len(one.passing)} of {len(known.bad)}" if known.bad else "not known" for one in effects),
        ),
    ]
    note = page.note(
        "Of the parts of the calibration: no other was looked at. Parts, or lots where the station file groups them."
    )
    table = page.table(("", "As calibrated", "Before", "Now"), rows)
    return [page.items("warnings", told) if told else Markup(), page.section("What it changes", note, table)]


def _change(manifest: Manifest, change: Revision) -> Markup:
    rows = [("who", change.who), ("why", change.why), ("when", change.when), ("fingerprint before", change.parent)]
    if RECHECK in manifest.thresholds:
        rows.append(("recheck band", f"begins at {manifest.thresholds[RECHECK].value:.5g}, as it did"))
    page_of = CALIBRATION[reports.REPORT]
    rows += (
        [("calibration", f"{page_of}, beside this page: of the threshold that it found")] if page_of in manifest.reports else []
    )
    return page.section("Who and why", page.table((), rows))


def _changed(known: Known, before: Effect, now: Effect) -> Iterator[tuple[str, ...]]:
    """Name parts whose verdict changes, the highest score first."""
    for part in sorted([*known.good, *known.bad], key=lambda part: -part.score):
        verdicts = [_verdict(part.score, one) for one in (before, now)]
        if verdicts[0] != verdicts[1]:
            yield part.picture, f"{part.score:.5g}", *verdicts


def _verdict(score: float, by: Effect) -> str:
    return "FAIL" if score >= by.threshold else "PASS" if score < by.passes_below else "RECHECK"


def _and_more(count: int) -> str:
    return f"; the {LISTED} with the highest scores of {count}" if count > LISTED else ""
