"""From scores to a threshold, and which parts are scored by which bank. Pure.

From good parts alone the threshold is an order statistic. If n good groups (parts, lots) are scored by a bank that did not
see them, the share of all good groups that score above the r-th highest of the n is distributed as Beta(r, n - r + 1),
whatever the scores' distribution (Wilks 1941, distribution-free tolerance limits): it is at most `rate` with probability
P(Bin(n, rate) >= r). The rule takes the largest r for which that is at least the confidence, and puts the threshold just
above that score. Exact for held-out parts; an estimate for cross-fitted ones, whose banks are a little smaller.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration import metrics
from inspectd.errors import NotEnoughPictures
from inspectd.text import share_of

Rate = float | Literal["best"]
_Rule = Callable[[ArrayLike, ArrayLike], metrics.Confusion]  # from labelled scores, good and bad, to counts at a threshold

CONFIDENCE = 0.95
PARTS = 10_000  # of which false rejects are counted, for people
_DRAWS = 1000  # bootstrap samples: their ends of 95 % move by about a tenth of the interval


@dataclass(frozen=True)
class Found:
    """A threshold and how it was found: `how` is a sentence for people, `facts` its numbers."""

    value: float
    how: str
    facts: dict[str, float | str]


def supported_rate(groups: int, confidence: float = CONFIDENCE) -> float:
    """Return the smallest false-reject rate that so many good groups can support: that of the highest score."""
    return -math.expm1(math.log1p(-confidence) / groups) if groups else 1.0


def groups_for(rate: float, confidence: float = CONFIDENCE) -> int:
    """Return how many good groups support a false-reject rate."""
    return math.ceil(math.log1p(-confidence) / math.log1p(-rate) - 1e-9)  # 1e-9: a rate that is just supported is


ENOUGH = groups_for(0.02)  # good groups that a station should have: what lines ask of it


def rank_for(groups: int, rate: float, confidence: float = CONFIDENCE) -> int:
    """Return the largest rank r, 1 being the highest score, with P(Bin(groups, rate) >= r) >= confidence; 0 if none has."""
    below, rank = 0.0, 0  # below: P(Bin < rank + 1)
    while rank < groups:
        below += _binomial(groups, rank, rate)
        if below > (1 - confidence) * (1 + 1e-9):  # as in groups_for
            break
        rank += 1
    return rank


def need_rank(groups: int, rate: float, *, exact: bool) -> int:
    """Return the rank for a rate; NotEnoughPictures naming the best rate that so many groups support."""
    rank = rank_for(groups, rate)
    if not rank:
        kind = "held-out good groups" if exact else "good groups"
        raise NotEnoughPictures(
            f"expected at least {groups_for(rate)} {kind} (parts or lots) for a false-reject rate of {rate:.3g}, got {groups}; "
            f"they support {_percent_up(groups)}: ask for that (or best), or give more good pictures"
        )
    return rank


def max_false_reject(scores: ArrayLike, groups: Sequence[str], rate: Rate, *, exact: bool) -> Found:
    """Find the threshold from good parts alone: scores [n] and the group of each; a group counts with its highest score.

    `exact` says that the scores are held out, not cross-fitted. NotEnoughPictures names the rate that the groups support.
    """
    return _promised(scores, groups, rate, exact, "score", "rejected")


def pixel(peaks: ArrayLike, groups: Sequence[str], rate: float, *, exact: bool) -> Found:
    """Find from where on a heat map is outlined: the highest value [n] of each good part's map, promised as a score is."""
    return _promised(peaks, groups, rate, exact, "heat map", "outlined anywhere")


def recheck_from(asked: float | str, active: Found, good: ArrayLike, groups: Sequence[str], *, exact: bool) -> Found | None:
    """Find where the recheck band below a threshold begins; None if not below it.

    `asked` is a factor of the threshold, or a share of good parts like `5%`: at most so many are rechecked or rejected.
    """
    if isinstance(asked, str):
        found = _promised(good, groups, share_of(asked), exact, "score", "rechecked or rejected")
    else:
        found = Found(asked * active.value, f"{asked:.4g} of the threshold", {"factor": asked})
    told = replace(found, how=f"{found.how}: from here to the threshold UNDECIDED(recheck)")
    return told if found.value < active.value else None


