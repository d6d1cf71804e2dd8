"""The members of a station learn side by side, and judge as one.

Every member sees the same pictures and the same split. Their scores have units of their own, so each is divided by the
spread of its scores of good parts, which come from banks that do not contain them; the sum, by weight, is the part's score.
Golden pictures are drawn by that sum, and no member learns from them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration import bank, fitting, parallel, threshold
from calibration.features import U8, Extractor, Features, Indices
from calibration.fitting import GOLDEN, Judged
from calibration.pictures import Sample
from calibration.progress import Advance, Numbered, Progress
from calibration.threshold import Split
from inspectd.station import schema
from inspectd.vision import member
from inspectd.vision.bundle import Member
from inspectd.vision.member import Layer, Placed
from inspectd.vision.methods import Arrays, Method

F64 = npt.NDArray[np.float64]

_LEAST_SPREAD = 1e-3  # of the mean score: where good parts are all but equal, rounding must not become the unit
_ASIDE = 8 * GOLDEN  # good parts of which golden ones are drawn, where coresets are made before any has a score
_SHARES = 4  # coresets of the parts that a hold-out learns from, made side by side
_NOBODY: Indices = np.empty(0, np.int64)


@dataclass(frozen=True)
class Pupil:
    """A member that learns: its settings, how it sees, and what it has seen of the good parts."""

    method: schema.Method
    extractor: Extractor
    features: Features


@dataclass(frozen=True)
class Opinions:
    """What was said of some pictures: their indices [n], what each member said, and the score of all members [n]."""

    pictures: Indices
    members: list[Judged]
    scores: F64


@dataclass(frozen=True)
class Panel:
    """The members as they judge in the bundle."""

    methods: list[schema.Method]
    extractors: list[Extractor]
    fitted: list[Arrays]  # by the methods' names for them
    scales: list[float]

    @property
    def shares(self) -> list[float]:
        """Factor of each member's score."""
        return member.shares([method.weight for method in self.methods], self.scales)

    @cached_property
    def judges(self) -> list[Placed]:
        """The judges that a worker makes of the same arrays."""
        return list(map(fitting.judge, self.fitted, self.methods, self.extractors))

    @property
    def described(self) -> tuple[Member, ...]:
        """Each member as the manifest describes it."""
        return tuple(
            Member(
                method=method.kind, backbone=extractor.backbone.sha256, backbone_name=method.backbone, layers=method.layers,
                patch=method.patch, input_px=method.size_px, stride=method.stride, tiling=method.tiling, score=method.score,
                sigma=method.sigma, power=method.power, search=method.search, retrieve=method.retrieve, scale=self.scales[i],
                weight=method.weight, arrays={name: self.role(i, name) for name in self.fitted[i]},
            )
            for i, (method, extractor) in enumerate(zip(self.methods, self.extractors, strict=True))
        )  # fmt: skip

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The bundle's arrays by role."""
        mask = self.extractors[0].mask
        arrays = {self.role(i, name): array for i, fitted in enumerate(self.fitted) for name, array in fitted.items()}
        return arrays | ({} if mask is None else {"mask": mask.astype(np.uint8)})

    def role(self, i: int, name: str) -> str:
        """Under what name an array of member `i` stands in the bundle."""
        return name if len(self.methods) == 1 else f"m{i}_{name}"

    def heat_map(self, said: Opinions, picture: int) -> npt.NDArray[np.float32]:
        """Heat map [H,W] of one of the pictures that were judged, in roi pixels."""
        views = [extractor.view() for extractor in self.extractors]
        each = zip(self.shares, said.members, views, strict=True)
        return member.heat_map([Layer(share, one.distances[picture], view.heat) for share, one, view in each])

    def score(self, pictures: Iterable[U8]) -> F64:
        """Score pictures as ingest sends them."""
        seen = list(pictures)
        pairs = zip(self.extractors, self.judges, strict=True)
        return member.together(self.shares, [judge.judge(extractor.vectors(seen)).scores for extractor, judge in pairs])

    def see(self, samples: Sequence[Sample], threads: int, advance: Advance) -> Opinions:
        """Read and judge pictures; each counts once for every member."""
        everyone = np.arange(len(samples))

        def said(extractor: Extractor, judge: Method) -> Judged:
            return fitting.score(judge, lambda some: extractor.see([samples[i] for i in some]), everyone, threads, advance)

        return _together(list(map(said, self.extractors, self.judges)), self.shares)


@dataclass(frozen=True)
class Learnt:
    """What a bundle judges by, and what its threshold rests on."""

    panel: Panel
    good: Opinions  # by banks that do not contain them
    golden: Indices  # good pictures from which no member learnt
    exact: bool  # the scores are of the panel itself: held out, not cross-fitted


def learn(pupils: Sequence[Pupil], split: Split, seed: int, progress: Progress) -> Learnt:
    """Let every member learn from the good parts, and score them as the split says."""
    told = _told(progress, len(pupils))
    return (_hold_out if split.exact else _cross_fit)(list(zip(pupils, told, strict=True)), split, seed)


def learn_all(pupils: Sequence[Pupil], folds: int, seed: int, progress: Progress) -> Panel:
    """Let every member learn from all good parts; where no threshold is asked for, nothing need be kept aside.

    Of several members the spreads come from cross-fitting; NotEnoughPictures if there are fewer pictures than folds.
    """
    everyone, numbered = np.arange(len(pupils[0].features.samples)), _told(progress, len(pupils))
    pairs = list(zip(pupils, numbered, strict=True))
    scales = [1.0]
    if len(pupils) > 1:
        dealt = threshold.split([str(i) for i in everyone], folds, None, seed)
        scales = [spread(_by_folds(pupil, dealt, seed, told).scores) for pupil, told in pairs]
    return _panel(pairs, [_whole(pupil, everyone, seed, told) for pupil, told in pairs], scales)


