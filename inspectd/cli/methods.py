"""A method's settings as they are typed: by options of their own, by --set NAME=VALUE, or all of them in a file."""

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from msgspec import structs

from inspectd.errors import BadInput, ConfigError, Problem
from inspectd.station import load
from inspectd.station.describe import structs_of
from inspectd.station.document import TYPED, Document
from inspectd.station.load import plain
from inspectd.station.schema import Ensemble, Method

NAMES = tuple(
    name
    for info in structs.fields(Method)
    for name in [f"{info.name}.{inner}" for kind in structs_of(info.type) for inner in kind.__struct_fields__] or [info.name]
)
OF_PATCHES = ("backbone", "layers", "input_px", "patch", "stride")
OF_SCORES = (*OF_PATCHES, "score", "sigma", "power")
_OF_FILES = ("key", "quotes", "remove")  # words of hints that are for those who edit a file


@dataclasses.dataclass(frozen=True)
class Typed:
    """How settings were typed: each one's words, those that have options of their own, or the file with all of them."""

    words: Mapping[str, str] = dataclasses.field(default_factory=dict)
    options: Sequence[str] = ()
    file: Path | None = None

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell what is found wrong with the settings as they were typed: BadInput."""
        try:
            yield
        except ConfigError as error:
            raise BadInput("\n".join(map(self._told, error.problems))) from None

    def _told(self, wrong: Problem) -> str:
        key = tuple(wrong.key.split("."))
        if wrong.file != TYPED:
            return str(wrong)
        if self.file:
            return str(dataclasses.replace(wrong, file=self.file, line=load.read_yaml(self.file).line(key)))
        hint = "" if any(word in wrong.hint for word in _OF_FILES) else wrong.hint
        return f"{self._name('.'.join(key[1:]))}: expected {wrong.expected}, got {wrong.got}" + (f" ({hint})" if hint else "")

    def _name(self, name: str) -> str:
        """Say how a setting was typed, or would be; of several inside it, all that were."""
        name = re.sub(r"\.\d+$", "", name)  # of a list
        own = _option(name) if name in self.options else f"--set {name}=VALUE"
        inside = [words for one, words in self.words.items() if one.startswith(f"{name}.")]
        return self.words.get(name) or " ".join(inside) or own


def judging(which: str | None, settings: Sequence[str], **chosen: str | None) -> tuple[Ensemble | Method, Typed]:
    """Return a method by its name and what was typed, or read all of it, members too, from a YAML file; BadInput."""
    if which is None or Path(which).suffix not in (".yaml", ".yml"):
        return method(settings, NAMES, {"kind": which, **chosen})
    file = Path(which)
    options = [_option(name) for name, text in chosen.items() if text is not None]
    if typed := options + ["--set"] * bool(settings):
        raise BadInput(f"--method {which}: expected every setting in the file, got {', '.join(typed)} too; write them there")
    document = load.read_yaml(file)
    if isinstance(document.data, dict) and "method" not in document.data:
        hint = "put everything under `method:`, as in a station file"
        raise ConfigError([*document.problems, Problem(file, 1, "method", "how parts are judged", "no such key", hint)])
    return load.judging(document), Typed(file=file)


def method(
    settings: Sequence[str], names: Sequence[str], chosen: Mapping[str, str | None], options: bool = True
) -> tuple[Method, Typed]:
    """Turn what was typed into a method and how it was typed: options, then NAME=VALUE of some names.

    Without `options`, what is `chosen` is not typed but the command's own default. BadInput with every name that is none of
    those, and with the bounds that values break.
    """
    typed = [setting.partition("=") for setting in settings]
    wrong = [_no_such(setting, names) for setting, (name, equals, _) in zip(settings, typed, strict=True)
             if not equals or name.strip() not in names]  # fmt: skip
    if wrong:
        raise BadInput("\n".join(wrong))
    texts = {name: text for name, text in chosen.items() if text is not None}
    words = {name: f"{_option(name)} {text}" for name, text in texts.items() if options}
    for name, _, text in typed:
        texts[name.strip()], words[name.strip()] = text, f"--set {name}={text}"
    how = Typed(words, list(chosen) if options else ())
    with how.told():
        return cast("Method", load.judging(Document(TYPED, {"method": _nested(texts)}))), how  # members have no name here


def _option(name: str) -> str:
    return "--method" if name == "kind" else f"--{name.replace('_', '-')}"


def _no_such(setting: str, names: Sequence[str]) -> str:
    name, equals, _ = setting.partition("=")
    got = f"the name {name.strip()}" if equals and name.strip() else "no name" if equals else "no ="
    near = difflib.get_close_matches(name.strip(), names, n=1) if equals else []
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"--set {setting}: expected NAME=VALUE with one of the names {', '.join(names)}, got {got}{hint}"


def _nested(texts: Mapping[str, str]) -> dict[str, Any]:
    """Read values as a station file does, `tiling.rows` inside `tiling`."""
    data: dict[str, Any] = {}
    for name, text in texts.items():
        *above, last = name.split(".")
        inside = data
        for one in above:
            inside = inside.setdefault(one, {})
        inside[last] = _value(last, text)
    return data


def _value(name: str, text: str) -> Any:
    """Read 4,10 as a list; layers are one even if it is only 4."""
    parts = [plain(part.strip()) for part in text.split(",")]
    return parts if name == "layers" or len(parts) > 1 else parts[0]
