"""Made parts: the same seed gives the same pictures, laid out as MVTec AD, and every defect is where its mask says."""

from pathlib import Path

import numpy as np
import pytest

from inspectd import image
from inspectd.demo import parts
from inspectd.errors import BadInput


def digest(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*.png"))}


@pytest.mark.parametrize("kind", parts.DEFECTS)
def test_a_defect_changes_the_picture_inside_its_mask(kind: str) -> None:
    """The same part with and without the defect differs strongly inside the mask (but for holes, which change the part)."""
    for seed in range(5):
        pixels, mask = parts.defective(kind, np.random.default_rng(seed))
        clean = parts.good(np.random.default_rng(seed))
        inside = mask > 0
        assert 5 < inside.sum() < 0.05 * mask.size
        assert set(np.unique(mask)) == {0, 255}
        if kind != "missing_hole":  # there the draw of the hole comes before that of the part
            difference = np.abs(pixels.astype(int) - clean.astype(int))
            assert difference[inside].mean() > 4 * difference[~inside].mean()


def test_an_undrilled_hole_is_metal() -> None:
    """Where the mask of a missing hole lies, the picture is as bright as metal, not dark as the belt."""
    pixels, mask = parts.defective("missing_hole", np.random.default_rng(1))
    assert pixels[mask > 0].mean() > 2 * pixels[:20].mean()


def test_the_files_are_laid_out_as_mvtec_ad_is(tmp_path: Path) -> None:
    """train/good, test/good, test/<defect>, and a mask of the same stem for every defective part."""
    written = parts.write(tmp_path / "made", 8, seed=1)
    names = digest(tmp_path / "made")
    masks = [name for name in names if name.startswith("ground_truth/")]
    assert written == parts.total(8) == len(names) - len(masks)
    assert len([name for name in names if name.startswith("train/good/")]) == 8
    assert {Path(name).parent.name for name in names if name.startswith("test/")} == {"good", *parts.DEFECTS}
    for mask in masks:
        assert mask.replace("ground_truth", "test").replace("_mask", "") in names
    assert image.read(tmp_path / "made" / "train" / "good" / "0000.png").pixels.shape == (256, 256)


def test_the_same_seed_gives_the_same_pictures_and_more_of_them_leave_the_first_as_they_were(tmp_path: Path) -> None:
    """Pictures depend on seed and name alone."""
    parts.write(tmp_path / "a", 4, seed=1)
    parts.write(tmp_path / "b", 5, seed=1)
    parts.write(tmp_path / "c", 4, seed=2)
    a, b, c = (digest(tmp_path / name) for name in "abc")
    assert a.items() <= b.items()
    assert all(a[name] != c[name] for name in a if not name.startswith("ground_truth"))


def test_no_two_parts_are_the_same() -> None:
    """Each part has its own grooves, pose and noise."""
    drawn = [parts.good(np.random.default_rng([3, 0, index])) for index in range(3)]
    assert np.abs(drawn[0].astype(int) - drawn[1]).mean() > 2
    assert np.abs(drawn[1].astype(int) - drawn[2]).mean() > 2


def test_a_directory_with_files_is_refused(tmp_path: Path) -> None:
    """Nothing of the user's is written over."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="empty or new directory"):
        parts.write(tmp_path, 4, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """A path that cannot become a directory is told, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        parts.write(tmp_path / "file", 4, seed=1)
