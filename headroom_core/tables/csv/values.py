"""The values of cells of separated values: numbers, texts, and nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headroom_core.tables.csv.records import unquote_cells
from headroom_core.text.exact_json import NUMBER_LINES, Value

# A decimal number. Must not match identifiers or dates that only contain digits.
_DECIMAL = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")


def parse_cells(cells: Sequence[str]) -> list[Value]:
    """Return the values of cells, quotes included.

    Example:
        >>> parse_cells(["1.50", '"Elbe"', ""])
        [('1.50',), 'Elbe', None]
    """
    # Most columns repeat their values, so each is parsed once.
    distinct = set(cells)
    if NUMBER_LINES.fullmatch("\n".join(distinct)):
        return [(cell,) for cell in cells]
    parsed = {
        cell: ((text,) if is_decimal(text) else text) or None
        for cell, text in zip(distinct, unquote_cells(list(distinct)))
    }
    return [parsed[cell] for cell in cells]


def is_decimal(text: str) -> bool:
    """Return whether a text is a decimal number; unlike in JSON, it may begin with zeros."""
    return _DECIMAL.fullmatch(text) is not None
