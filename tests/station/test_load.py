"""Bad files: every problem is named with file, line and key, and all problems of all files come at once."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspectd import image
from inspectd.errors import ConfigError, Problem
from inspectd.station.load import load, plain
from inspectd.station.schema import Config

GOOD = """\
station: washer
camera:
  kind: folder
  path: ../line
deadline_ms: 250
"""
LINE = """\
plcs:
  line1:
    protocol: modbus_tcp
    address: 127.0.0.1:5020
"""


class Files:
    """A configuration directory with pictures beside it."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "stations"
        self.directory.mkdir()
        pictures = root / "line"
        pictures.mkdir()
        (pictures / "part-1.png").write_bytes(image.encode_png(np.zeros((32, 32), np.uint8)))

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.directory / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(self) -> Config:
        return load(self.directory)

    def problems(self) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            load(self.directory)
        return caught.value.problems

    def only(self) -> Problem:
        problems = self.problems()
        assert len(problems) == 1, problems
        return problems[0]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def with_line(key: str, value: str) -> str:
    """The good station with one more key, or with another value of a key that it has."""
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"{key}:")]
    return "\n".join([*lines, f"{key}: {value}"]) + "\n"


def test_a_good_directory_loads_with_defaults_and_without_line_yaml(files: Files) -> None:
    """The smallest station file is enough; line.yaml may be missing."""
    path = files.write("washer.yaml", GOOD)
    config = files.load()
    assert config.stations["washer"].camera.rate == 10.0
    assert config.line.workers.count == 1
    assert config.files == {"washer": str(path)}


def test_line_yaml_is_read(files: Files) -> None:
    """Connections of line.yaml are those that stations name."""
    files.write("line.yaml", LINE)
    files.write("washer.yaml", with_line("plc", "{name: line1, block: 3}"))
    config = files.load()
    assert config.line.plcs["line1"].address == "127.0.0.1:5020"
    assert config.stations["washer"].plc is not None


def test_null_is_read_as_left_out(files: Files) -> None:
    """A key may say null where leaving it out is allowed."""
    files.write("washer.yaml", GOOD + "roi: null\nmask:\n")
    assert files.load().stations["washer"].roi is None


