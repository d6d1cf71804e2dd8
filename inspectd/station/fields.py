"""Plain values into typed Structs, field by field: msgspec stops at the first error, people want all of them. Pure."""

import difflib
import typing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct, structs

from inspectd.station.describe import bare, choices, describe, description, members, struct_of, structs_of, takes_nothing
from inspectd.station.document import Document, Key, shown

T = TypeVar("T", bound=Struct)
_BROKEN: Any = object()  # stands for a value that has been reported


@dataclass
class Read(Generic[T]):
    """What could be read of a document: every good value by dotted key, and the whole Struct if all of it is good."""

    document: Document
    value: T | None = None
    good: dict[str, Any] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        """A good value, or None where it is missing or was already reported."""
        return self.good.get(key)


def read(kind: type[T], document: Document) -> Read[T]:
    """Convert a document's values; problems are noted in the document."""
    result: Read[T] = Read(document)
    if isinstance(document.data, dict):
        value = _struct(result, kind, document.data, ())
        result.value = None if document.problems else value
    return result


def _convert(result: Read[Any], annotation: Any, value: Any, key: Key) -> Any:
    kinds = {typing.get_origin(bare(member)): member for member in members(annotation)}
    inner = _struct_for(annotation, value)
    if inner and not (value is None and takes_nothing(annotation)):
        converted = _struct(result, inner, value, key)
    elif dict in kinds and isinstance(value, dict):
        converted = _table(result, kinds[dict], value, key)
    elif tuple in kinds and isinstance(value, list):
        converted = _sequence(result, kinds[tuple], value, key)
    else:
        converted = _leaf(result, annotation, value, key)
    if converted is not _BROKEN:
        result.good[".".join(key)] = converted
    return converted


def _struct_for(annotation: Any, value: Any) -> type[Struct] | None:
    """Struct that a value is meant to be: of several, the first whose required keys it has, else the last."""
    for kind in structs_of(annotation):
        if isinstance(value, dict) and all(info.name in value for info in structs.fields(kind) if info.required):
            return kind
    return struct_of(annotation)


def _struct(result: Read[Any], kind: type[Struct], value: Any, key: Key) -> Any:
    if not isinstance(value, dict):
        known = ", ".join(info.name for info in structs.fields(kind))
        return _broken(result, key, f"keys and values ({known})", shown(value))
    infos = {info.name: info for info in structs.fields(kind)}
    values = {name: _field(result, info, value, (*key, name)) for name, info in infos.items()}
    for name in value:
        if name not in infos:
            _note_unknown(result, (*key, name), list(infos))
    if any(value is _BROKEN for value in values.values()):
        return _BROKEN
    return kind(**values)


def _field(result: Read[Any], info: structs.FieldInfo, values: dict[str, Any], key: Key) -> Any:
    if info.name in values:
        return _convert(result, info.type, values[info.name], key)
    if info.required:
        return _broken(result, key, _wanted(info.type), "nothing", _line_to_add(info))
    default = info.default_factory() if info.default is NODEFAULT else info.default
    result.good[".".join(key)] = default
    return default


def _table(result: Read[Any], annotation: Any, value: dict[str, Any], key: Key) -> Any:
    name_type, value_type = typing.get_args(bare(annotation))
    names = [_leaf(result, name_type, name, (*key, name)) for name in value]
    values = [_convert(result, value_type, item, (*key, name)) for name, item in value.items()]
    return _BROKEN if _BROKEN in names or _BROKEN in values else dict(zip(names, values, strict=True))


def _sequence(result: Read[Any], annotation: Any, value: list[Any], key: Key) -> Any:
    item_type = typing.get_args(bare(annotation))[0]
    items = [_convert(result, item_type, item, (*key, str(index))) for index, item in enumerate(value)]
    return _BROKEN if _BROKEN in items else _leaf(result, annotation, items, key)


def _leaf(result: Read[Any], annotation: Any, value: Any, key: Key) -> Any:
    try:
        return msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        return _broken(result, key, describe(annotation), shown(value), _hint(annotation, value))


def _broken(result: Read[Any], key: Key, expected: str, got: str, hint: str = "") -> Any:
    result.document.problem(key, expected, got, hint)
    return _BROKEN


def _wanted(annotation: Any) -> str:
    """Say what a key takes and what it is for, once where the one says the other."""
    takes, about = describe(annotation), description(annotation)
    return about if about.startswith(f"{takes}:") else f"{takes}: {about}"


def _line_to_add(info: structs.FieldInfo) -> str:
    words = choices(info.type)
    return f"add the line {info.name}: {words[0]}" if len(words) == 1 else "add this key"


def _note_unknown(result: Read[Any], key: Key, known: list[str]) -> None:
    near = difflib.get_close_matches(key[-1], known, n=1)
    hint = f"did you mean {near[0]}?" if near else "remove it"
    result.document.problem(key, f"one of the keys {', '.join(known)}", f"unknown key {key[-1]}", hint)


def _hint(annotation: Any, value: Any) -> str:
    if value is None:
        return "give a value, or remove the key"
    if not isinstance(value, str):
        takes = describe(annotation)
        return "a share is written 10%" if "%)" in takes else "write it in quotes" if "text" in takes else ""
    words = [choice for choice in choices(annotation) if isinstance(choice, str)]
    if len(words) == 1:
        return f"write {words[0]}"
    near = difflib.get_close_matches(value.lower(), words, n=1)
    if near:
        return f"did you mean {near[0]}?"
    if "number" in describe(annotation) and any(digit.isdigit() for digit in value):
        return "numbers are decimal: no quotes, leading zeros, colons or units"
    return ""
