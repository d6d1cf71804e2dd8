"""Every picture is checked before anything is computed; whatever is wrong with any of them is told at once."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calibration import pictures
from calibration.progress import Silent
from inspectd import image
from inspectd.errors import BadImage, BadImages, BadInput
from inspectd.picture_file import Cut


def ignore(_done: int) -> None:
    """Nobody counts."""


def gathered(good: Path, bad: Path | None) -> pictures.Pictures:
    return pictures.gather(pictures.listed(good, bad), None, Silent())


def grey(path: Path, height: int = 32, width: int = 48, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    path.write_bytes(image.encode_png(pixels))
    return path


def test_a_sound_folder_gives_every_picture_by_name_with_its_hash(tmp_path: Path) -> None:
    """Names carry the role, hashes are those of the files, pixels come back as stored, and each picture is counted."""
    for name in ("b.png", "a.png"):
        grey(tmp_path / name, seed=ord(name[0]))
    (tmp_path / "notes.txt").write_text("not a picture by its name")
    told: list[int] = []
    samples, problems = pictures.read(image.pictures_in(tmp_path), "good", None, told.append)
    assert problems == []
    assert [s.name for s in samples] == ["good/a.png", "good/b.png"]
    assert samples[0].sha256 == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    assert samples[0].kind == "48 x 32 mono8"
    assert np.array_equal(samples[1].pixels(), np.asarray(Image.open(tmp_path / "b.png")))
    assert sum(told) == 2


def test_everything_wrong_with_any_picture_comes_at_once(tmp_path: Path) -> None:
    """A text named .png, half a JPEG, 16 bits and alpha: four problems, each with its file; the sound one is kept."""
    grey(tmp_path / "sound.png")
    (tmp_path / "text.png").write_text("no picture at all")
    colour = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8))
    colour.save(tmp_path / "half.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "half.jpg").read_bytes()[:900])
    Image.fromarray(np.zeros((32, 48), np.uint16)).save(tmp_path / "deep.png")
    colour.convert("RGBA").save(tmp_path / "alpha.png")
    samples, problems = pictures.read(image.pictures_in(tmp_path), "good", None, ignore)
    assert [s.name for s in samples] == ["good/sound.png"]
    told = {Path(p.file).name: f"{p.expected} / {p.got}" for p in problems}
    assert set(told) == {"text.png", "half.jpg", "deep.png", "alpha.png"}
    assert "text" in told["text.png"]
    assert "cut off" in told["half.jpg"]
    assert "16 bits" in told["deep.png"]
    assert "alpha" in told["alpha.png"]
    assert str(problems[0]).startswith(f"{tmp_path}")


def test_pictures_of_another_size_or_format_than_most_are_named(tmp_path: Path) -> None:
    """Three alike, one larger, one in colour: the two are named with what they are and what the others are."""
    for name in ("a.png", "b.png", "c.png"):
        grey(tmp_path / name)
    grey(tmp_path / "large.png", 64, 96)
    (tmp_path / "colour.png").write_bytes(image.encode_png(np.zeros((32, 48, 3), np.uint8)))
    problems = pictures.odd_ones(pictures.read(image.pictures_in(tmp_path), "good", None, ignore)[0])
    assert {Path(p.file).name: p.got for p in problems} == {"large.png": "96 x 64 mono8", "colour.png": "48 x 32 rgb8"}
    assert all("48 x 32 mono8 like 3 other" in p.expected for p in problems)
    assert pictures.odd_ones([]) == []


def test_pictures_that_were_captured_with_different_rois_are_named(tmp_path: Path) -> None:
    """Of one size, but what is known of them lies elsewhere."""
    for number, x in enumerate((4, 4, 5)):
        (tmp_path / f"{number}.png").write_bytes(image.encode_png(np.full((20, 20), 9, np.uint8), Cut(x, 0, 48, 32)))
    [problem] = pictures.odd_ones(pictures.read(image.pictures_in(tmp_path), "good", None, ignore)[0])
    assert Path(problem.file).name == "2.png"
    assert problem.got == "48 x 32 mono8, captured with the roi x 5, y 0, 20 x 20"


def test_missing_and_empty_folders_are_refused_together(tmp_path: Path) -> None:
    """Both are named, with what is wrong with them."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadImages) as caught:
        gathered(tmp_path / "nowhere", tmp_path / "empty")
    told = {Path(p.file).name: str(p) for p in caught.value.problems}
    assert "nowhere: expected a folder of pictures, got No such file" in told["nowhere"]
    assert told["nowhere"].count("expected") == 1
    assert ".png" in told["empty"]
    assert "got none" in told["empty"]


