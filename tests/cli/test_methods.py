"""Settings are read as a station file's, and what is wrong with them is told as it was typed."""

from pathlib import Path

import pytest

from calibration import memory
from calibration.bench import learnt
from inspectd.cli import methods
from inspectd.cli.methods import NAMES, OF_PATCHES, OF_SCORES
from inspectd.errors import BadInput, ConfigError
from inspectd.station.schema import Method, Tiling
from tests.calibration.test_layout import mvtec
from tests.cli.typed import inspectd

ALL = "expected NAME=VALUE with one of the names kind, backbone, layers, input_px, tiling.rows, "


def test_every_setting_that_cannot_be_is_told_as_it_was_typed() -> None:
    """Both at once, each with its option, its bounds and what came; a kind is named by --method."""
    chosen = {"input_px": "97", "layers": "4,10", "bank": "1", "sampler": "greedy", "score": None}
    with pytest.raises(BadInput) as caught:
        methods.method(["sigma=3"], NAMES, chosen)
    input_px, bank = str(caught.value).splitlines()
    assert input_px.startswith("--input-px 97: expected a whole number from 64 to 1600, a multiple of 32")
    assert input_px.endswith("got 97")
    assert bank.startswith("--bank 1: expected ")
    assert ", got 1" in bank
    with pytest.raises(BadInput, match=r"^--method gauss: expected one of patchcore, padim, spade, got the text 'gauss'$"):
        methods.judging("gauss", ())


def test_settings_are_typed_as_in_a_station_file() -> None:
    """Lists by commas, keys inside others by dots, numbers as numbers; an option that was left out is the default."""
    found, _ = methods.method(["tiling.rows=3", "sigma=0.5"], NAMES, {"layers": "4", "input_px": "224,320", "kind": None})
    assert found == Method(layers=(4,), input_px=(224, 320), tiling=Tiling(rows=3), sigma=0.5)
    assert methods.method(["layers=4"], NAMES, {"layers": "4,10"})[0].layers == (4,)
    assert set(NAMES) >= {*OF_SCORES} >= {*OF_PATCHES}


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("sigma", f"{ALL}.*, got no =$"),
        ("sigmas=1", rf"{ALL}.*, got the name sigmas \(did you mean sigma\?\)$"),
        ("=1", f"{ALL}.*, got no name$"),
        ("members=1", f"{ALL}.*, got the name members$"),
        ("tiling=2", rf"{ALL}.*, got the name tiling \(did you mean tiling.rows\?\)$"),
        ("input_px.rows=2", rf"{ALL}.*, got the name input_px.rows \(did you mean input_px\?\)$"),
        ("sigma=9", "expected a number from 0 to 8, got 9$"),
        ("sigma=", "expected a number from 0 to 8, got nothing$"),
        ("backbone=3", "expected text .*, got 3$"),
        ("layers=4,x", "expected a whole number from 0 to 200, got the text 'x'$"),
        ("layers=10,4", r"expected at least one block, in rising order, each once, got \[10, 4\]$"),
        ("tiling.rows=17", "expected a whole number from 1 to 16, got 17$"),
        ("score=image", "expected a score of patchcore, got image$"),
    ],
)
def test_a_wrong_name_or_value_is_told_as_it_was_typed_without_a_word_on_files(setting: str, told: str) -> None:
    """Names are listed; keys, quotes and lines to remove are for those who edit a station file."""
    with pytest.raises(BadInput, match=rf"^--set {setting}: {told}"):
        methods.method([setting], NAMES, {})


def test_several_that_make_one_setting_are_all_named() -> None:
    """One tile is wrong by its rows and columns together."""
    with pytest.raises(BadInput, match=r"^--set tiling.rows=1 --set tiling.columns=1: expected two tiles or more, got 1 x 1$"):
        methods.method(["tiling.rows=1", "tiling.columns=1"], NAMES, {})


