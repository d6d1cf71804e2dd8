"""Hypothesis strategies for every message body, made from the fields of its class."""

import enum
import types
import typing
from typing import Any

from hypothesis import strategies as st
from msgspec import NODEFAULT, Struct, structs

from inspectd.wire.messages import AnyMessage, Message

KINDS: tuple[type[Message], ...] = typing.get_args(AnyMessage)
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(),
    bool: st.booleans(),
    types.NoneType: st.none(),
}


def messages(kind: type[Struct]) -> st.SearchStrategy[Any]:
    """Messages of one class, with and without the fields that have a default."""
    fields = structs.fields(kind)
    required = {field.name: _of(field.type) for field in fields if field.required}
    optional = {field.name: _of(field.type) for field in fields if field.default is not NODEFAULT and not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda values: kind(**values))


def any_message() -> st.SearchStrategy[Any]:
    """Messages of every class."""
    return st.sampled_from(KINDS).flatmap(messages)


def _of(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if typing.get_origin(kind):
        return _composed(typing.get_origin(kind), typing.get_args(kind))
    return st.sampled_from(kind) if issubclass(kind, enum.Enum) else messages(kind)


def _composed(origin: Any, args: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin is list:
        return st.lists(_of(args[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(_of(args[0]), _of(args[1]), max_size=2)
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(_of(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(_of, args))
    return st.one_of([_of(member) for member in args])  # a union