def f1(good: ArrayLike, groups: Sequence[str], bad: ArrayLike, seed: int) -> Found:
    """Find the threshold of the largest F1 over labelled parts, and how far other parts would have moved it."""
    return _labelled(metrics.f1_optimal, "largest F1 ({f1:.3f})", good, groups, bad, seed)


def full_recall(good: ArrayLike, groups: Sequence[str], bad: ArrayLike, seed: int) -> Found:
    """Find the highest threshold that rejects every labelled bad part, and how far other parts would have moved it."""
    return _labelled(metrics.full_recall, "highest threshold that rejects every known defect,", good, groups, bad, seed)


@dataclass(frozen=True)
class Rejects:
    """How many of some good groups a threshold rejects; the share of further ones to expect, and its interval of 95 %."""

    rejected: int
    groups: int
    expected: float
    low: float
    high: float

    @property
    def in_parts(self) -> str:
        """The number to expect in PARTS good parts, and its interval."""
        return f"{PARTS * self.expected:.0f} ({CONFIDENCE:.0%}: {PARTS * self.low:.0f} to {PARTS * self.high:.0f})"


def rejects(scores: ArrayLike, groups: Sequence[str], at: float) -> Rejects:
    """Work out what share of good groups a threshold will reject, from scores [n] of good parts and the group of each.

    Where the threshold lies just above a good score, its upper end and the
    share to expect are those of Wilks' distribution, as above.
    """
    highest = _by_group(scores, groups)
    n, k = len(highest), int((highest >= at).sum())
    return Rejects(k, n, (k + 1) / (n + 1), *interval(k, n))


def interval(count: int, of: int) -> tuple[float, float]:
    """Return the ends of the interval of a share that was seen `count` times of `of` (Clopper and Pearson 1934)."""
    tail = (1 - CONFIDENCE) / 2
    low = _rate_of(of, count - 1, 1 - tail) if count else 0.0
    return low, _rate_of(of, count, tail) if count < of else 1.0


@dataclass(frozen=True)
class Split:
    """Which good pictures [n] are scored by which bank; settled by their groups alone, before anything is computed."""

    groups: Sequence[str]
    fold_of: NDArray[np.int64]
    exact: bool  # fold 0 is held out of the one bank; else each fold is scored by a bank of the others

    @property
    def scored(self) -> NDArray[np.int64]:
        """The pictures whose scores the threshold rests on."""
        return np.flatnonzero(self.fold_of == 0) if self.exact else np.arange(len(self.fold_of))

    def support(self, rate: Rate) -> None:
        """NotEnoughPictures if the groups that are scored cannot support a false-reject rate."""
        if rate != "best":
            need_rank(len({self.groups[i] for i in self.scored}), rate, exact=self.exact)


def split(groups: Sequence[str], count: int, holdout: float | None, seed: int) -> Split:
    """Deal pictures into `count` folds for cross-fitting, or keep a share of the groups out; NotEnoughPictures if too few."""
    dealt = folds(groups, count, seed) if holdout is None else _held_out(groups, holdout, seed)
    return Split(groups, dealt, exact=holdout is not None)