@pytest.mark.parametrize(("command", "names"), [("accuracy", NAMES), ("speed", OF_SCORES), ("coreset", OF_PATCHES)])
@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("layers=99", "expected layers that lite[02] offers, out of [0, 1, 2, "),
        ("backbone=lite9", "expected one of lite0, lite2; others come by `inspectd backbone add`, got lite9"),
        ("nonsense=1", "expected NAME=VALUE with one of the names {names}, got the name nonsense"),
    ],
)
def test_every_benchmark_tells_its_own_names_and_what_backbones_offer(
    command: str, names: tuple[str, ...], setting: str, told: str, tmp_path: Path
) -> None:
    """Before the pictures are read: the folder is empty, and no peer is there."""
    peer = ["--peer-python", tmp_path / "none"] if command == "coreset" else []
    result = inspectd("benchmark", command, "--data", tmp_path, "--state", tmp_path, *peer, "--set", setting)
    assert result.exit_code == 2
    told = told.format(names=", ".join(names)).replace("lite[02]", "lite2" if command == "accuracy" else "lite0")
    assert f"error: --set {setting}: {told}" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "free", "told"),
    [
        (["--set", "bank=100%"], 10**8, "--input-px: expected pictures and patch vectors that fit into 0.1 GB"),
        (["--set", "input_px=96"], 10**8, "--set input_px=96: expected pictures and patch vectors that fit"),
        (["--bank", "500", "--set", "search=ivfpq"], 10**10, "--bank 500: expected at least 9,984 vectors for search: ivfpq"),
        (["--set", "tiling.overlap_px=60"], 10**10, "--set tiling.overlap_px=60: expected at most half a tile: 21 pixels"),
    ],
)
def test_what_only_shows_with_the_pictures_is_told_as_it_was_typed_too(
    words: list[str], free: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its option where it has one, though nobody typed it; memory, banks and tiles alike."""
    monkeypatch.setattr(memory, "available", lambda: free)
    result = inspectd("benchmark", "accuracy", "--data", mvtec(tmp_path), "--state", tmp_path, *words)
    assert result.exit_code == 2
    assert f"error: {told}" in result.stderr


def test_what_shows_later_is_told_of_the_file_where_it_stands(tmp_path: Path) -> None:
    """With its line."""
    file = tmp_path / "both.yaml"
    file.write_text("method:\n  members:\n    - {}\n    - {layers: [99]}\n", encoding="utf-8")
    method, typed = methods.judging(str(file), ())
    with (
        pytest.raises(BadInput, match=r"both\.yaml:4: method\.members\.1\.layers: expected layers that lite2 offers"),
        typed.told(),
    ):
        learnt.need(method, learnt.Machine(tmp_path))


def test_a_method_is_read_from_what_a_station_file_says_under_method(tmp_path: Path) -> None:
    """Members too, whatever else the file says; a name is a kind; what is wrong comes with its line; not both at once."""
    file = tmp_path / "lid.yaml"
    file.write_text("station: lid\nmethod:\n  members:\n    - {weight: 2}\n    - {layers: [19]}\n", encoding="utf-8")
    found, _ = methods.judging(str(file), (), backbone=None)
    assert [(one.layers, one.weight) for one in found.members] == [((10, 14), 2.0), ((19,), 1.0)]
    assert methods.judging("padim", ["sigma=2"], bank=None)[0] == Method(kind="padim", sigma=2.0)
    with pytest.raises(BadInput, match=r"expected every setting in the file, got --bank, --set too"):
        methods.judging(str(file), ["sigma=2"], bank="100")
    file.write_text("method:\n  bank: 100\n  layers: [10, 4]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        methods.judging(str(file), ())
    assert [(wrong.line, wrong.key) for wrong in caught.value.problems] == [(3, "method.layers")]
    for text in ("station: lid\n", "kind: padim\nbackbone: lite0\n"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(
            ConfigError, match=r"lid.yaml:1: method: .*\(put everything under `method:`, as in a station file\)"
        ):
            methods.judging(str(file), ())
