"""Writes commented station files from the schema: every key, what it takes and its default can be read in the file itself."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import NODEFAULT, Struct, json, structs

from inspectd.errors import ConfigError, Problem
from inspectd.station.describe import choices, describe, description, struct_of
from inspectd.station.load import LINE_FILE
from inspectd.station.schema import Line, Plc, Station

_WRAP = 100
_LIVE = {"station", "camera", "camera.kind", "camera.path", "camera.rate", "deadline_ms", "seed"}
_LIVE_LINE = {"workers", "workers.count", "workers.threads", "workers.max_batch"}
# what a key without a default could look like; everything else shows its default
_EXAMPLES: dict[str, Any] = {
    "deadline_ms": 250.0,
    "group_by": "^(.+)_",
    "roi.x": 0, "roi.y": 0, "roi.width": 640, "roi.height": 480,
    "mask": "mask.png",
    "mm_per_px": 0.05,
    "plc.name": "line1",
    "threshold.rule": "f1",
    "state_dir": "../state",
    "run_dir": "/run/inspectd",
    "trusted_keys": {"anna": "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="},
    "metrics": "127.0.0.1:9108",
    "plcs.line1.address": "127.0.0.1:5020",
}  # fmt: skip


def init(directory: Path, station: str) -> list[Path]:
    """Write STATION.yaml, and line.yaml if there is none; returns what it wrote. ConfigError if the file is there already."""
    path = directory / f"{station}.yaml"
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,31}", station):
        raise ConfigError([Problem(path, None, "station", "lower-case letters, digits and dashes, at most 32", station)])
    if f"{station}.yaml" == LINE_FILE:
        raise ConfigError(
            [Problem(path, None, "station", "another name", station, f"{LINE_FILE} is the file of the whole line")]
        )
    texts = {path: station_text(station)}
    if not (directory / LINE_FILE).exists():
        texts[directory / LINE_FILE] = line_text()
    for target, text in texts.items():
        _write_new(target, text)
    return list(texts)


def station_text(station: str) -> str:
    """Text of a new station file: what must be there is live, everything else is shown as a comment with its default."""
    head = [
        f"# Station {station}. A line that begins with `#key:` shows a default: remove the # to change it.",
        f"# Check the file with: inspectd check. Calibrate with: inspectd calibrate {station} --good DIR",
    ]
    examples = _EXAMPLES | {"station": station, "camera.kind": "folder", "camera.path": f"../pictures/{station}"}
    return "\n".join([*head, *_lines(Station, "", examples, _LIVE)]) + "\n"


def line_text() -> str:
    """Text of a new line.yaml."""
    head = ["# What all stations of this line share. A line that begins with `#key:` shows a default or an example."]
    lines = list(_lines(Line, "", _EXAMPLES, _LIVE_LINE))
    at = next(index for index, line in enumerate(lines) if line.startswith("#plcs:"))
    example = ["  #line1:", *_lines(Plc, "plcs.line1.", _EXAMPLES | {"plcs.line1.protocol": "modbus_tcp"}, set())]
    return "\n".join([*head, *lines[:at], "#plcs:", *example, *lines[at + 1 :]]) + "\n"


def _lines(kind: type[Struct], prefix: str, examples: dict[str, Any], live: set[str]) -> Iterator[str]:
    """Comment and key of every field; `prefix` is the dotted path to this Struct."""
    indent = "  " * prefix.count(".")
    for info in structs.fields(kind):
        key, inner = prefix + info.name, struct_of(info.type)
        mark = "" if key in live else "#"
        if not prefix:
            yield ""
        yield from textwrap.wrap(_comment(info), _WRAP, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        if inner:
            yield f"{indent}{mark}{info.name}:"
            yield from _lines(inner, f"{key}.", examples, live)
        else:
            default = None if info.default is NODEFAULT else info.default
            yield f"{indent}{mark}{info.name}: {_yaml(examples.get(key, default))}"


def _comment(info: structs.FieldInfo) -> str:
    about, takes = description(info.type), describe(info.type)
    told = takes == "text" or takes.startswith("keys and values") or f"({about})" in takes
    told = told or ("number" not in takes and all(str(choice) in about for choice in choices(info.type) or [takes]))
    return about if told else f"{about}: {takes}"


def _yaml(value: Any) -> str:
    """Write a scalar or a short list; JSON is YAML, and needs quotes only where a text does not read as itself."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9./][\w./-]*(:\d+)?", value):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return json.encode(value).decode()


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([Problem(path.parent, None, "", "a directory", error.strerror or str(error))]) from error
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise ConfigError([Problem(path, None, "", "no such file yet", "a file", "edit it, or remove it first")]) from error
    except OSError as error:
        raise ConfigError([Problem(path, None, "", "a place to write", error.strerror or str(error))]) from error