def _held_out(groups: Sequence[str], share: float, seed: int) -> NDArray[np.int64]:
    """Return 0 for the share of the pictures [n] that is kept out, as near to it as whole groups come, and 1 for the rest."""
    names, index, sizes = np.unique(np.asarray(groups, np.str_), return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise NotEnoughPictures(f"expected at least 2 groups (parts or lots) to keep some out, got {len(names)}; give more")
    shuffled = np.random.default_rng(seed).permutation(len(names))
    taken = np.cumsum(sizes[shuffled])
    nearest = int(np.abs(taken - share * len(groups)).argmin()) + 1
    fold_of = np.ones(len(names), np.int64)
    fold_of[shuffled[: min(nearest, len(names) - 1)]] = 0
    return fold_of[index]


def folds(groups: Sequence[str], count: int, seed: int) -> NDArray[np.int64]:
    """Deal the pictures into folds [n] of about the same size, never splitting a group; NotEnoughPictures if too few groups."""
    names, index, sizes = np.unique(np.asarray(groups, np.str_), return_inverse=True, return_counts=True)
    if len(names) < count:
        raise NotEnoughPictures(
            f"expected at least {count} groups (parts or lots) for {count} folds, got {len(names)} in {len(groups)} good "
            "pictures (copies of a picture and what `group_by` takes together count once); give more"
        )
    shuffled = np.random.default_rng(seed).permutation(len(names))
    fold_of, load = np.empty(len(names), np.int64), np.zeros(count, np.int64)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:  # the largest first, each to the emptiest fold
        fold_of[group] = load.argmin()
        load[fold_of[group]] += sizes[group]
    return fold_of[index]


def _by_group(scores: ArrayLike, groups: Sequence[str]) -> NDArray[np.float64]:
    values = np.asarray(scores, np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"scores: expected finite numbers, got {values[~np.isfinite(values)][0]}")
    names, index = np.unique(np.asarray(groups, np.str_), return_inverse=True)
    highest = np.full(len(names), -np.inf)
    np.maximum.at(highest, index, values)
    return highest


def _promised(scores: ArrayLike, groups: Sequence[str], rate: Rate, exact: bool, of: str, what: str) -> Found:
    """Put a threshold just above the score of the rank that a rate allows; `of` and `what` say of what, and what it does."""
    highest = np.sort(_by_group(scores, groups))[::-1]
    asked = supported_rate(len(highest)) if rate == "best" else rate
    rank = need_rank(len(highest), asked, exact=exact)
    # just above the score of that rank: a part with the very same score passes, as the guarantee counts scores above
    value = float(np.nextafter(highest[rank - 1], np.inf))
    kind = "held-out" if exact else "cross-fitted"
    guarantee = "" if exact else " (an estimate: each part was scored by a bank of the others)"
    how = (
        f"just above {of} {rank} from the top of {len(highest)} {kind} good groups: "
        f"at most {asked:.2%} of good groups {what}, with {CONFIDENCE:.0%} confidence{guarantee}"
    )
    return Found(value, how, {"rate": asked, "rank": rank, "groups": len(highest), "confidence": CONFIDENCE, "scores": kind})


def _labelled(rule: _Rule, said: str, good: ArrayLike, groups: Sequence[str], bad: ArrayLike, seed: int) -> Found:
    best = rule(good, bad)
    low, high = _bootstrap(rule, good, groups, bad, seed)
    how = f"{said.format(f1=best.f1)} over {_counted(best)}; {CONFIDENCE:.0%} interval {low:.4g} to {high:.4g} (bootstrap)"
    return Found(best.threshold, how, {**_facts(best), "low": low, "high": high})


def _bootstrap(rule: _Rule, good: ArrayLike, groups: Sequence[str], bad: ArrayLike, seed: int) -> tuple[float, float]:
    """Return the middle 95 % of a rule's thresholds when groups of good parts, and bad parts, are drawn with replacement."""
    good, bad, rng = np.asarray(good), np.asarray(bad), np.random.default_rng(seed)
    index = np.unique(np.asarray(groups, np.str_), return_inverse=True)[1]
    members = np.split(np.argsort(index, kind="stable"), np.cumsum(np.bincount(index))[:-1])

    def drawn() -> float:
        taken = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        return rule(good[taken], rng.choice(bad, len(bad))).threshold

    low, high = np.quantile([drawn() for _ in range(_DRAWS)], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _binomial(n: int, k: int, p: float) -> float:
    """Return P(Bin(n, p) = k), 0 < p < 1."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def _rate_of(n: int, k: int, probability: float) -> float:
    """Return the rate p at which P(Bin(n, p) <= k) is the probability, 0 <= k < n: it falls as p rises."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if sum(_binomial(n, i, middle) for i in range(k + 1)) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _percent_up(groups: int) -> str:
    """Write the supported rate rounded up, so that asking for what is written is granted."""
    return f"{math.ceil(supported_rate(groups) * 1e4) / 1e4:.4g}"


def _counted(found: metrics.Confusion) -> str:
    good, bad = found.passed + found.false_rejects, found.rejected + found.escaped
    return f"{good} good parts ({found.false_rejects} rejected) and {bad} bad ones ({found.escaped} passed)"


def _facts(found: metrics.Confusion) -> dict[str, float | str]:
    return {
        "f1": found.f1,
        "false_rejects": found.false_rejects,
        "escaped": found.escaped,
        "good": found.passed + found.false_rejects,
        "bad": found.rejected + found.escaped,
    }
