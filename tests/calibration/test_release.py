"""Golden pictures come in pairs, good and defective, with the scores that the bundle gives them."""

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

from calibration import fitting, release
from calibration.ensemble import Panel
from calibration.features import Extractor, Features
from inspectd.vision.backbone import Backbone
from tests.calibration import parts
from tests.calibration.parts import METHOD


def ignore(_done: int) -> None:
    """Nobody counts."""


def learnt(extractor: Extractor, tmp_path: Path) -> tuple[Features, Panel]:
    features = Features(extractor, parts.samples(parts.good_folder(tmp_path / "good", 12)), 0, ignore)
    return features, Panel([METHOD], [extractor], [fitting.fit(features, np.arange(8), METHOD, 0, ignore)], [1.0])


def test_each_good_picture_has_a_defective_twin_of_higher_score(extractor: Extractor, tmp_path: Path) -> None:
    """Four pictures as they are, four with a defect each; scores and labels are those of the judge."""
    features, panel = learnt(extractor, tmp_path)
    golden = release.golden(panel, features.samples[8:], 0, 5.0)
    assert np.array_equal(golden.good, np.stack([parts.part(i) for i in range(8, 12)]))
    assert (golden.defective != golden.good).any(axis=(1, 2)).all()
    assert (golden.defective_scores > golden.good_scores).all()
    np.testing.assert_allclose(golden.good_scores, panel.score(golden.good))
    assert golden.good_failed.tolist() == (golden.good_scores >= 5.0).tolist()
    again = release.golden(panel, features.samples[8:], 0, 5.0)
    assert np.array_equal(again.defective, golden.defective)
    other = release.golden(panel, features.samples[8:], 1, 5.0)
    assert not np.array_equal(other.defective, golden.defective)


def test_a_defect_that_is_rejected_is_preferred_and_else_the_most_striking(extractor: Extractor, tmp_path: Path) -> None:
    """With a threshold in reach each twin fails; with one out of reach the highest scores are kept."""
    features, panel = learnt(extractor, tmp_path)
    striking = release.golden(panel, features.samples[8:], 0, 1e9)
    reach = float(striking.defective_scores.min())
    assert not striking.defective_failed.any()
    found = release.golden(panel, features.samples[8:], 0, reach)
    assert found.defective_failed.all()
    assert (found.defective_scores <= striking.defective_scores + 1e-6).all()


def test_defects_are_painted_inside_the_mask(backbone: Backbone, tmp_path: Path) -> None:
    """What is not judged is not changed."""
    mask = np.zeros((64, 64), bool)
    mask[20:44, 20:44] = True
    extractor = Extractor(backbone, (64, 64), mask=mask)
    features, panel = learnt(extractor, tmp_path)
    golden = release.golden(panel, features.samples[8:], 0, 5.0)
    assert not (golden.defective != golden.good)[:, ~mask].any()


def test_versions_name_all_that_figures_depend_on() -> None:
    """Libraries, Python, processor type and threads, none of them empty."""
    found = release.versions(3)
    assert {"inspectd", "python", "numpy", "onnxruntime", "opencv-python-headless", "processor", "threads"} == set(found)
    assert all(found.values())
    assert found["threads"].startswith("3 (of ")


def test_the_version_of_faiss_is_told_where_a_bank_is_searched_by_an_index() -> None:
    """And nowhere else: what was not used cannot change a figure."""
    exact, indexed = release.versions(1), release.versions(1, indexed=True)
    assert indexed.keys() - exact.keys() == {"faiss-cpu"}
    assert indexed["faiss-cpu"] == importlib.metadata.version("faiss-cpu")


def test_on_a_gpu_the_runtime_goes_by_its_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """`onnxruntime-gpu` comes instead of `onnxruntime`, not beside it."""
    known = importlib.metadata.version

    def version(name: str) -> str:
        if name == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2" if name == "onnxruntime-gpu" else known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = release.versions(1)
    assert found["onnxruntime-gpu"] == "1.2"
    assert "onnxruntime" not in found
