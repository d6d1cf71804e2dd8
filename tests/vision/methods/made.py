"""Settings of a judge, as a station file or a bundle gives them."""

from typing import NamedTuple

from inspectd.vision.methods import Score


class Told(NamedTuple):
    score: Score = "smoothed_max"
    sigma: float = 1.0
    retrieve: int = 50
