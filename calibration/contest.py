"""Which setting is best, from what each said of the same parts: figures with their uncertainty, who may go, who wins. Pure.

A setting's figure is the share of pairs, a painted defect and another good part, that its scores put in the right order: the
AUROC of painted defects, over all kinds and sizes alike. All settings saw the same parts, so that they are compared part by
part: the parts are drawn anew, with repetitions, and everybody's figure is worked out over the same ones (paired bootstrap).
Chance in who was drawn then mostly cancels in a difference of two settings.

A race (Maron and Moore 1994) asks for more answers only from those that may still win.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DRAWS = 400
# who is to replace the favourite must be ahead by this much of the figure: smaller leads with painted defects foretold nothing
# of real ones (DECISIONS); and by a standard error of the difference (the rule of one: Breiman et al. 1984)
MARGIN = 0.07
TIE = 0.005  # settings this near each other are equally good, and the cheaper one is taken; known defects tell that much
_LEAVE = 2.0  # standard errors that a setting may still gain on the favourite
_REAL = 20  # as many real defects count as much as all painted ones


@dataclass(frozen=True)
class Answers:
    """Scores by one setting: of good parts [g], of some of these with painted defects [p], of real defects [b]."""

    good: Floats
    painted: Floats
    bad: Floats


@dataclass(frozen=True)
class Draws:
    """How often each good part [1 + n, g] and each bad one [1 + n, b] counts; the first row: all once."""

    good: Floats
    bad: Floats


def draw(groups: Sequence[str], bad: int, seed: int) -> Draws:
    """Draw anew, whole groups at a time."""
    rng = np.random.default_rng(seed)
    names, group_of = np.unique(np.asarray(groups, np.str_), return_inverse=True)
    return Draws(_counts(len(names), rng)[:, group_of], _counts(bad, rng))


def figures(answers: Answers, part_of: Ints, draws: Draws) -> Floats:
    """Return a setting's figure [1 + n] for each draw; `part_of` [p] says which good part each defect was painted on.

    Where real defects are known, their AUROC counts the more the more there are.
    """
    apart = np.ones((len(answers.painted), len(answers.good)))
    apart[np.arange(len(part_of)), part_of] = 0  # a defect is compared with other parts than its own
    painted = _auroc(answers.painted, answers.good, draws.good[:, part_of], draws.good, apart)
    if not len(answers.bad):
        return painted
    weight = share(len(answers.bad))
    real = _auroc(answers.bad, answers.good, draws.bad, draws.good, np.ones((len(answers.bad), len(answers.good))))
    return weight * real + (1 - weight) * painted


def margin(bad: int) -> float:
    """Return by how much the favourite must be beaten: the less, the more real defects are known."""
    real = share(bad)
    return real * TIE + (1 - real) * MARGIN


def remaining(found: Sequence[Floats], favourite: int, margin: float) -> list[int]:
    """Return who may still win: the favourite, and all that may yet be ahead of it by the margin."""
    leads = [own - found[favourite] for own in found]
    return [i for i, by in enumerate(leads) if i == favourite or by[0] + _LEAVE * by[1:].std() > margin]


def winner(found: Sequence[Floats], ms: Sequence[float], favourite: int, margin: float) -> int:
    """Return who wins: the favourite unless somebody is clearly ahead, else the cheapest of those as good as the best."""
    best = found[max(range(len(found)), key=lambda i: found[i][0])]
    lead = best - found[favourite]
    if lead[0] <= max(margin, lead[1:].std()):
        return favourite
    return min((i for i, own in enumerate(found) if best[0] - own[0] <= TIE), key=lambda i: ms[i])


def sureness(found: Sequence[Floats], chosen: int, favourite: int, margin: float) -> float:
    """Return in which share of the draws the favourite is beaten, or is not, as it was."""
    others = np.max(found, axis=0) if chosen == favourite else found[chosen]
    beaten = (others - found[favourite])[1:] > margin
    return float(np.mean(beaten != (chosen == favourite)))


def interval(figure: Floats) -> tuple[float, float]:
    """Return the ends of 95 % of the draws."""
    low, high = np.percentile(figure[1:], (2.5, 97.5))
    return float(low), float(high)


def share(bad: int) -> float:
    """What so many real defects count for beside all painted ones."""
    return bad / (bad + _REAL)


def _auroc(high: Floats, low: Floats, high_counts: Floats, low_counts: Floats, pairs: Floats) -> Floats:
    """Share [n] of the pairs [h,l] in which `high` [h] is above `low` [l], a tie counting half; counts are [n,h], [n,l]."""
    above = pairs * ((high[:, None] > low) + 0.5 * (high[:, None] == low))
    right, all_ = (((high_counts @ some) * low_counts).sum(axis=1) for some in (above, pairs))
    return np.asarray(right / np.maximum(all_, 1))


def _counts(things: int, rng: np.random.Generator) -> Floats:
    if not things:
        return np.zeros((1 + DRAWS, 0))
    drawn = rng.multinomial(things, np.full(things, 1 / things), DRAWS)
    return np.vstack([np.ones((1, things)), drawn])
