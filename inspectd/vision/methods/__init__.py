"""The methods that judge, one file each, under one contract: `Method`."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from inspectd.vision import scoring

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Arrays = Mapping[str, npt.NDArray[Any]]  # of a bundle's member, by the method's names for them
Kind = Literal["patchcore", "padim", "spade"]
Score = Literal["power_mean", "smoothed_max", "max", "eq7", "image"]
Search = Literal["exact", "ivfpq"]


class Judged(NamedTuple):
    """What a method says of B pictures."""

    distances: npt.NDArray[np.float32]  # [B,h,w], how unusual each patch is; 0 where it is not judged
    scores: npt.NDArray[np.float64]  # [B], higher is worse


class Method(Protocol):
    """A method knows a station's good parts and judges patch vectors."""

    def judge(self, vectors: F32) -> Judged:
        """float32 [B,h,w,d], as the backbone gives them, to distances and scores."""
        ...


class Settings(Protocol):
    """What a judge is told beside its arrays, by a station file or a bundle's member."""

    @property
    def score(self) -> Score:
        """How distances become a score."""
        ...

    @property
    def sigma(self) -> float:
        """Smoothing of power_mean and smoothed_max, in patches."""
        ...

    @property
    def power(self) -> float:
        """Of power_mean."""
        ...

    @property
    def search(self) -> Search:
        """How PatchCore searches its bank."""
        ...

    @property
    def retrieve(self) -> int:
        """Good pictures with which SPADE compares a part."""
        ...


def summed_up(distances: F32, settings: Settings, judged: Mask | None) -> npt.NDArray[np.float64]:
    """Score of each map [B,h,w], whose cells that are not judged are 0: its largest value or power mean, smoothed or not."""
    if settings.score not in ("power_mean", "smoothed_max"):
        return scoring.maximum(distances)
    smoothing = scoring.smoothing((distances.shape[1], distances.shape[2]), settings.sigma)
    if settings.score == "power_mean":
        return scoring.power_mean(distances, smoothing, settings.power, judged)
    return scoring.smoothed_max(distances, smoothing, judged)