def folders(tmp_path: Path) -> tuple[Path, Path]:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    bad.mkdir()
    for i in range(3):
        grey(good / f"{i}.png", seed=i)
    grey(bad / "x.png", seed=10)
    return good, bad


def test_problems_of_both_folders_come_together(tmp_path: Path) -> None:
    """Bad parts that are copies of good ones, one as another kind of file; one of another size; a good one that is none."""
    good, bad = folders(tmp_path)
    assert [len(found) for found in vars(gathered(good, bad)).values()] == [3, 1, 0, 0]
    grey(bad / "copy.png", seed=1)
    Image.open(good / "2.png").save(bad / "again.bmp")
    grey(bad / "small.png", 16, 16)
    (good / "note.png").write_text("hello")
    with pytest.raises(BadImages) as caught:
        gathered(good, bad)
    told = {Path(p.file).name: p.got for p in caught.value.problems}
    assert set(told) == {"copy.png", "again.bmp", "small.png", "note.png"}
    assert str(good / "1.png") in told["copy.png"]
    assert str(good / "2.png") in told["again.bmp"]


def test_copies_of_a_picture_share_a_group_and_are_told(tmp_path: Path) -> None:
    """Else a part would be scored by a bank that contains its copy."""
    good, _ = folders(tmp_path)
    grey(good / "9.png", seed=1)
    found = gathered(good, None)
    assert [s.group for s in found.good] == ["0.png", "1.png", "2.png", "1.png"]
    assert found.repeated == ["good/9.png"]


def test_dropped_pictures_are_left_out_and_recorded(tmp_path: Path) -> None:
    """Named as a report names them, by the file alone, or with their folder; with their hash, and never read as pictures."""
    good, bad = folders(tmp_path)
    (good / "4.png").write_text("no picture")
    files = pictures.listed(good, bad, ["good/0.png", str(good / "1.png"), "4.png"])
    found = pictures.gather(files, None, Silent())
    assert [sample.name for sample in found.good] == ["good/2.png"]
    assert {name: one.why for name, one in found.left_out.items()} == dict.fromkeys(
        ("good/0.png", "good/1.png", "good/4.png"), "dropped by --drop"
    )
    assert found.left_out["good/1.png"].sha256 == hashlib.sha256((good / "1.png").read_bytes()).hexdigest()
    assert pictures.skipped(found) == []


def test_a_name_to_drop_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Every such name: a slip of the pen must not let a bad part in. A file of another folder is none of this one's."""
    good, bad = folders(tmp_path)
    with pytest.raises(BadInput, match=r"--drop: expected names of pictures in .*good, got 7\.png, elsewhere/0\.png; check"):
        pictures.listed(good, bad, ["0.png", "7.png", "elsewhere/0.png"])


