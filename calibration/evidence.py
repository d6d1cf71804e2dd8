"""What a calibration found, as plain data: the report shows it to people, report.json holds it for programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from calibration import defects, metrics, threshold
from calibration.choice import Choice
from calibration.curve import Curve, helps, told
from calibration.findings import Findings, Named, Suspects, escaped
from calibration.synthetic import Trial
from calibration.threshold import CONFIDENCE, PARTS, Rejects
from inspectd.vision.bundle import PIXEL, RECHECK, Manifest

Fields = dict[str, Any]  # as it stands in the JSON file


@dataclass(frozen=True)
class Evidence:
    """All that an engineer signs for, but the pictures; `manifest` is sealed, with its fingerprint."""

    manifest: Manifest
    number: int
    warnings: Sequence[str]
    findings: Findings
    groups: Sequence[str]  # of the good parts that were scored
    exact: bool  # the good parts' scores are of the bundle itself: held out, not cross-fitted
    good: Named
    bad: Named
    painted: Trial
    suspects: Suspects
    curve: Curve | None
    choice: Choice | None

    @property
    def rejects(self) -> Rejects:
        """How many good groups the active threshold rejects."""
        return threshold.rejects(self.good.scores, self.groups, self.manifest.threshold)

    @property
    def escaped(self) -> list[tuple[str, float]]:
        """Known defects that pass, with their scores, the lowest first."""
        return escaped(self.findings, self.bad)

    @property
    def band(self) -> float | None:
        """Where the recheck band begins, if there is one."""
        found = self.findings.thresholds.get(RECHECK)
        return None if found is None else found.value

    @property
    def defective(self) -> dict[str, metrics.Floats]:
        """Scores of parts with defects, by where those come from; empty ones left out."""
        both = {"known defects": self.bad.scores, "painted defects (synthetic)": self.painted.scores.ravel()}
        return {name: scores for name, scores in both.items() if len(scores)}


def as_json(evidence: Evidence) -> bytes:
    """Return report.json."""
    manifest = evidence.manifest
    found: Fields = {
        "station": manifest.station, "product": manifest.product, "bundle": evidence.number,
        "fingerprint": manifest.fingerprint, "created": manifest.created, "warnings": list(evidence.warnings),
        "threshold": {
            "rule": evidence.findings.rule, "fail_from": manifest.threshold, "recheck_from": evidence.band,
            "outline_from": evidence.findings.thresholds[PIXEL].value,
        },
        "thresholds": manifest.thresholds,
        "false_rejects": _rejects(evidence),
        "known_defects_that_pass": [{"picture": name, "score": score} for name, score in evidence.escaped],
        "metrics": manifest.metrics,
        "scores": {"good": _grouped(evidence), "bad": _named(evidence.bad), "synthetic": _painted(evidence.painted)},
        "curves": {name: _curves(evidence.good.scores, scores) for name, scores in evidence.defective.items()},
        "learning_curve": None if evidence.curve is None else _learning(evidence.curve, evidence.rejects.groups),
        "suspects": asdict(evidence.suspects),
        "choice": None if evidence.choice is None else asdict(evidence.choice),
        "left_out": manifest.left_out, "picture": manifest.picture, "members": manifest.members, "arrays": manifest.arrays,
        "seed": manifest.seed, "versions": manifest.versions, "timings": manifest.timings, "pictures": manifest.pictures,
    }  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def _rejects(evidence: Evidence) -> Fields:
    found = evidence.rejects
    return {
        "groups": found.groups, "rejected": found.rejected, "confidence": CONFIDENCE, "exact": evidence.exact,
        "per": PARTS, "expected": PARTS * found.expected, "low": PARTS * found.low, "high": PARTS * found.high,
    }  # fmt: skip


def _named(parts: Named) -> list[Fields]:
    return [{"picture": name, "score": score} for name, score in parts.rising()]


def _grouped(evidence: Evidence) -> list[Fields]:
    """Name the group of each good part too: thresholds count groups."""
    group_of = dict(zip(evidence.good.names, evidence.groups, strict=True))
    return [part | {"group": group_of[part["picture"]]} for part in _named(evidence.good)]


def _painted(trial: Trial) -> list[Fields]:
    cells = [(kind, size) for kind in defects.KINDS for size in trial.sizes]
    rows = trial.scores.reshape(len(cells), -1).tolist()
    return [{"kind": kind, "size_px": size, "scores": scores} for (kind, size), scores in zip(cells, rows, strict=True)]


def _curves(good: metrics.Floats, bad: metrics.Floats) -> Fields:
    found = {"roc": metrics.roc(good, bad), "precision_recall": metrics.precision_recall(good, bad)}
    return {name: {"x": curve.thinned().x.tolist(), "y": curve.thinned().y.tolist()} for name, curve in found.items()}


def _learning(curve: Curve, groups: int) -> Fields:
    return {
        "pictures": list(curve.pictures), "score": curve.scores.mean(axis=0).tolist(),
        "spread": curve.scores.std(axis=0).tolist(), "gain": curve.gain, "gain_spread": curve.spread,
        "more_would_help": helps(curve, groups), "verdict": told(curve, groups),
    }  # fmt: skip