# one row a mistake: text of the file, line, key, and words that the message must hold
MISTAKES = {
    "unknown key": (GOOD + "deadlin_ms: 3\n", 6, "deadlin_ms", "did you mean deadline_ms?"),
    "unknown inner key": (GOOD.replace("  path", "  pth: x\n  path"), 4, "camera.pth", "kind, path, rate, loop"),
    "duplicate key": (GOOD + "station: washer\n", 6, "station", "first on line 1"),
    "duplicate inner key": (GOOD.replace("deadline", "  path: x\ndeadline"), 5, "camera.path", "each key once"),
    "missing key": (GOOD.replace("deadline_ms: 250\n", ""), 1, "deadline_ms", "from the trigger until"),
    "missing inner key": (GOOD.replace("  path: ../line\n", ""), 2, "camera.path", "directory of the pictures"),
    "text for a number": (with_line("seed", "soon"), 6, "seed", "a whole number from 0 to 2147483647, got the text 'soon'"),
    "quoted number": (with_line("seed", "'7'"), 6, "seed", "no quotes"),
    "octal number": (with_line("seed", "010"), 6, "seed", "the text '010'"),
    "sexagesimal number": (with_line("seed", "10:30"), 6, "seed", "the text '10:30'"),
    "number with a unit": (with_line("mm_per_px", "1mm"), 6, "mm_per_px", "units"),
    "number for a text": (with_line("mask", "17"), 6, "mask", "write it in quotes"),
    "fraction for a share": (with_line("method", "{bank: 0.1}"), 6, "method.bank", "got 0.1 (a share is written 10%)"),
    "float for a bank": (with_line("method", "{bank: 1e3}"), 6, "method.bank", "got 1000.0 (a share is written 10%)"),
    "fraction for a whole number": (with_line("seed", "1.5"), 6, "seed", "whole number"),
    "word for a boolean": (
        GOOD.replace("deadline", "  loop: off\ndeadline"),
        5,
        "camera.loop",
        "true or false, got the text 'off'",
    ),
    "boolean for a number": (with_line("seed", "true"), 6, "seed", "got true"),
    "below the range": (with_line("delivery_ms", "0.5"), 6, "delivery_ms", "from 1 to 600000, got 0.5"),
    "above the range": (with_line("deadline_ms", "700000"), 5, "deadline_ms", "from 1 to 600000"),
    "infinite": (with_line("deadline_ms", "9e999"), 5, "deadline_ms", "got inf"),
    "open bound": (with_line("mm_per_px", "0"), 6, "mm_per_px", "above 0"),
    "not a multiple": (with_line("method", "{input_px: 225}"), 6, "method.input_px", "a multiple of 32"),
    "wrong choice": (with_line("trigger", "camra"), 6, "trigger", "did you mean camera?"),
    "wrong number of a choice": (with_line("method", "{patch: 4}"), 6, "method.patch", "one of 1, 3, 5, 7, 9"),
    "wrong choice beside a number": (GOOD.replace("deadline", "  rate: min\ndeadline"), 5, "camera.rate", "or max"),
    "null where a value must be": (with_line("seed", ""), 6, "seed", "got nothing"),
    "a value for a section": (with_line("keep", "all"), 6, "keep", "keys and values (pictures)"),
    "a list for a section": (with_line("roi", "[1, 2]"), 6, "roi", "got a list"),
    "a section for a value": (with_line("seed", "{a: 1}"), 6, "seed", "got a mapping"),
    "a bad item of a list": (with_line("products", "[ok, Not Ok]"), 6, "products.1", "lower-case letters"),
    "an empty list": (with_line("products", "[]"), 6, "products", "a list"),
    "a word for a list": (with_line("products", "one"), 6, "products", "a list [a, b]"),
    "a line break in a text": (with_line("mask", r'"a\nb"'), 6, "mask", "without control characters"),
    "name other than the file's": (GOOD.replace("washer", "nut"), 1, "station", "rename the file to nut.yaml"),
    "deadline too short": (with_line("deadline_ms", "10"), 5, "deadline_ms", "delivery_ms (10) below deadline_ms (10)"),
    "delivery too long": (with_line("delivery_ms", "250"), 6, "delivery_ms", "below deadline_ms (250)"),
    "trigger of no plc": (with_line("trigger", "plc"), 6, "trigger", "the key plc:"),
    "part id of no plc": (with_line("part_id", "plc"), 6, "part_id", "the key plc:"),
    "unknown plc": (with_line("plc", "{name: line9}"), 6, "plc.name", "names none under plcs:"),
    "no group in group_by": (with_line("group_by", "^part"), 6, "group_by", "0 groups"),
    "two groups in group_by": (with_line("group_by", "(a)(b)"), 6, "group_by", "2 groups"),
    "broken group_by": (with_line("group_by", "'(a'"), 6, "group_by", "unterminated"),
    "layers that fall": (with_line("method", "{layers: [10, 4]}"), 6, "method.layers", "rising order"),
    "no layers": (with_line("method", "{layers: []}"), 6, "method.layers", "at least one"),
    "a bank of nothing": (with_line("method", "{bank: 0%}"), 6, "method.bank", "above 0% and up to 100%"),
    "a bank of more than all": (with_line("method", "{bank: 100.5%}"), 6, "method.bank", "above 0% and up to 100%"),
    "a bank as a fraction": (with_line("method", "{bank: 0.1}"), 6, "method.bank", "text (10%)"),
    "a bank of no number": (with_line("method", "{bank: some%}"), 6, "method.bank", "text (10%)"),
    "a recheck band of nothing": (with_line("threshold", "{recheck: 0%}"), 6, "threshold.recheck", "above 0% and below 50%"),
    "a recheck band of most": (with_line("threshold", "{recheck: 60%}"), 6, "threshold.recheck", "above 0% and below 50%"),
    "a recheck band above": (with_line("threshold", "{recheck: 1.1}"), 6, "threshold.recheck", "text (5%)"),
    "a recheck band of more than all": (
        with_line("threshold", "{recheck: 150%}"),
        6,
        "threshold.recheck",
        "below 50%, got 150%",
    ),
    "rejects of nothing": (with_line("threshold", "{max_false_reject: 0%}"), 6, "threshold.max_false_reject", "above 0%"),
    "rejects of twice all": (
        with_line("threshold", "{max_false_reject: 2}"),
        6,
        "threshold.max_false_reject",
        "(a share is written 10%)",
    ),
    "a setting of another method": (with_line("method", "{kind: padim, bank: 500}"), 6, "method.bank", "a setting of padim"),
    "settings of none": (with_line("method", "{retrieve: 5}"), 6, "method.retrieve", "a setting of patchcore"),
    "a search of another method": (
        with_line("method", "{kind: spade, search: ivfpq}"),
        6,
        "method.search",
        "a setting of spade",
    ),
    "a search of no kind": (with_line("method", "{search: hnsw}"), 6, "method.search", "one of exact, ivfpq"),
    "a score of another method": (with_line("method", "{kind: spade, score: eq7}"), 6, "method.score", "a score of spade"),
    "the pooled score": (with_line("method", "{score: image}"), 6, "method.score", "a score of patchcore"),
    "an input side that is no multiple": (with_line("method", "{input_px: [224, 225]}"), 6, "method.input_px.1", "of 32"),
    "three input sides": (with_line("method", "{input_px: [64, 64, 64]}"), 6, "method.input_px", "a list [a, b] of 2"),
    "a stride that skips too much": (with_line("method", "{stride: 5}"), 6, "method.stride", "from 1 to 4"),
    "a single tile": (with_line("method", "{tiling: {rows: 1, columns: 1}}"), 6, "method.tiling", "remove the key"),
    "no overlap": (with_line("method", "{tiling: {overlap_px: 0}}"), 6, "method.tiling.overlap_px", "from 1 to 1000"),
    "a weight without members": (with_line("method", "{weight: 2}"), 6, "method.weight", "unknown key weight"),
    "a weight that is none": (
        with_line("method", "{members: [{weight: 0}, {patch: 1}]}"),
        6,
        "method.members.0.weight",
        "above 0",
    ),
    "a negative weight": (
        with_line("method", "{members: [{patch: 1}, {weight: -1}]}"),
        6,
        "method.members.1.weight",
        "above 0",
    ),
    "a single member": (with_line("method", "{members: [{patch: 1}]}"), 6, "method.members", "at least two methods"),
    "members that are alike": (
        with_line("method", "{members: [{patch: 1}, {patch: 3}, {weight: 5}]}"),
        6,
        "method.members.2",
        "same as member 1",
    ),
    "members that are no list": (with_line("method", "{members: lite0}"), 6, "method.members", "a list of keys and values"),
    "a key beside members": (
        with_line("method", "{members: [{patch: 1}, {}], backbone: lite0}"),
        6,
        "method.backbone",
        "unknown key backbone",
    ),
    "layers of a member that fall": (
        with_line("method", "{members: [{}, {layers: [10, 4]}]}"),
        6,
        "method.members.1.layers",
        "rising order",
    ),
    "a single tile of a member": (
        with_line("method", "{members: [{}, {tiling: {rows: 1, columns: 1}}]}"),
        6,
        "method.members.1.tiling",
        "two tiles",
    ),
    "product twice": (with_line("products", "[a, b, a]"), 6, "products", "a again"),
    "mask that is not there": (with_line("mask", "mask.png"), 6, "mask", "no such file"),
    "mask that is a folder": (with_line("mask", "."), 6, "mask", "a directory"),
    "camera folder that is not there": (GOOD.replace("../line", "../lin"), 4, "camera.path", "mkdir -p"),
    "camera folder that is a file": (GOOD.replace("../line", "washer.yaml"), 4, "camera.path", "a file (name its directory)"),
    "camera folder with a space, that is not there": (GOOD.replace("../line", "../no such"), 4, "camera.path", "/no such')"),
    "camera folder without a picture": (GOOD.replace("../line", "."), 4, "camera.path", "no picture in it"),
    "empty file": ("", None, "", "an empty file"),
    "comments alone": ("# station: washer\n", None, "", "an empty file"),
    "a list": ("- a\n- b\n", 1, "", "got a list"),
    "a word": ("station\n", 1, "", "got the text 'station'"),
    "a tab": ("station: washer\ncamera:\n\tkind: folder\n", 3, "", "a tab (indent with spaces)"),
    "not UTF-8": (GOOD.encode() + b"# \xfcber\n", 6, "", "save the file as UTF-8"),
    "a control character": (GOOD + "mask: a\x07b\n", 6, "", "U+0007"),
    "not YAML": (GOOD + "mask: [a\n", 7, "", "expected YAML"),
    "two documents": (GOOD + "---\n" + GOOD, 6, "", "another document"),
    "an anchor": (GOOD + "mask: &a x\n", 6, "", "anchors (&)"),
    "an alias": (GOOD + "mask: *a\n", 6, "", "aliases (*)"),
    "a tag": (GOOD + "mask: !!python/name:os.system x\n", 6, "", "tags are not read"),
    "a deep file": (GOOD + "mask: " + "[" * 40 + "]" * 40 + "\n", 6, "", "more than 20 levels"),
    "a list as a key": (GOOD + "[a]: b\n", 6, "", "a name before the colon"),
}