def _cross_fit(pupils: Sequence[tuple[Pupil, Progress]], split: Split, seed: int) -> Learnt:
    """Score every good part by judges of the other folds' parts, then learn from all parts but the golden ones."""
    aside = _aside(pupils, split.scored, seed)
    said = [_by_folds(pupil, split, seed, progress, aside) for pupil, progress in pupils]
    good, scales = _opinions(pupils, said)
    golden = _golden(good, seed, aside)
    rest = np.setdiff1d(split.scored, golden)
    return Learnt(
        _panel(pupils, [_whole(pupil, rest, seed, told) for pupil, told in pupils], scales), good, golden, exact=False
    )


def _hold_out(pupils: Sequence[tuple[Pupil, Progress]], split: Split, seed: int) -> Learnt:
    """Learn from all good parts but those held out, and score these."""
    held, rest = split.scored, np.flatnonzero(split.fold_of != 0)
    fitted, said = [], []
    for pupil, progress in pupils:
        bank.condense(pupil.features, np.array_split(rest, _SHARES), pupil.method, seed, progress)
        fitted.append(_whole(pupil, rest, seed, progress))
        judge, advance = _judge(pupil, fitted[-1]), progress.stage("scores of good parts", len(held))
        said.append(fitting.score(judge, pupil.features.vectors, held, pupil.extractor.threads, advance))
    good, scales = _opinions(pupils, said)
    return Learnt(_panel(pupils, fitted, scales), good, _golden(good, seed, held), exact=True)


def _told(progress: Progress, members: int) -> list[Progress]:
    """To whom each member tells how far it is."""
    return [progress] if members == 1 else [Numbered(progress, f"member {i}") for i in range(members)]


def _by_folds(pupil: Pupil, split: Split, seed: int, progress: Progress, aside: Indices = _NOBODY) -> Judged:
    """Score every good part by a judge of the other folds' parts; the parts kept aside are in no coreset.

    Each fold is judged as soon as it is fitted, so that at most one judge a thread is in memory.
    """
    everyone, features, method = split.scored, pupil.features, pupil.method
    folds = [np.flatnonzero(split.fold_of == fold) for fold in range(max(split.fold_of) + 1)]
    bank.condense(features, [np.setdiff1d(fold, aside) for fold in folds], method, seed, progress)

    def judged(fold: Indices, told: Advance) -> Judged:
        fitted = fitting.fit(features, np.setdiff1d(everyone, fold), method, seed, told)
        return fitting.score(_judge(pupil, fitted), features.vectors, fold, 1, told)

    work = sum(fitting.steps(features, len(everyone) - len(fold), method) for fold in folds) + len(everyone)
    return fitting.in_order(parallel.each(judged, folds, pupil.extractor.threads, progress.stage("scores of good parts", work)))


def _whole(pupil: Pupil, pictures: Indices, seed: int, progress: Progress) -> Arrays:
    features, method = pupil.features, pupil.method
    advance = progress.stage("bank", fitting.steps(features, len(pictures), method))
    return fitting.fit(features, pictures, method, seed, advance)


def _judge(pupil: Pupil, fitted: Arrays) -> Method:
    return fitting.judge(fitted, pupil.method, pupil.extractor)


def _opinions(pupils: Sequence[tuple[Pupil, Progress]], said: list[Judged]) -> tuple[Opinions, list[float]]:
    """Return the members' opinions of good parts as one, and the spread of each one's scores (1 for a member on its own)."""
    scales = [spread(one.scores) for one in said] if len(said) > 1 else [1.0]
    return _together(said, member.shares([pupil.method.weight for pupil, _ in pupils], scales)), scales


def _together(said: list[Judged], shares: Sequence[float]) -> Opinions:
    return Opinions(said[0].pictures, said, member.together(shares, [one.scores for one in said]))


def _panel(pupils: Sequence[tuple[Pupil, Progress]], fitted: list[Arrays], scales: list[float]) -> Panel:
    return Panel([pupil.method for pupil, _ in pupils], [pupil.extractor for pupil, _ in pupils], fitted, scales)


def spread(scores: F64) -> float:
    """Return the unit of a member's scores, from those of good parts [n]."""
    return max(float(scores.std()), _LEAST_SPREAD * float(scores.mean()), 1e-9)


def _aside(pupils: Sequence[tuple[Pupil, Progress]], pictures: Indices, seed: int) -> Indices:
    """Return the good parts that may become golden: all, or a few, drawn by the seed, which no coreset takes in."""
    if not any(bank.condensed(pupil.features, pupil.method) for pupil, _ in pupils):
        return pictures
    return np.random.default_rng(seed).permutation(pictures)[: max(GOLDEN, min(_ASIDE, len(pictures) // 10))]


def _golden(good: Opinions, seed: int, among: Indices) -> Indices:
    """Draw golden pictures from the lower half of the scores: typical parts, and no score near a threshold."""
    rising = good.pictures[np.argsort(good.scores, kind="stable")]
    rising = rising[np.isin(rising, among)]
    return np.sort(np.random.default_rng(seed).permutation(rising[: max(GOLDEN, len(rising) // 2)])[:GOLDEN])
