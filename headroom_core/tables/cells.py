"""The cells of a column: every value in full, in the shortest form that reads back."""

from __future__ import annotations

import re
from collections.abc import Iterable

from headroom_core.tables.header import MISSING, Missing, Shape
from headroom_core.text.exact_json import Value, dumps, quote

# Numbers (also forms that JSON lacks, to be safe) and JSON's words. A string that matches as a
# whole needs quotes unless its column is marked as text.
LOOKS_TYPED = re.compile(
    r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|-?Infinity|NaN|true|false|null"
)
"""Matches a string that a reader would take for another type if it were unquoted."""

RISKY_STARTS = frozenset(' "[{~*!+#^&\\')
"""First characters that give a cell a special meaning."""

TYPED_STARTS = frozenset("-+.0123456789INtfn")
"""First characters of everything that `LOOKS_TYPED` matches."""


def any_looks_typed(strings: Iterable[str]) -> bool:
    """Return whether any of the strings would be misread as another type."""
    return any(map(LOOKS_TYPED.fullmatch, [text for text in strings if text[:1] in TYPED_STARTS]))


def write_cells(values: list[Value], is_text: bool, shape: Shape | None = None) -> list[str]:
    """Return the cells of a column.

    Args:
        values: The values, with `MISSING` for rows that have none.
        is_text: Whether every unquoted cell is read as a string.
        shape: The shape by which objects are packed. Defaults to plain JSON.
    """
    kinds = set(map(type, values))
    if kinds == {tuple}:
        return [value[0] if len(value) == 1 else dumps(value) for value in values]
    if kinds == {str}:
        return _write_strings(values, is_text)
    if kinds <= {str, tuple, bool, type(None), Missing} and not any(map(_has_repeated_key, values)):
        # All values are hashable, so each distinct one is written only once.
        cell_of = {value: _write_scalar(value, is_text) for value in set(values)}
        return [cell_of[value] for value in values]
    return [
        _write_nested(value, shape)
        if type(value) in (dict, list)
        else _write_scalar(value, is_text)
        for value in values
    ]


def _has_repeated_key(value: Value) -> bool:
    return type(value) is tuple and len(value) > 1


def _write_strings(values: list[str], is_text: bool) -> list[str]:
    distinct = set(values)
    if _need_no_quotes(distinct, is_text):
        return list(values)
    cell_of = {value: _write_scalar(value, is_text) for value in distinct}
    return [cell_of[value] for value in values]


def _need_no_quotes(distinct: set[str], is_text: bool) -> bool:
    """Return whether no string needs quotes, by a few checks on all of them at once."""
    starts = {value[:1] for value in distinct}
    if "" in starts or not RISKY_STARTS.isdisjoint(starts):
        return False
    if " " in {value[-1] for value in distinct}:
        return False
    joined = "".join(distinct)
    if "," in joined or not joined.isprintable():
        return False
    return is_text or TYPED_STARTS.isdisjoint(starts) or not any_looks_typed(distinct)


def _write_nested(value: Value, shape: Shape | None) -> str:
    return dumps(shape.pack(value) if shape else value)


def _write_scalar(value: Value, is_text: bool) -> str:
    if isinstance(value, str):
        can_be_bare = (
            value
            and value[0] not in RISKY_STARTS
            and value[-1] != " "
            and "," not in value
            and value.isprintable()
        )
        if can_be_bare and (is_text or not LOOKS_TYPED.fullmatch(value)):
            return value
        return quote(value)
    if value is None:
        return ""
    return "~" if value is MISSING else dumps(value)
