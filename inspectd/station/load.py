"""Reads line.yaml and the station files; the one home of yaml. All problems of all files come at once, each with its line.

Stricter than YAML: a duplicate key is refused (elsewhere the last one wins in silence), only `true` and `false` are booleans
(YAML 1.1 reads `off` as false), only decimal numbers are numbers (YAML 1.1 reads `010` as 8 and `10:30` as 630), and there
are no tags, anchors or aliases: a file says what it looks like it says.
"""

import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from msgspec import Struct

from inspectd.errors import ConfigError, Problem
from inspectd.station import fields, rules
from inspectd.station.document import Document, Key, shown
from inspectd.station.schema import Config, Ensemble, Judging, Line, Method, Station

LINE_FILE = "line.yaml"
_PLACES = ("state_dir", "run_dir")
_MAX_DEPTH = 20  # our files are three deep; more would only exhaust the stack


class _StrictLoader(yaml.SafeLoader):
    """Composes nodes only; what a scalar means is decided in `_scalar`."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(None, None, "anchors (&) and aliases (*) are not read", event.start_mark)
        if getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(None, None, f"tags are not read: {event.tag}", event.start_mark)
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(None, None, f"more than {_MAX_DEPTH} levels", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


class Survey(NamedTuple):
    """All files of a configuration directory, as far as they could be read, and every problem of theirs."""

    directory: Path
    line: fields.Read[Line]
    stations: list[fields.Read[Station]]
    problems: list[Problem]  # by file and line

    @property
    def config(self) -> Config:
        """What can be relied on: keys of line.yaml in which nothing is wrong, the others as by default, and whole stations."""
        wrong = {problem.key.partition(".")[0] for problem in self.line.document.problems}
        names = [name for name in Line.__struct_fields__ if name in self.line.good and name not in wrong]
        known = [(read.value, str(read.document.path)) for read in self.stations if read.value is not None]
        return Config(
            directory=str(self.directory),
            line=Line(**{name: self.line.good[name] for name in names}),
            stations={station.station: station for station, _ in known},
            files={station.station: path for station, path in known},
        )


def survey(directory: Path, cameras: bool = True) -> Survey:
    """Read all files of a configuration directory, whatever is wrong with some.

    Without `cameras`, the folders that cameras read need not be there yet: calibration comes before the line.
    """
    paths, problems = _found(directory)
    line = _read_line(directory)
    stations = [fields.read(Station, read_yaml(path)) for path in paths]
    rules.check(line, stations, cameras)
    problems += [
        problem for document in [line.document, *(read.document for read in stations)] for problem in document.problems
    ]
    return Survey(directory, line, stations, sorted(problems, key=lambda problem: (str(problem.file), problem.line or 0)))


def load(directory: Path, cameras: bool = True) -> Config:
    """Read all files as `survey` does; ConfigError with every problem of every file, each with its line."""
    found = survey(directory, cameras)
    if found.problems:
        raise ConfigError(found.problems)
    return found.config


def load_places(directory: Path) -> Line:
    """Read where things lie from line.yaml, whatever else is wrong in it: a running line is spoken to while people edit.

    Every other key has its default. ConfigError if the places cannot be read.
    """
    document = _line_document(directory)
    if isinstance(document.data, dict):
        document.data = {key: value for key, value in document.data.items() if key in _PLACES}
        document.problems = [problem for problem in document.problems if problem.key in _PLACES]
    line = fields.read(Line, document)
    if line.value is None:
        raise ConfigError(document.problems)
    return line.value


class _Judging(Struct, frozen=True):
    """A station file, as far as it says how parts are judged."""

    method: Judging


def judging(document: Document) -> Ensemble | Method:
    """Read what stands under `method`, as in a station file; whatever else there is may be anything. ConfigError."""
    if isinstance(document.data, dict):
        document.data = {key: value for key, value in document.data.items() if key == "method"}
    asked = fields.read(_Judging, document)
    for rule in rules.METHOD_RULES:
        rule(asked)
    if document.problems or asked.value is None:
        raise ConfigError(document.problems)
    return asked.value.method


def station_files(directory: Path) -> list[Path]:
    """`*.yaml` of the directory without line.yaml, by name; ConfigError if it is none, or has no station file."""
    paths, problems = _found(directory)
    if problems:
        raise ConfigError(problems)
    return paths


def read_yaml(path: Path) -> Document:
    """Read one file into plain values; whatever is wrong with it as YAML is noted in the document's problems."""
    document = Document(path)
    text = _text(document)
    if text is None:
        return document
    try:
        node = yaml.compose(text, _StrictLoader)
    except yaml.YAMLError as error:
        _note_syntax(document, error, text)
        return document
    if node is None:
        document.problem((), "keys and values", "an empty file", "write one with: inspectd init STATION")
    elif not isinstance(node, yaml.MappingNode):
        document.lines[()] = node.start_mark.line + 1
        document.problem((), "keys and values (key: value)", shown(_value(document, node, ())))
    else:
        document.data = _value(document, node, ())
    return document


