"""What a field of the schema takes, in words; for error messages and for the comments that `inspectd init` writes. Pure."""

import types
import typing
from typing import Any

from msgspec import Meta, Struct


def describe(annotation: Any) -> str:
    """Say what a field takes, in words: `a number from 1 to 600000`, `one of camera, plc, software`."""
    words = [_describe(member) for member in members(annotation) if bare(member) is not types.NoneType]
    return " or ".join(words)


def description(annotation: Any) -> str:
    """Give the schema's sentence on a field."""
    return next((meta.description for meta in reversed(_metas(annotation)) if meta.description), "")


def choices(annotation: Any) -> list[Any]:
    """Words or numbers that a field takes by name."""
    literals = [member for member in map(bare, members(annotation)) if typing.get_origin(member) is typing.Literal]
    return [choice for literal in literals for choice in typing.get_args(literal)]


def takes_nothing(annotation: Any) -> bool:
    """Whether a field may be null."""
    return types.NoneType in members(annotation)


def structs_of(annotation: Any) -> list[type[Struct]]:
    """Structs of which a field holds one: `Roi | None` holds a Roi."""
    kinds = map(bare, members(annotation))
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Struct)]


def struct_of(annotation: Any) -> type[Struct] | None:
    """Struct that a field holds, the last if it takes several; None for anything else."""
    return next(reversed(structs_of(annotation)), None)


def bare(annotation: Any) -> Any:
    """Strip bounds and description."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation


def members(annotation: Any) -> list[Any]:
    """Members of a union with their bounds, or the one type itself."""
    inner = bare(annotation)
    return list(typing.get_args(inner)) if typing.get_origin(inner) in (typing.Union, types.UnionType) else [annotation]


def _describe(annotation: Any) -> str:
    inner = bare(annotation)
    origin = typing.get_origin(inner)
    if origin is typing.Literal:
        words = ", ".join(map(str, typing.get_args(inner)))
        return f"one of {words}" if len(typing.get_args(inner)) > 1 else words
    if origin is tuple:
        item = typing.get_args(inner)[0]
        exactly = next((f" of {meta.max_length}" for meta in _metas(annotation) if meta.max_length), "")
        return "a list of keys and values" if struct_of(item) else f"a list [a, b]{exactly}, each {describe(item)}"
    if inner is bool:
        return "true or false"
    if inner in (int, float):
        return _describe_number("a whole number" if inner is int else "a number", _metas(annotation))
    if inner is str:
        return _describe_text(_metas(annotation))
    struct = struct_of(inner)
    return f"keys and values ({', '.join(struct.__struct_fields__)})" if struct else "keys and values"


def _describe_number(kind: str, metas: tuple[Meta, ...]) -> str:
    words = [kind]
    for word, bound in (("from", "ge"), ("above", "gt"), ("to", "le"), ("below", "lt")):
        words += [f"{word} {_plain(getattr(meta, bound))}" for meta in metas if getattr(meta, bound) is not None]
    return " ".join(words) + "".join(f", a multiple of {_plain(meta.multiple_of)}" for meta in metas if meta.multiple_of)


def _describe_text(metas: tuple[Meta, ...]) -> str:
    for meta in metas:
        if meta.pattern:
            return f"text ({meta.description or meta.pattern})"
    return "text"


def _metas(annotation: Any) -> tuple[Meta, ...]:
    return getattr(annotation, "__metadata__", ())


def _plain(number: float) -> str:
    return f"{number:.10g}"
