"""SPADE's gallery: every good picture's patch vectors, and their mean by which pictures are looked up."""

import numpy as np

from calibration.features import Features, Indices, batches
from calibration.progress import Advance
from inspectd.station.schema import Method
from inspectd.vision.methods import Arrays
from inspectd.vision.neighbours import standardise


def fit(features: Features, members: Indices, method: Method, seed: int, advance: Advance) -> Arrays:  # noqa: ARG001 (as of all methods)
    """Take in some pictures; nothing is left to choose."""
    mean, scale = features.standard(members)
    extractor = features.extractor
    judged = np.ones(extractor.grid, np.bool_) if extractor.judged is None else extractor.judged
    pictures = np.empty((len(members), extractor.patches, len(mean)), np.float32)
    done = 0
    for some in batches(members):
        pictures[done : done + len(some)] = standardise(features.vectors(some)[:, judged], mean, scale)
        done += len(some)
        advance(len(some))
    return {"channel_mean": mean, "channel_scale": scale, "pictures": pictures, "pooled": pictures.mean(axis=1)}
