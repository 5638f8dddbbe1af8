"""How a column's values are written: every cell the whole value, as short as it can be read back."""

from __future__ import annotations

import re
from collections.abc import Iterable

from headroom_core.compressors.exact_json import Value, dumps, quote
from headroom_core.compressors.smart_crusher.schema import MISSING, Missing, Shape

LOOKS_TYPED = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|-?Infinity|NaN|true|false|null")
"""Strings that a reader would take for another type when they stand bare."""

_NOT_BARE = re.compile(r"[\s\"\[{~*!+#^&\\]|.*(?:,|[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]|\s\Z)", re.DOTALL)
_RISKY_STARTS = frozenset(' "[{~*!+#^&\\')
_TYPED_STARTS = frozenset("-+.0123456789INtfn")


def looks_typed(values: Iterable[Value]) -> bool:
    """Return whether one of the strings among the values would be misread as another type."""
    strings = {value for value in values if type(value) is str}
    if _TYPED_STARTS.isdisjoint({value[:1] for value in strings}):
        return False
    return any(map(LOOKS_TYPED.fullmatch, strings))


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
    if kinds <= {str, tuple, bool, type(None), Missing}:
        written = {value: _write_cell(value, text) for value in set(values)}
        return [written[value] for value in values]
    return [
        _write_nested(value, shape) if type(value) in (dict, list) else _write_cell(value, text) for value in values
    ]


def _string_cells(values: list[str], text: bool) -> list[str]:
    distinct = set(values)
    if _all_bare(distinct, text):
        return list(values)
    written = {value: _write_cell(value, text) for value in distinct}
    return [written[value] for value in values]


def _all_bare(distinct: set[str], text: bool) -> bool:
    """Return whether all of the strings can surely stand bare, which is told for a whole column at once."""
    starts = {value[:1] for value in distinct}
    if "" in starts or not _RISKY_STARTS.isdisjoint(starts) or not (text or _TYPED_STARTS.isdisjoint(starts)):
        return False
    joined = "".join(distinct)
    return "," not in joined and joined.isprintable() and " " not in {value[-1] for value in distinct}


def _write_nested(value: Value, shape: Shape | None) -> str:
    return dumps(shape.pack(value) if shape else value)


def _write_cell(value: Value, text: bool) -> str:
    if isinstance(value, str):
        if value and not _NOT_BARE.match(value) and (text or not LOOKS_TYPED.fullmatch(value)):
            return value
        return quote(value)
    if value is None:
        return ""
    return "~" if value is MISSING else dumps(value)
