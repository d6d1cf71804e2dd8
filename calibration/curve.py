"""The learning curve: how far good parts that were not learnt from are from what was, by how many pictures were learnt from.

The members learn from a part and from twice the part of the pictures; the same good parts, in neither, are scored by each, and
by what was learnt from four times the part, as they were for the threshold. Where more pictures bring such parts no nearer,
more of the same would not either. Banks are as large as they will be: a small one, chosen greedily from more pictures, has
fewer vectors for what is usual, and scores rise (500 vectors, made flanges: by 1.8 %).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from calibration import bank, fitting, parallel
from calibration.ensemble import Learnt, Pupil
from calibration.features import Indices
from calibration.progress import Advance, Progress
from calibration.threshold import ENOUGH, Split, supported_rate
from inspectd.errors import NotEnoughPictures
from inspectd.station import schema

F64 = npt.NDArray[np.float64]

SCORED = 40  # good parts scored by each bank
_DRAWN = 3  # folds that are scored: with five the curve took longer than all cross-fitted scores
GAIN = 0.02  # a score of good parts that a doubling lowers by less will not be lowered much by another one
_VERDICTS = {
    True: "More pictures would help",
    False: "More pictures would not help",
    None: "It is not clear whether more pictures would help",
}
_SHARES = 4  # of the pictures that a hold-out learns from: one, two and all of them


@dataclass(frozen=True)
class Curve:
    """Mean scores [draws, k] of good parts by banks that hold none of them, learnt from so many pictures [k].

    In units of the mean score by the banks of most pictures.
    """

    pictures: Sequence[int]
    scores: F64

    @property
    def gain(self) -> float:
        """By what share the last doubling of the pictures lowered the scores."""
        return float(self._gains.mean())

    @property
    def spread(self) -> float:
        """Standard error of the gain, from how the draws differ."""
        return float(self._gains.std(ddof=1) / np.sqrt(len(self._gains))) if len(self._gains) > 1 else 0.0

    @property
    def helps(self) -> bool | None:
        """Whether more pictures would help: the last doubling gained GAIN or more; None if it cannot be told.

        That is so where two standard errors reach GAIN, and where scores rose by as much: then something else moved them.
        """
        if self.gain >= GAIN:
            return True
        return None if self.gain <= -GAIN or self.gain + 2 * self.spread >= GAIN else False

    @property
    def found(self) -> str:
        """What was measured, with the rule."""
        fewer, most = self.pictures[-2:]
        moved = "lowered" if self.gain >= 0 else "raised"
        return (
            f"learning from {most} pictures instead of {fewer} {moved} the score of good parts that were not learnt from by "
            f"{abs(self.gain):.1%} (standard error {self.spread:.1%}); where it is lowered by {GAIN:.0%} or more, more help"
        )

    @property
    def _gains(self) -> F64:
        return 1 - self.scores[:, -1] / self.scores[:, -2]


def helps(found: Curve | None, groups: int) -> bool | None:
    """Whether more pictures would help, of so many good groups that were scored; None if it cannot be told."""
    if groups < ENOUGH:
        return True
    return None if found is None else found.helps


def told(found: Curve | None, groups: int) -> str:
    """Say whether more pictures would help, and why."""
    verdict = _VERDICTS[helps(found, groups)]
    reasons = [] if found is None else [found.found]
    if groups < ENOUGH:
        few = f"{groups} good parts or lots support a promise of {supported_rate(groups):.1%} false rejects, {ENOUGH} one of 2%"
        reasons.insert(0, few)
    return f"{verdict}: {'; '.join(reasons) or 'too few different ones to learn from a part of them'}."


class _Draw(NamedTuple):
    """Some good parts to be scored, and the others in shares."""

    scored: Indices
    shares: list[Indices]
    seed: int


def draw(pupils: Sequence[Pupil], learnt: Learnt, split: Split, seed: int, progress: Progress) -> Curve | None:
    """Work the curve out from what the members see and have learnt; None with too few pictures for one."""
    draws = _dealt(split, seed)[:_DRAWN]
    counts = [2**k for k in range(len(draws[0].shares).bit_length())]  # shares learnt from: 1, 2, 4 …
    if len(counts) < 2:
        return None
    advance = progress.stage("learning curve", len(draws) * (len(counts) - 1) * len(pupils))

    def scored(one: _Draw, told: Advance) -> list[float]:
        by_member = [[_mean_score(pupil, one, count, told) for pupil in pupils] for count in counts[:-1]]
        known = float(learnt.good.scores[np.isin(learnt.good.pictures, one.scored)].mean())
        return [float(np.dot(learnt.panel.shares, means)) for means in by_member] + [known]

    try:
        scores = np.array(parallel.each(scored, draws, pupils[0].extractor.threads, advance))
    except NotEnoughPictures:  # a share of them has fewer different patches than a bank
        return None
    pictures = [round(float(np.mean([sum(map(len, one.shares[:count])) for one in draws]))) for count in counts]
    return Curve(pictures, scores / scores[:, -1].mean())


def _dealt(split: Split, seed: int) -> list[_Draw]:
    """Each fold is scored in turn and the others are the shares; of a hold-out, shares of the rest begin with each in turn."""
    if split.exact:
        rest = np.array_split(np.flatnonzero(split.fold_of != 0), _SHARES)
        return [_Draw(_some(split.scored, seed), rest[i:] + rest[:i], seed + i) for i in range(_SHARES)]
    folds = [np.flatnonzero(split.fold_of == fold) for fold in range(max(split.fold_of) + 1)]
    return [_Draw(_some(fold, seed), folds[i + 1 :] + folds[:i], seed) for i, fold in enumerate(folds)]


def _some(pictures: Indices, seed: int) -> Indices:
    return np.sort(np.random.default_rng(seed).permutation(pictures)[:SCORED])


def _mean_score(pupil: Pupil, one: _Draw, count: int, told: Advance) -> float:
    """Learn from the first shares of a draw; the mean score of the parts that it scores."""
    method = _small(pupil, sum(map(len, one.shares[:count])))
    fitted = fitting.fit(pupil.features, np.sort(np.concatenate(one.shares[:count])), method, one.seed, lambda _done: None)
    judge = fitting.judge(fitted, method, pupil.extractor)
    said = fitting.score(judge, pupil.features.vectors, one.scored, 1, lambda _done: None)
    told(1)
    return float(said.scores.mean())


def _small(pupil: Pupil, pictures: int) -> schema.Method:
    """Return a member's method with a bank that can be chosen from so few pictures, and searched without an index."""
    method, patches = pupil.method, pictures * pupil.extractor.patches
    few = min(bank.size(method, patches), patches) if method.kind == "patchcore" else method.bank
    return replace(method, bank=few, search="exact", retrieve=min(method.retrieve, pictures))
