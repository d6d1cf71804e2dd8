"""Folders as MVTec AD lays them out are read with their masks; whatever is wrong with them is told at once."""

from pathlib import Path

import numpy as np
import pytest

from calibration import layout
from calibration.progress import Silent
from inspectd.errors import BadImages, BadInput
from tests.calibration import parts


def mvtec(root: Path, masks: bool = True, suffix: str = "_mask") -> Path:
    """Six good parts to learn from, three good and four bad ones to judge."""
    parts.good_folder(root / "train" / "good", 6)
    parts.good_folder(root / "test" / "good", 3, first=100)
    for i in range(4):
        pixels, where = parts.bad_part(i)
        defect = ("stain", "hole")[i % 2]
        parts.write(root / "test" / defect, {f"{i:03}.png": pixels})
        if masks:
            parts.write(root / "ground_truth" / defect, {f"{i:03}{suffix}.png": where.astype(np.uint8) * 255})
    return root


@pytest.mark.parametrize("suffix", ["_mask", ""])
def test_pictures_come_with_their_defect_and_mask(suffix: str, tmp_path: Path) -> None:
    """Masks are found with and without _mask, and say where; good pictures have none anywhere."""
    found = layout.read(mvtec(tmp_path, suffix=suffix), Silent())
    assert [case.defect for case in found.cases] == ["good"] * 3 + ["hole"] * 2 + ["stain"] * 2
    assert found.masked
    assert [case.bad for case in found.cases] == [False] * 3 + [True] * 4
    assert not found.cases[0].where().any()
    assert np.array_equal(found.cases[5].where(), parts.bad_part(0)[1])
    assert [sample.path.name for sample in layout.train_good(tmp_path, Silent())] == [f"{i:04}.png" for i in range(6)]


def test_without_a_ground_truth_folder_there_are_no_masks(tmp_path: Path) -> None:
    """That is no error."""
    found = layout.read(mvtec(tmp_path, masks=False), Silent())
    assert not found.masked
    assert all(case.mask is None for case in found.cases)


def test_a_missing_mask_and_one_of_another_size_and_a_broken_one_come_together(tmp_path: Path) -> None:
    """Each with its file and what was expected."""
    root = mvtec(tmp_path)
    (root / "ground_truth/hole/001_mask.png").unlink()
    parts.write(root / "ground_truth/hole", {"003_mask.png": np.zeros((32, 64), np.uint8)})
    (root / "ground_truth/stain/000_mask.png").write_text("none")
    (root / "test/stain/note.png").write_text("none")
    with pytest.raises(BadImages) as caught:
        layout.read(root, Silent())
    told = {Path(p.file).name: str(p) for p in caught.value.problems}
    assert set(told) == {"001.png", "003_mask.png", "000_mask.png", "note.png"}
    assert "expected a mask 001_mask.png in" in told["001.png"]
    assert "got 64 x 32" in told["003_mask.png"]


def test_folders_that_are_laid_out_otherwise_are_refused_with_what_they_hold(tmp_path: Path) -> None:
    """No folder, an empty one, one of pictures, one without train, empty folders of pictures."""
    with pytest.raises(BadInput, match=r"expected folders test/good .* got no such folder"):
        layout.read(tmp_path / "nowhere", Silent())
    with pytest.raises(BadInput, match="got an empty folder"):
        layout.read(tmp_path, Silent())
    flat = parts.good_folder(tmp_path / "flat", 8)
    with pytest.raises(BadInput, match=r"got 0000\.png, 0001\.png, .*, …"):
        layout.read(flat, Silent())
    with pytest.raises(BadInput, match="expected a folder train/good"):
        layout.train_good(flat, Silent())
    (tmp_path / "a/test/good").mkdir(parents=True)
    (tmp_path / "a/train/good").mkdir(parents=True)
    with pytest.raises(BadInput, match="expected pictures in good, got none"):
        layout.read(tmp_path / "a", Silent())
    with pytest.raises(BadInput, match="expected pictures, got none"):
        layout.train_good(tmp_path / "a", Silent())


def test_categories_are_the_folders_that_have_good_pictures_to_learn_from(tmp_path: Path) -> None:
    """A root of several, one of them alone, or a folder that is one itself."""
    for name in ("ring", "lid"):
        mvtec(tmp_path / name)
    (tmp_path / "licence").mkdir()
    assert [path.name for path in layout.categories(tmp_path, None)] == ["lid", "ring"]
    assert layout.categories(tmp_path, "ring") == [tmp_path / "ring"]
    assert layout.categories(tmp_path / "lid", None) == [tmp_path / "lid"]
    assert layout.categories(tmp_path / "nowhere", None) == [tmp_path / "nowhere"]
    with pytest.raises(BadInput, match="expected one of the categories lid, ring, got cup"):
        layout.categories(tmp_path, "cup")