def _found(directory: Path) -> tuple[list[Path], list[Problem]]:
    """Return the station files, and why there are none or fewer than there seem to be."""
    hint = f"write one with: inspectd init STATION --config {shlex.quote(str(directory))}"
    if not directory.is_dir():
        got, hint = ("a file", "name its directory") if directory.exists() else ("no such directory", hint)
        return [], [Problem(directory, None, "", "a directory of station files", got, hint)]
    files = [path for path in sorted(directory.iterdir()) if not path.name.startswith(".")]
    paths = [path for path in files if path.suffix == ".yaml" and path.name != LINE_FILE]
    yml = [path for path in files if path.suffix == ".yml"]
    problems = [Problem(path, None, "", "a name that ends in .yaml", path.name, "rename it") for path in yml]
    if not paths and not yml:
        problems.append(Problem(directory, None, "", "at least one station file, NAME.yaml", "none", hint))
    return paths, problems


def _read_line(directory: Path) -> fields.Read[Line]:
    return fields.read(Line, _line_document(directory))


def _line_document(directory: Path) -> Document:
    path = directory / LINE_FILE
    return read_yaml(path) if path.exists() else Document(path, {})


def _text(document: Document) -> str | None:
    try:
        data = document.path.read_bytes()
    except OSError as error:
        document.problem((), "a readable file", error.strerror or str(error))
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        document.lines[()] = data[: error.start].count(b"\n") + 1
        document.problem((), "UTF-8 text", f"byte 0x{data[error.start]:02x}", "save the file as UTF-8")
        return None


def _note_syntax(document: Document, error: yaml.YAMLError, text: str) -> None:
    got, hint = str(error).split("\n", maxsplit=1)[0], ""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        got = error.problem or got
        document.lines[()] = mark.line + 1 if mark else 1
        lines = text.splitlines()
        if "\t" in got or (mark and mark.line < len(lines) and lines[mark.line].lstrip(" ").startswith("\t")):
            got, hint = "a tab", "indent with spaces"
    elif isinstance(error, yaml.reader.ReaderError):
        document.lines[()] = text.count("\n", 0, error.position) + 1
        got, hint = f"character U+{ord(text[error.position]):04X}", "remove it"
    document.problem((), "YAML", got, hint)


def _value(document: Document, node: yaml.Node, key: Key) -> Any:
    document.lines.setdefault(key, node.start_mark.line + 1)
    match node:
        case yaml.MappingNode():
            return _mapping(document, node, key)
        case yaml.SequenceNode():
            return [_value(document, item, (*key, str(index))) for index, item in enumerate(node.value)]
        case _:
            return _scalar(document, node, key)


def _mapping(document: Document, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name_node, value_node in node.value:
        line = name_node.start_mark.line + 1
        if not isinstance(name_node, yaml.ScalarNode):
            document.problems.append(
                Problem(document.path, line, ".".join(key), "a name before the colon", "a mapping or list")
            )
            continue
        name = str(name_node.value)
        inner = (*key, name)
        if name in values:
            first = document.lines[inner]
            got = f"it again (first on line {first})"
            document.problems.append(Problem(document.path, line, ".".join(inner), "each key once", got, "remove one of them"))
            continue
        document.lines[inner] = line
        values[name] = _value(document, value_node, inner)
    return values


def _scalar(document: Document, node: yaml.Node, key: Key) -> Any:
    assert isinstance(node, yaml.ScalarNode)  # YAML has three kinds of nodes
    text = str(node.value)
    if not text.isprintable():
        document.problem(key, "text of one line without control characters", shown(text))
        return None
    return text if node.style is not None else plain(text)


def plain(text: str) -> str | float | bool | None:
    """Read an unquoted scalar: true, false, null, a decimal number, else text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
