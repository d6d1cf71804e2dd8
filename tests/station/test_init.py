"""The file that `inspectd init` writes: loads as it is, and every default and example in it loads too."""

import re
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from inspectd import image
from inspectd.errors import ConfigError
from inspectd.station.init import init
from inspectd.station.load import load
from inspectd.station.schema import Line, Station


def uncommented(path: Path) -> None:
    """Remove the `#` before every key of a file, as a person does who tries all of them."""
    path.write_text(re.sub(r"^( *)#(?=[a-z0-9_]+:)", r"\1", path.read_text(), flags=re.MULTILINE))


def test_a_new_station_lacks_nothing_but_its_pictures(tmp_path: Path) -> None:
    """The files load at once; the only problem is the camera's folder, and its hint creates it."""
    written = init(tmp_path / "stations", "washer")
    assert [path.name for path in written] == ["washer.yaml", "line.yaml"]
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "stations")
    assert [problem.key for problem in caught.value.problems] == ["camera.path"]
    assert caught.value.problems[0].hint == f"create it with: mkdir -p {tmp_path}/pictures/washer"
    assert load(tmp_path / "stations", cameras=False).stations["washer"].station == "washer"


def test_every_default_shown_is_the_default(tmp_path: Path) -> None:
    """Taking the # away from keys with a default changes nothing; keys without one show an example that loads."""
    directory = tmp_path / "stations"
    init(directory, "washer")
    before = load(directory, cameras=False)
    (directory / "mask.png").write_bytes(image.encode_png(np.ones((480, 640), np.uint8)))
    for path in directory.iterdir():
        if path.suffix == ".yaml":
            uncommented(path)
    after = load(directory, cameras=False)
    examples = ("group_by", "roi", "mask", "mm_per_px", "plc", "method", "threshold")
    for name in Station.__struct_fields__:
        was, now = getattr(before.stations["washer"], name), getattr(after.stations["washer"], name)
        assert (was != now) == (name in examples), name
    assert replace(after.stations["washer"].method, tiling=None) == before.stations["washer"].method
    assert (after.line.workers, after.line.retention) == (before.line.workers, before.line.retention)
    assert after.line.plcs["line1"].protocol == "modbus_tcp"


def test_every_key_of_the_schema_is_written_with_its_sentence(tmp_path: Path) -> None:
    """A newcomer finds each key in the file, with a comment above it."""
    init(tmp_path, "washer")
    for kind, name in ((Station, "washer.yaml"), (Line, "line.yaml")):
        lines = (tmp_path / name).read_text().splitlines()
        for field in kind.__struct_fields__:
            at = next(index for index, line in enumerate(lines) if re.match(rf"#?{field}:", line))
            assert lines[at - 1].startswith("# "), field


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    """A second init of a station is refused, and what stands in the file stays."""
    path = tmp_path / "washer.yaml"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="no such file yet"):
        init(tmp_path, "washer")
    assert path.read_text() == "mine"


def test_an_existing_line_yaml_is_left_alone(tmp_path: Path) -> None:
    """A second station joins the line as it is."""
    (tmp_path / "line.yaml").write_text("workers:\n  count: 2\n")
    assert [path.name for path in init(tmp_path, "washer")] == ["washer.yaml"]
    assert load(tmp_path, cameras=False).line.workers.count == 2


@pytest.mark.parametrize("name", ["Washer", "../washer", "", "-a", "a" * 33, "line", "two words"])
def test_a_name_that_no_station_can_have_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written for a bad name."""
    with pytest.raises(ConfigError):
        init(tmp_path / "stations", name)
    assert not (tmp_path / "stations").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file in the way of the directory is told with its path."""
    (tmp_path / "stations").write_text("")
    with pytest.raises(ConfigError, match="expected a directory"):
        init(tmp_path / "stations", "washer")
