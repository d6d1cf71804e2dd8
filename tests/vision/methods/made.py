"""Settings of a judge, as a station file or a bundle gives them."""

from typing import NamedTuple

from inspectd.vision.methods import Score, Search


class Told(NamedTuple):
    score: Score = "smoothed_max"
    sigma: float = 1.0
    power: float = 24.0
    search: Search = "exact"
    retrieve: int = 50
