"""What does not fit the station file is refused with the file and the key, before any work is done."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from calibration.job import Options, accept
from calibration.pictures import Sample
from inspectd import image
from inspectd.errors import BadInput, ConfigError
from inspectd.picture_file import Cut
from inspectd.station import load
from inspectd.station.schema import Config, Roi, Threshold
from inspectd.vision.backbone import Backbone
from tests.calibration import parts


@pytest.fixture
def graph(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path at which the backbone opens without being loaded again."""
    monkeypatch.setattr(Backbone, "open", lambda _path: backbone)
    return Path("graph.onnx")


def like(tmp_path: Path) -> Sample:
    return parts.samples(parts.good_folder(tmp_path / "good", 1))[0]


def refused(config: Config, sample: Sample, graph: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        accept(config, "lid", "default", None, Options()).extractors(sample, [graph])
    return str(caught.value)


def test_unknown_stations_and_products_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    """Both lists are in the message."""
    with pytest.raises(BadInput, match="station lit: expected one of lid in"):
        accept(parts.config(tmp_path), "lit", "default", None, Options())
    with pytest.raises(BadInput, match=r"lid\.yaml: products: expected one of default, got blue"):
        accept(parts.config(tmp_path), "lid", "blue", None, Options())


def test_a_rule_that_needs_bad_parts_is_refused_without_them(tmp_path: Path) -> None:
    """Whether the station file or the command line asks for it."""
    with pytest.raises(ConfigError, match=r"threshold\.rule: expected bad parts for the rule full_recall, got none"):
        accept(parts.config(tmp_path, threshold=Threshold(rule="full_recall")), "lid", "default", None, Options())
    with pytest.raises(BadInput, match=r"^--rule f1: expected pictures of bad parts, got none; give --bad DIR"):
        accept(parts.config(tmp_path), "lid", "default", None, Options(rule="f1"))
    assert accept(parts.config(tmp_path), "lid", "default", tmp_path, Options(rule="f1")).rule == "f1"


def test_the_command_line_goes_before_the_station_file(tmp_path: Path) -> None:
    """For rule and rate; without a choice the file's stand."""
    config = parts.config(tmp_path, threshold=Threshold(rule="f1", max_false_reject=0.02))
    chosen = accept(config, "lid", "default", tmp_path, Options(rule="max_false_reject", max_false_reject=0.01))
    assert (chosen.rule, chosen.rate) == ("max_false_reject", 0.01)
    plain = accept(config, "lid", "default", tmp_path, Options())
    assert (plain.rule, plain.rate) == ("f1", 0.02)


@pytest.mark.parametrize(
    ("in_file", "typed", "bad", "rule"),
    [
        (Threshold(), Options(), False, "max_false_reject"),
        (Threshold(), Options(), True, "f1"),
        (Threshold(), Options(max_false_reject=0.02), True, "max_false_reject"),
        (Threshold(), Options(max_false_reject="best"), True, "max_false_reject"),
        (Threshold(rule="f1"), Options(max_false_reject=0.02), True, "max_false_reject"),
        (Threshold(max_false_reject=0.02), Options(), True, "max_false_reject"),
        (Threshold(max_false_reject=0.02), Options(rule="f1"), True, "f1"),
        (Threshold(rule="full_recall", max_false_reject=0.02), Options(), True, "full_recall"),
    ],
)
def test_whoever_asks_for_a_false_reject_rate_gets_its_rule(
    tmp_path: Path, in_file: Threshold, typed: Options, bad: bool, rule: str
) -> None:
    """Bad parts bring f1 only where neither a rule nor a rate was asked for; what is typed goes before the file."""
    job = accept(parts.config(tmp_path, threshold=in_file), "lid", "default", tmp_path if bad else None, typed)
    assert job.rule == rule


def test_a_rate_and_another_rule_typed_together_are_refused(tmp_path: Path) -> None:
    """One of them would be ignored."""
    with pytest.raises(BadInput, match=r"--max-false-reject 0\.02: .* got --rule f1; drop one"):
        accept(parts.config(tmp_path), "lid", "default", tmp_path, Options(rule="f1", max_false_reject=0.02))


@pytest.mark.parametrize(("said", "rate"), [("2%", 0.02), (0.03, 0.03), ("best", "best")])
def test_the_largest_share_of_false_rejects_may_be_said_in_per_cent(said: float | str, rate: object, tmp_path: Path) -> None:
    config = parts.config(tmp_path, threshold=Threshold(max_false_reject=said))
    assert accept(config, "lid", "default", None, Options()).rate == rate


def test_a_roi_outside_the_picture_is_refused(tmp_path: Path, graph: Path) -> None:
    """One pixel too far is too far; one that just fits is taken."""
    sample = like(tmp_path)
    told = refused(parts.config(tmp_path, roi=Roi(x=33, y=0, width=32, height=64)), sample, graph)
    assert "lid.yaml: roi: expected a rectangle inside the pictures of 64 x 64, got x 33, y 0, 32 x 64" in told
    fits = parts.config(tmp_path, roi=Roi(x=32, y=0, width=32, height=64))
    job = accept(fits, "lid", "default", None, Options())
    assert job.extractors(sample, [graph])[0].cut(sample.pixels()).shape == (64, 32)
    assert job.picture(sample).roi == (32, 0, 32, 64)


def test_pictures_captured_with_another_roi_are_refused(tmp_path: Path, graph: Path) -> None:
    """Around their roi nothing is known; with the same one they are as the camera's whole pictures."""
    whole = parts.part(0)
    cut = image.encode_png(np.ascontiguousarray(whole[8:48, 4:52]), Cut(4, 8, 64, 64))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0000.png").write_bytes(cut)
    [sample] = parts.samples(tmp_path / "in")
    for roi, got in ((Roi(x=5, y=8, width=48, height=40), "x 5, y 8, 48 x 40"), (None, "the whole picture")):
        told = refused(parts.config(tmp_path, roi=roi), sample, graph)
        assert f"roi: expected x 4, y 8, 48 x 40, with which the pictures were captured, got {got}" in told
    job = accept(parts.config(tmp_path, roi=Roi(x=4, y=8, width=48, height=40)), "lid", "default", None, Options())
    assert np.array_equal(job.extractors(sample, [graph])[0].cut(sample.pixels()), whole[8:48, 4:52])
    assert job.picture(sample).camera_px == (64, 64)


def test_a_mask_that_is_missing_or_of_another_size_or_all_black_is_refused(tmp_path: Path, graph: Path) -> None:
    """Each with the file and what was expected."""
    sample = like(tmp_path)
    parts.write(tmp_path, {"small.png": parts.part(0, 32), "black.png": np.zeros((64, 64), np.uint8)})
    assert "nowhere.png: one that cannot be read" in refused(parts.config(tmp_path, mask="nowhere.png"), sample, graph)
    (tmp_path / "note.png").write_text("hello")
    assert refused(parts.config(tmp_path, mask="note.png"), sample, graph).count("expected") == 1
    told = refused(parts.config(tmp_path, mask="small.png"), sample, graph)
    assert "mask: expected the size of what is judged, 64 x 64" in told
    assert "small.png of 32 x 32" in told
    assert "all black" in refused(parts.config(tmp_path, mask="black.png"), sample, graph)


def test_a_mask_is_as_large_as_the_roi_and_its_hash_is_kept(tmp_path: Path, graph: Path) -> None:
    """White is judged, whatever shade of it, black is not."""
    sample = like(tmp_path)
    mask = np.zeros((64, 32), np.uint8)
    mask[:, :16] = 9
    parts.write(tmp_path, {"mask.png": mask})
    job = accept(
        parts.config(tmp_path, roi=Roi(x=0, y=0, width=32, height=64), mask="mask.png"), "lid", "default", None, Options()
    )
    inside = job.extractors(sample, [graph])[0].mask
    assert inside is not None
    assert np.array_equal(inside, mask > 0)
    assert job.picture(sample).mask_sha256 == hashlib.sha256((tmp_path / "mask.png").read_bytes()).hexdigest()


def station_file(tmp_path: Path, method: str) -> Config:
    """A station whose file is really there: its method stands on line 4."""
    (tmp_path / "lid.yaml").write_text(f"station: lid\ncamera: {{kind: folder, path: .}}\ndeadline_ms: 200\nmethod: {method}\n")
    return load.load(tmp_path, cameras=False)


def problems(config: Config, sample: Sample, graph: Path) -> list[str]:
    """What is wrong with the graphs or, if nothing is, with how the members see."""
    job = accept(config, "lid", "default", None, Options())
    with pytest.raises(ConfigError) as caught:
        job.extractors(sample, [graph for _ in job.graphs(graph.parent)])
    return str(caught.value).splitlines()


def test_backbones_and_layers_that_are_not_there_are_named_with_file_line_and_those_that_are(
    tmp_path: Path, graph: Path
) -> None:
    """Of all members at once."""
    members = "{members: [{backbone: resnet99}, {backbone: lite0, layers: [4, 11]}, {backbone: lite2, layers: [99]}]}"
    unknown, missing, none = problems(station_file(tmp_path, members), like(tmp_path), graph)
    assert unknown.startswith(f"{tmp_path}/lid.yaml:4: method.members.0.backbone: expected one of lite0, lite2")
    assert missing.startswith(f"{tmp_path}/lid.yaml:4: method.members.1.layers: expected layers that lite0 offers, out of [")
    assert missing.endswith("got [4, 11]")
    assert "10" in missing.partition("out of")[2]
    assert "method.members.2.layers: expected layers that lite2 offers" in none
    (alone,) = problems(station_file(tmp_path, "{backbone: lite0, layers: [99]}"), like(tmp_path), graph)
    assert "lid.yaml:4: method.layers: expected layers that lite0 offers" in alone


@pytest.mark.parametrize(
    ("tiling", "key", "words"),
    [
        (
            "overlap_px: 64",
            "tiling.overlap_px",
            "expected tiles smaller than the picture's 64 pixels, got 64 with this overlap",
        ),
        ("overlap_px: 30", "tiling.overlap_px", "expected at most half a tile: 21 pixels for 2 tiles in 64, got 30"),
        ("overlap_px: 1", "tiling.overlap_px", "expected at least a patch: 2 pixels in 64, got 1"),
        ("rows: 4, overlap_px: 4", "tiling", "expected tiles of at least 32 pixels, got 4 of 19 in the picture's 64"),
    ],
)
def test_tiles_that_do_not_fit_the_picture_are_refused(tmp_path: Path, graph: Path, tiling: str, key: str, words: str) -> None:
    """The roi counts where there is one; here it is the whole picture of 64 x 64."""
    method = f"{{backbone: lite0, layers: [4, 10], input_px: 224, tiling: {{{tiling}}}}}"
    (told,) = problems(station_file(tmp_path, method), like(tmp_path), graph)
    assert told.startswith(f"{tmp_path}/lid.yaml:4: method.{key}: {words}")


def test_each_member_sees_as_its_settings_say(tmp_path: Path, graph: Path) -> None:
    """Sizes, strides and tiles are its own; roi and mask are the station's."""
    members = "{members: [{input_px: [64, 96], stride: 2}, {input_px: 224, tiling: {overlap_px: 16}}]}"
    job = accept(station_file(tmp_path, members), "lid", "default", None, Options())
    one, other = job.extractors(like(tmp_path), [graph, graph])
    assert (one.grid, other.grid) == ((4, 6), (56, 56))
    assert one.backbone is other.backbone
    assert one.vectors([parts.part(0)]).shape == (1, 4, 6, 152)
    assert other.vectors([parts.part(0), parts.part(1)]).shape == (2, 56, 56, 152)
