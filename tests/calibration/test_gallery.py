"""SPADE's gallery holds the judged patches of every good picture."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from calibration import fitting
from calibration.features import Extractor, Features
from inspectd.vision.backbone import Backbone
from inspectd.vision.neighbours import standardise
from tests.calibration import parts

SPADE = msgspec.structs.replace(parts.METHOD, kind="spade", retrieve=3)


@pytest.mark.parametrize("masked", [False, True])
def test_it_holds_every_judged_patch_of_its_pictures_and_their_means(masked: bool, backbone: Backbone, tmp_path: Path) -> None:
    """In order, standardised by these pictures alone; a part that is in it is like itself."""
    mask = np.ones((64, 64), bool)
    mask[:32] = False
    extractor = Extractor(backbone, (64, 64), mask=mask if masked else None)
    features = Features(extractor, parts.samples(parts.good_folder(tmp_path / "good", 12)), 0, lambda _done: None)
    told: list[int] = []
    members = np.array([*range(9), 11])
    fitted = fitting.fit(features, members, SPADE, 0, told.append)
    assert sum(told) == fitting.steps(features, 10, SPADE) == 10
    vectors = features.vectors(members)
    judged = np.ones((8, 8), bool) if extractor.judged is None else extractor.judged
    assert judged.all() != masked
    wanted = standardise(vectors[:, judged], fitted["channel_mean"], fitted["channel_scale"])
    assert np.array_equal(fitted["pictures"], wanted)
    assert fitted["pooled"] == pytest.approx(wanted.mean(axis=1), abs=1e-5)
    said = fitting.judge(fitted, SPADE, extractor).judge(features.vectors(np.array([10, 11])))
    assert said.scores[1] == pytest.approx(0, abs=1e-4)
    assert said.scores[0] > 1