@pytest.mark.parametrize(("text", "line", "key", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_file_line_and_key(
    files: Files, text: str | bytes, line: int | None, key: str, words: str
) -> None:
    """One mistake gives one problem, at its place, and says what was expected, what came, and what to do."""
    path = files.write("washer.yaml", text)
    problem = files.only()
    assert (problem.file, problem.line, problem.key) == (path, line, key)
    assert words in str(problem)


def test_several_methods_are_members_each_with_a_weight(files: Files) -> None:
    """A method alone is a member itself; sides of the input may differ, and one side stands for both."""
    text = "\n  members:\n    - {backbone: lite0, input_px: [96, 160], weight: 2.5}\n    - layers: [19]\n"
    files.write("washer.yaml", with_line("method", text))
    one, other = files.load().stations["washer"].method.members
    assert (one.size_px, one.weight, one.backbone) == ((96, 160), 2.5, "lite0")
    assert (other.size_px, other.weight, other.backbone) == ((288, 288), 1.0, "lite2")
    files.write("washer.yaml", with_line("method", "{input_px: 96, tiling: {columns: 3}}"))
    (alone,) = files.load().stations["washer"].method.members
    assert (alone.size_px, alone.weight) == ((96, 96), 1.0)
    assert (alone.tiling.rows, alone.tiling.columns) == (2, 3)


LINE_MISTAKES = {
    "unknown key": ("worker: {}\n", 1, "worker", "did you mean workers?"),
    "out of range": ("workers:\n  count: 0\n", 2, "workers.count", "from 1 to 64"),
    "no port": (LINE.replace(":5020", ""), 4, "plcs.line1.address", "host:port"),
    "impossible port": (LINE.replace("5020", "70000"), 4, "plcs.line1.address", "a port from 1 to 65535"),
    "missing address": (LINE.replace("    address: 127.0.0.1:5020\n", ""), 2, "plcs.line1.address", "host:port"),
    "missing protocol": (
        LINE.replace("    protocol: modbus_tcp\n", ""),
        2,
        "plcs.line1.protocol",
        "expected modbus_tcp: inspectd is the server, the PLC polls, got nothing (add the line protocol: modbus_tcp)",
    ),
    "another protocol": (LINE.replace("modbus_tcp", "ethernet_ip"), 3, "plcs.line1.protocol", "(write modbus_tcp)"),
    "bad name of a connection": (LINE.replace("line1", "Line 1"), 2, "plcs.Line 1", "lower-case letters"),
    "a connection that is no section": ("plcs:\n  line1: modbus\n", 2, "plcs.line1", "protocol, address"),
    "metrics on the port of a plc": (LINE + "metrics: 127.0.0.1:5020\n", 5, "metrics", "also at plcs.line1.address"),
    "metrics on every host at the port of a plc": (LINE + "metrics: 0.0.0.0:5020\n", 5, "metrics", "also at"),
    "metrics at a plc's address, spelt otherwise": (LINE + "metrics: localhost:5020\n", 5, "metrics", "also at"),
}


@pytest.mark.parametrize(("text", "line", "key", "words"), LINE_MISTAKES.values(), ids=LINE_MISTAKES)
def test_a_mistake_in_line_yaml_is_named(files: Files, text: str, line: int, key: str, words: str) -> None:
    """line.yaml is held to the same rules."""
    files.write("washer.yaml", GOOD)
    path = files.write("line.yaml", text)
    problem = files.only()
    assert (problem.file, problem.line, problem.key) == (path, line, key)
    assert words in str(problem)


def test_two_plcs_never_share_an_address(files: Files) -> None:
    """The second connection on one listening address is refused, and the first is named."""
    files.write("washer.yaml", GOOD)
    files.write("line.yaml", LINE + "  line2:\n    protocol: modbus_tcp\n    address: 127.0.0.1:5020\n")
    problem = files.only()
    assert (problem.line, problem.key) == (7, "plcs.line2.address")
    assert "also at plcs.line1.address" in problem.got


def test_two_plcs_may_share_a_port_on_different_hosts(files: Files) -> None:
    """Only the same address, or one that covers it, is a conflict."""
    files.write("washer.yaml", GOOD)
    files.write("line.yaml", LINE + "  line2:\n    protocol: modbus_tcp\n    address: 127.0.0.2:5020\n")
    assert set(files.load().line.plcs) == {"line1", "line2"}


def test_two_stations_never_share_a_block(files: Files) -> None:
    """The same block of the same PLC twice is refused; a free one is offered."""
    files.write("line.yaml", LINE)
    files.write("nut.yaml", with_line("plc", "{name: line1}").replace("washer", "nut"))
    path = files.write("washer.yaml", with_line("plc", "{name: line1, block: 0}"))
    problem = files.only()
    assert (problem.file, problem.line, problem.key) == (path, 6, "plc.block")
    assert "also in nut.yaml" in problem.got
    assert "free: 1" in problem.hint


def test_a_station_is_named_once(files: Files) -> None:
    """A copied file that still names the first station is refused, and the first file is named."""
    files.write("nut.yaml", GOOD.replace("washer", "nut"))
    path = files.write("washer.yaml", GOOD.replace("washer", "nut"))
    problems = files.problems()
    assert {problem.key for problem in problems} == {"station"}
    assert [problem.file for problem in problems if "also in nut.yaml" in problem.got] == [path]


def test_an_empty_camera_folder_is_refused_when_the_line_shall_run(files: Files, tmp_path: Path) -> None:
    """No parts can come from an empty folder; calibration does not mind."""
    (tmp_path / "empty").mkdir()
    files.write("washer.yaml", GOOD.replace("../line", "../empty"))
    problem = files.only()
    assert (problem.line, problem.key) == (4, "camera.path")
    assert "an empty directory" in problem.got
    assert load(files.directory, cameras=False).stations


def test_all_problems_of_all_files_come_at_once(files: Files) -> None:
    """Mistakes in YAML, fields and between files are all told in one run, in the order of files and lines."""
    files.write("line.yaml", "workers:\n  count: 0\n  treads: 2\n")
    files.write(
        "nut.yaml", "station: nut\nstation: nut\ncamera:\n  kind: usb\n  path: ../none\ndeadline_ms: x\nplc: {name: p}\n"
    )
    files.write("washer.yaml", "\t")
    places = [(Path(problem.file).name, problem.line, problem.key) for problem in files.problems()]
    assert places == [
        ("line.yaml", 2, "workers.count"),
        ("line.yaml", 3, "workers.treads"),
        ("nut.yaml", 2, "station"),
        ("nut.yaml", 4, "camera.kind"),
        ("nut.yaml", 5, "camera.path"),
        ("nut.yaml", 6, "deadline_ms"),
        ("nut.yaml", 7, "plc.name"),
        ("washer.yaml", 1, ""),
    ]


def test_no_station_file_is_an_error_that_says_how_to_write_one(files: Files) -> None:
    """A directory without a station has nothing to run."""
    files.write("line.yaml", LINE)
    assert "inspectd init STATION" in files.only().hint


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """The path that was asked for stands in the message."""
    with pytest.raises(ConfigError, match="no such directory") as caught:
        load(tmp_path / "nowhere")
    assert caught.value.problems[0].file == tmp_path / "nowhere"


def test_a_file_that_ends_in_yml_is_not_passed_over(files: Files) -> None:
    """`.yml` would be ignored in silence, and a camera would be missing on the line."""
    files.write("washer.yaml", GOOD)
    path = files.write("nut.yml", GOOD)
    assert files.only().file == path


def test_hidden_files_are_passed_over(files: Files) -> None:
    """Editors leave `.#name.yaml` beside the file that is being edited."""
    files.write("washer.yaml", GOOD)
    files.write(".#nut.yaml", "\t")
    assert set(files.load().stations) == {"washer"}


def test_a_directory_called_as_a_file_is_named(files: Files) -> None:
    """What cannot be read is told with the system's reason."""
    (files.directory / "washer.yaml").mkdir()
    assert files.only().expected == "a readable file"


@given(st.from_regex(r"[^\s\"'#,:\[\]{}&*!|>%@`?-][^\s#:,\[\]{}]*", fullmatch=True))
def test_a_plain_scalar_is_what_it_looks_like(text: str) -> None:
    """Only true and false are booleans, only decimal numbers are numbers, and everything else is text as written."""
    value = plain(text)
    if isinstance(value, bool):
        assert text == ("true" if value else "false")
    elif isinstance(value, int | float):
        assert float(text) == value
        assert set(text) <= set("0123456789+-.eE")
        assert text.lstrip("+-") == "0" or not text.lstrip("+-").startswith("0") or text.lstrip("+-")[1] in ".eE"
    elif value is None:
        assert text in ("null", "~")
    else:
        assert value == text


@given(st.integers(-(10**18) + 1, 10**18 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_every_decimal_number_reads_as_itself(number: float) -> None:
    """Whatever Python writes as a number is that number again."""
    assert plain(str(number)) == number


@pytest.mark.parametrize(
    "text", ["off", "on", "yes", "no", "True", "FALSE", "0x10", "0o17", "1_000", ".5", "5.", ".inf", ".nan", "-"]
)
def test_what_yaml_1_1_would_guess_is_text(text: str) -> None:
    """Words and numbers of other notations are text, so that a field that wants another kind refuses them by name."""
    assert plain(text) == text


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_file_whatever_breaks_the_reader(data: bytes) -> None:
    """Any bytes give a configuration or a ConfigError that names the file, never anything else."""
    with tempfile.TemporaryDirectory() as root:
        files = Files(Path(root))
        path = files.write("washer.yaml", data)
        assert all(problem.file == path for problem in files.problems())