def test_what_is_no_sound_picture_is_skipped_only_on_request(tmp_path: Path) -> None:
    """It is named, with its hash and what is wrong with it; a picture of another size is still refused."""
    good, bad = folders(tmp_path)
    (good / "1.png").write_bytes((good / "1.png").read_bytes()[:60])
    files = pictures.listed(good, bad)
    with pytest.raises(BadImages, match=r"1\.png"):
        pictures.gather(files, None, Silent())
    found = pictures.gather(files, None, Silent(), skip_bad=True)
    assert [sample.name for sample in found.good] == ["good/0.png", "good/2.png"]
    assert list(found.left_out) == ["good/1.png"]
    assert found.left_out["good/1.png"].why.startswith("expected ")
    assert len(found.left_out["good/1.png"].sha256) == 64
    assert pictures.skipped(found) == ["1 files are no sound pictures and were skipped: good/1.png."]
    grey(good / "large.png", 64, 96)
    with pytest.raises(BadImages) as caught:
        pictures.gather(pictures.listed(good, bad), None, Silent(), skip_bad=True)
    assert [Path(p.file).name for p in caught.value.problems] == ["large.png"]


def test_a_folder_of_nothing_but_unsound_pictures_is_refused_even_so(tmp_path: Path) -> None:
    """All are named."""
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text("no picture")
    with pytest.raises(BadImages) as caught:
        pictures.gather(pictures.listed(tmp_path, None), None, Silent(), skip_bad=True)
    assert len(caught.value.problems) == 2


def test_groups_come_from_the_file_name(tmp_path: Path) -> None:
    """Pictures of one lot share a group; a name that does not fit is a problem; without a rule each is its own."""
    for name in ("lot7-1.png", "lot7-2.png", "lot8-1.png", "stray.png"):
        grey(tmp_path / name)
    samples, problems = pictures.read(image.pictures_in(tmp_path), "good", r"^lot(\d+)-", ignore)
    assert [s.group for s in samples] == ["7", "7", "8"]
    assert [Path(p.file).name for p in problems] == ["stray.png"]
    assert "group_by" in problems[0].expected
    assert len({s.group for s in pictures.read(image.pictures_in(tmp_path), "good", None, ignore)[0]}) == 4


def test_groups_are_known_from_names_alone(tmp_path: Path) -> None:
    """No file is opened; a name that tells no group stands for itself, since reading it will name it."""
    files = [tmp_path / name for name in ("lot7-1.png", "lot7-2.png", "stray.png")]
    assert pictures.groups(files, r"^lot(\d+)-") == ["7", "7", "stray.png"]
    assert pictures.groups(files, None) == ["lot7-1.png", "lot7-2.png", "stray.png"]
    assert pictures.groups(files, r"^lot\d*(-9)?") == ["lot7-1.png", "lot7-2.png", "stray.png"]


def test_a_picture_that_changes_while_calibrating_is_refused(tmp_path: Path) -> None:
    """The manifest's hash must be that of the pixels used."""
    grey(tmp_path / "a.png")
    sample = pictures.read(image.pictures_in(tmp_path), "good", None, ignore)[0][0]
    grey(tmp_path / "a.png", seed=1)
    with pytest.raises(BadImage, match="changed while calibrating"):
        sample.pixels()
    (tmp_path / "a.png").unlink()
    with pytest.raises(BadImage, match="cannot be read"):
        sample.pixels()


def test_a_picture_that_cannot_be_read_is_told_as_one(tmp_path: Path) -> None:
    """In the words of the list: expected, got."""
    (problem,) = pictures.read([tmp_path / "gone.png"], "good", None, ignore)[1]
    assert "gone.png: expected a picture, got one that cannot be read: No such file or directory; check" in str(problem)


def test_a_file_name_that_is_no_text_stands_in_names_and_groups_with_escapes(tmp_path: Path) -> None:
    """Names go into manifests and reports, groups are compared with the lots of the line: neither takes lone bytes."""
    grey(tmp_path / os.fsdecode(b"lot-\xff\n.png"))
    os.mkfifo(tmp_path / "pipe.png")
    samples, problems = pictures.read(image.pictures_in(tmp_path), "good", "^lot-(.+)[.]png$", ignore)
    assert problems == []
    assert [(sample.name, sample.group) for sample in samples] == [(r"good/lot-\xff\n.png", r"\xff\n")]
