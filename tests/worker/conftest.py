"""A detector of a real bundle, and pictures that it passes and rejects."""

import pytest

from inspectd import image
from inspectd.vision.detector import Detector


@pytest.fixture(scope="session")
def bundle_dir(calibrated):
    return calibrated / "state/stations/flange/default/bundles/1"


@pytest.fixture(scope="session")
def detector(bundle_dir):
    return Detector.open(bundle_dir)


@pytest.fixture(scope="session")
def pictures(calibrated):
    files = image.pictures_in(calibrated / "parts/test/good")
    return [image.read(file).pixels for file in files]
