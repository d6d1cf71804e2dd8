"""What the scores of a calibration say: thresholds by rule, figures of merit, and what an engineer must be warned of. Pure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration import metrics, threshold
from calibration.threshold import Found, Rate
from inspectd.vision.bundle import PIXEL, RECHECK

Rule = Literal["f1", "full_recall", "max_false_reject"]
Floats = NDArray[np.float64]
Figures = dict[str, float | str]

_POOR_AUROC = 0.9
_FENCE = 5  # quartile ranges above the upper quartile; of normal scores one in 10^13 lies there
_NAMED = 5  # pictures named in one warning


@dataclass(frozen=True)
class Named:
    """Scores [n] of parts, with the names of their pictures [n]."""

    scores: Floats
    names: Sequence[str]

    def rising(self) -> list[tuple[str, float]]:
        """Return names and scores, the lowest score first."""
        return [(self.names[i], float(self.scores[i])) for i in np.argsort(self.scores, kind="stable")]


@dataclass(frozen=True)
class Good:
    """What thresholds rest on: scores [n] of good parts, the group of each, and the highest value [n] of each heat map.

    `exact`: they come from a bank that never saw the parts, and which is the one that will judge.
    """

    scores: Floats
    groups: Sequence[str]
    peaks: Floats
    exact: bool


@dataclass(frozen=True)
class Suspects:
    """Good pictures that somebody should look at, by name."""

    outliers: Sequence[str]  # score far above all others, the highest first
    alike: Sequence[Sequence[str]]  # show the same part, though their files differ
    copies: Sequence[str]  # are the same file as another one


@dataclass(frozen=True)
class Findings:
    """Thresholds by rule, and the active one; beside them where the recheck band and outlines begin."""

    rule: Rule
    thresholds: dict[str, Found]

    @property
    def active(self) -> Found:
        """The threshold that is used."""
        return self.thresholds[self.rule]

    @property
    def passes_below(self) -> float:
        """A part with a lower score passes: below the threshold, and below the recheck band where there is one."""
        return self.thresholds.get(RECHECK, self.active).value

    @property
    def intervals(self) -> Figures:
        """The thresholds found from labelled parts, each with the ends of its interval."""
        return {
            f"{rule}_threshold{end}": self.thresholds[rule].value if not end else self.thresholds[rule].facts[end[1:]]
            for rule in ("f1", "full_recall")
            if rule in self.thresholds
            for end in ("", "_low", "_high")
        }


def find(good: Good, bad: Floats, rule: Rule, rate: Rate, recheck: float | str | None = None, seed: int = 0) -> Findings:
    """Find the thresholds of all rules that the pictures allow; `rule` says which is active.

    `bad` [m] may be empty; `recheck` as the station file has it. NotEnoughPictures if what is asked for cannot be met.
    """
    # where another rule is active, the rate that the pictures support is told and none is insisted on
    asked = rate if rule == "max_false_reject" else "best"
    promised = threshold.max_false_reject(good.scores, good.groups, asked, exact=good.exact)
    found = {"max_false_reject": promised}
    if len(bad):
        found["f1"] = threshold.f1(good.scores, good.groups, bad, seed)
        found["full_recall"] = threshold.full_recall(good.scores, good.groups, bad, seed)
    found[PIXEL] = threshold.pixel(good.peaks, good.groups, float(promised.facts["rate"]), exact=good.exact)
    band = recheck and threshold.recheck_from(recheck, found[rule], good.scores, good.groups, exact=good.exact)
    return Findings(rule, found | ({RECHECK: band} if band else {}))


def figures(good: Floats, bad: Floats, at: float) -> Figures:
    """Return the figures of merit that the labels allow, at a threshold."""
    counts = metrics.confusion(good, bad, at)
    found: Figures = {"false_positives": counts.false_rejects, "good": len(good)}
    if len(bad):
        best, safe = metrics.f1_optimal(good, bad), metrics.full_recall(good, bad)
        found |= {
            "bad": len(bad),
            "false_negatives": counts.escaped,
            "f1": counts.f1,
            "f1_optimal": best.f1,
            "image_auroc": metrics.image_auroc(good, bad),
            "average_precision": metrics.average_precision(good, bad),
            "false_positives_at_full_recall": safe.false_rejects,
        }
    return found


def suspects(good: Named, alike: Sequence[Sequence[str]], copies: Sequence[str]) -> Suspects:
    """Return the good pictures to look at, of their scores and of those that were found alike; copies are told as copies."""
    others = [[name for name in names if name not in copies] for names in alike]
    return Suspects(_outliers(good), [names for names in others if len(names) > 1], copies)


def escaped(found: Findings, bad: Named) -> list[tuple[str, float]]:
    """Return the known defects that pass, with their scores, the lowest first."""
    return [(name, score) for name, score in bad.rising() if score < found.passes_below]


def warnings(found: Findings, good: Named, bad: Named, odd: Suspects, blind: int) -> list[str]:
    """Return what must be known before a bundle is released, the gravest first.

    `blind` golden pictures pass although they have a synthetic defect.
    """
    told = []
    if passing := [name for name, _ in escaped(found, bad)]:
        share = f"{len(passing)} of {len(bad.scores)} known defects"
        told.append(f"{share} pass at the active threshold ({found.rule}): {_some(passing)}.")
    if blind:
        told.append(f"{blind} of the golden pictures pass although a synthetic defect was painted on them.")
    if len(bad.scores) and (auroc := metrics.image_auroc(good.scores, bad.scores)) < _POOR_AUROC:
        told.append(f"Good and bad parts are hard to tell apart (image AUROC {auroc:.3f}); other settings may fit better.")
    told += _of_suspects(odd)
    return told + (_promises(found.active.facts) if found.rule == "max_false_reject" else [])


def no_band(asked: float | str | None, found: Findings) -> list[str]:
    """Warn where a recheck band was asked for and there is none."""
    if asked is None or RECHECK in found.thresholds:
        return []
    why = f"so few good parts cannot promise a rate of {asked} between none and the threshold's"
    return [f"No recheck band: {why}; give more good parts, or ask for a larger share, or a factor of the threshold."]


def _of_suspects(odd: Suspects) -> list[str]:
    told = []
    if odd.outliers:
        told.append(
            f"{len(odd.outliers)} good parts score far above all others: {_some(odd.outliers)}. "
            f"If they are not good, calibrate again without them: {drop(odd.outliers)}."
        )
    if odd.alike:
        again = [name for names in odd.alike for name in names[1:]]
        pairs = [" = ".join(names) for names in odd.alike]
        told.append(
            f"{len(again)} good pictures look like others, as of the same part: {_some(pairs)}. The promise counts them as "
            f"parts of their own; if they are not, calibrate again without them: {drop(again)}."
        )
    if odd.copies:
        told.append(f"{len(odd.copies)} good pictures are copies of others and support nothing: {_some(odd.copies)}.")
    return told


def drop(names: Sequence[str]) -> str:
    """Return the options that leave good pictures out."""
    more = " …" if len(names) > _NAMED else ""
    return " ".join(f"--drop {shlex.quote(name)}" for name in names[:_NAMED]) + more


def _promises(facts: Figures) -> list[str]:
    """Return what a threshold from good parts alone does not promise."""
    told = []
    if int(facts["groups"]) < threshold.ENOUGH:
        told.append(
            f"Up to {float(facts['rate']):.1%} of good parts may be rejected: {facts['groups']} groups of good pictures; "
            f"{threshold.ENOUGH} would support 2%, {threshold.groups_for(0.01)} would support 1%."
        )
    if facts["scores"] != "held-out":
        told.append("The false-reject rate is an estimate from cross-fitted scores; calibrate with --holdout for an exact one.")
    return told


def _outliers(good: Named) -> list[str]:
    """Return good parts, highest score first, that lie far outside the spread of the others (Tukey's fences, wide ones)."""
    low, high = np.percentile(good.scores, (25, 75))
    return [name for name, score in reversed(good.rising()) if score > high + _FENCE * (high - low)]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
