"""Notation of the values around tables: JSON, compact or as it was spelled, or Python literals."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from headroom_core.text import python_literal
from headroom_core.text.exact_json import Value, dumps
from headroom_core.text.spelling import COMPACT, Spelling


class Notation(NamedTuple):
    """Functions and signs that write values."""

    dumps: Callable[[Value], str]
    open_dict: Callable[[dict[str, Value]], tuple[str, list[tuple[str, Value]], str]]
    comma: str


_JSON = Notation(dumps, COMPACT.open_dict, COMPACT.comma)
_PYTHON = Notation(python_literal.dumps, python_literal.open_dict, ", ")


def notation_of(is_python: bool, spelling: Spelling = COMPACT) -> Notation:
    """Return the notation of Python literals or of JSON."""
    if is_python:
        return _PYTHON
    if spelling == COMPACT:
        return _JSON
    return Notation(spelling.dumps, spelling.open_dict, spelling.comma)
