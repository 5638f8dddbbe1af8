"""How a column's values are written: every cell the whole value, as short as it can be read back."""

from __future__ import annotations

import re
from collections.abc import Iterable

from headroom_core.tables.header import MISSING, Missing, Shape
from headroom_core.text.exact_json import Value, dumps, quote

LOOKS_TYPED = re.compile(
    r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|-?Infinity|NaN|true|false|null"
)
"""Strings that a reader would take for another type when they stand bare."""

RISKY_STARTS = frozenset(' "[{~*!+#^&\\')
TYPED_STARTS = frozenset("-+.0123456789INtfn")
"""How a cell begins that means something, and how one begins that looks like another type than a string."""


def any_looks_typed(strings: Iterable[str]) -> bool:
    """Return whether one of the strings would be misread as another type."""
    return any(map(LOOKS_TYPED.fullmatch, [text for text in strings if text[:1] in TYPED_STARTS]))


def write_cells(values: list[Value], text: bool, shape: Shape | None = None) -> list[str]:
    """Return the cells of a column.

    Args:
        values: the values, `MISSING` where a row has none.
        text: whether every bare cell will be read as a string.
        shape: how objects are written, None when as they are.
    """
    kinds = set(map(type, values))
    if kinds == {tuple}:
        return [value[0] if len(value) == 1 else dumps(value) for value in values]
    if kinds == {str}:
        return _string_cells(values, text)
    if kinds <= {str, tuple, bool, type(None), Missing} and not any(map(_repeats_keys, values)):
        written = {value: _write_cell(value, text) for value in set(values)}
        return [written[value] for value in values]
    return [
        _write_nested(value, shape) if type(value) in (dict, list) else _write_cell(value, text)
        for value in values
    ]


def _repeats_keys(value: Value) -> bool:
    return type(value) is tuple and len(value) > 1


def _string_cells(values: list[str], text: bool) -> list[str]:
    distinct = set(values)
    if _all_bare(distinct, text):
        return list(values)
    written = {value: _write_cell(value, text) for value in distinct}
    return [written[value] for value in values]


def _all_bare(distinct: set[str], text: bool) -> bool:
    """Return whether all of the strings can surely stand bare, which is told for a whole column at once."""
    starts = {value[:1] for value in distinct}
    if (
        "" in starts
        or not RISKY_STARTS.isdisjoint(starts)
        or " " in {value[-1] for value in distinct}
    ):
        return False
    joined = "".join(distinct)
    if "," in joined or not joined.isprintable():
        return False
    return text or TYPED_STARTS.isdisjoint(starts) or not any_looks_typed(distinct)


def _write_nested(value: Value, shape: Shape | None) -> str:
    return dumps(shape.pack(value) if shape else value)


def _write_cell(value: Value, text: bool) -> str:
    if isinstance(value, str):
        bare = (
            value
            and value[0] not in RISKY_STARTS
            and value[-1] != " "
            and "," not in value
            and value.isprintable()
        )
        return value if bare and (text or not LOOKS_TYPED.fullmatch(value)) else quote(value)
    if value is None:
        return ""
    return "~" if value is MISSING else dumps(value)
