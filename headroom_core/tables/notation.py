"""Notation of the values around tables: compact JSON, or Python literals."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from headroom_core.text import python_literal
from headroom_core.text.exact_json import Value, dumps, quote


class Notation(NamedTuple):
    """Functions and signs that write values."""

    dumps: Callable[[Value], str]
    open_dict: Callable[[dict[str, Value]], tuple[str, list[tuple[str, Value]], str]]
    comma: str


def _open_object(value: dict[str, Value]) -> tuple[str, list[tuple[str, Value]], str]:
    return "{", [(f"{quote(key)}:", item) for key, item in value.items()], "}"


_JSON = Notation(dumps, _open_object, ",")
_PYTHON = Notation(python_literal.dumps, python_literal.open_dict, ", ")


def notation_of(is_python: bool) -> Notation:
    """Return the notation of Python literals or of JSON."""
    return _PYTHON if is_python else _JSON
