"""One member of a bundle at work, and several as one: the score of each in its own unit, and their weighted sum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inspectd.vision.backbone import Backbone
from inspectd.vision.methods import F32, Judged, Method, Settings, summed_up
from inspectd.vision.scoring import Separable
from inspectd.vision.view import View

_OF_DISTANCES = ("power_mean", "smoothed_max", "max")  # scores that follow from the map of distances alone


@dataclass(frozen=True)
class Placed:
    """A method whose distances are put where its view looks: maps of the whole roi, and scores of those."""

    method: Method
    settings: Settings
    view: View

    def judge(self, mosaic: F32) -> Judged:
        """Patch vectors [B,h,w,d], those of all tiles side by side, to distances of the roi and scores [B]."""
        judged = self.method.judge(mosaic)
        if not self.view.stitched:
            return judged
        whole = self.view.whole(judged.distances)
        if self.settings.score not in _OF_DISTANCES:
            return Judged(whole, judged.scores)
        return Judged(whole, summed_up(whole, self.settings, self.view.judged_whole))


@dataclass(frozen=True)
class AtWork:
    """A member with its backbone: inputs of a picture, and what it says of their maps."""

    backbone: Backbone
    placed: Placed
    share: float  # of its score in the bundle's

    @property
    def batch_key(self) -> str:
        """Pictures of one key cost alike and can share a forward pass."""
        tiles = self.view.tiles
        return self.backbone.sha256 if tiles == 1 else f"{self.backbone.sha256}x{tiles}"

    @property
    def view(self) -> View:
        """How it sees."""
        return self.placed.view

    def judge(self, vectors: F32) -> Judged:
        """Maps [B*T,h,w,d] of the inputs of B pictures to distances of the roi and scores [B]."""
        return self.placed.judge(self.view.lens.gather(vectors))


class Layer(NamedTuple):
    """What one member contributes to a picture's heat map."""

    share: float
    distances: F32  # [h,w]
    heat: Separable


def shares(weights: Sequence[float], scales: Sequence[float]) -> list[float]:
    """Factor of each member's score: its weight in units of the spread of its good scores; a member on its own has 1."""
    return [weight / scale for weight, scale in zip(weights, scales, strict=True)] if len(weights) > 1 else [1.0]


def together(factors: Sequence[float], scores: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Return the bundle's scores [B] from those of its members, [B] each."""
    total = factors[0] * scores[0]
    for factor, one in zip(factors[1:], scores[1:], strict=True):
        total = total + factor * one
    return total


def heat_map(layers: Sequence[Layer]) -> F32:
    """Heat map [H,W] in roi pixels, in the unit of the score."""
    maps = [layer.heat(layer.distances) if layer.share == 1 else layer.share * layer.heat(layer.distances) for layer in layers]
    return np.asarray(sum(maps[1:], start=maps[0]), np.float32)
