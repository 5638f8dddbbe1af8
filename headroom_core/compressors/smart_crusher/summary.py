"""What all rows together look like, in few words."""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Context, Decimal, localcontext

from headroom_core.compressors.smart_crusher.evidence import ColumnStats

_SHARE = 0.01
_LEAST = 160
_VALUES_SHOWN = 6
_DIGITS = 500
_LONGEST_VALUE = 60
_NAMES_SHARE = 0.05
_LONGEST_NAME = 40
_DISTINCT_NAMES = 0.4
# Columns that name rows, the better ones later.
_NAMES = (
    re.compile(r".*(?:name|title|path|file|url|number)", re.IGNORECASE),
    re.compile(r".*(?:_id|ID|Id|_key|Key|_code|Code)"),
    re.compile(r"(?:id|key|name|code|slug|sku|cid)", re.IGNORECASE),
)
_TIME = re.compile(r"\d{4}-\d\d(?:-\d\d.*)?")


def summarise(stats: list[ColumnStats], size: int) -> str:
    """Return counts by value, minimum, maximum, sum and nulls of the columns that have them to tell.

    Args:
        stats: the columns of all rows, those left out included.
        size: the characters of the rows; the summary takes about a hundredth of that.
    """
    room = max(_LEAST, int(_SHARE * size))
    by_kinds = sorted(stats, key=lambda item: len(item.counts))
    told: list[str] = []
    for tell in (_tell_times, _tell_counts, _tell_numbers, _tell_nulls):
        for text in filter(None, map(tell, by_kinds)):
            if len(text) + 2 <= room and text.isprintable():
                told.append(text)
                room -= len(text) + 2
    return "; ".join(told)


def naming_column(stats: list[ColumnStats]) -> ColumnStats | None:
    """Return the column whose values name the rows best, None when no column does."""
    best = max(stats, key=_naming, default=None)
    return None if best is None or _naming(best) == (0, 0) else best


def name_rows(column: ColumnStats, left_out: Collection[int], size: int) -> str:
    """Return what all the rows that are left out are called, where that takes a twentieth of their size at most.

    Args:
        column: the column that names the rows.
        left_out: the indices of the rows to name.
        size: the characters of the rows.
    """
    cells = [
        cell
        for cell, row in zip(column.cells, column.rows)
        if row in left_out and cell not in ("", "~")
    ]
    names = ", ".join(dict.fromkeys(cells))
    told = f"{_name(column)} {names}"
    fits = 0 < len(names) <= max(_LEAST, _NAMES_SHARE * size)
    return told if fits and told.isprintable() else ""


def _naming(item: ColumnStats) -> tuple[int, float]:
    """Return how well a column's values name rows: by the column's name first, then by how they differ."""
    cells = item.cells
    distinct = len(item.counts) / max(1, len(cells))
    short = sum(map(len, item.counts)) <= _LONGEST_NAME * len(item.counts)
    if distinct < _DISTINCT_NAMES or not short or not item.column.path:
        return (0, 0)
    rank = next((rank for rank, pattern in enumerate(_NAMES, 1) if pattern.fullmatch(item.name)), 0)
    return (rank, distinct) if rank else (0, 0)


def only_counts(item: ColumnStats) -> bool:
    """Return whether a column just numbers its rows, so that its values tell nothing."""
    values = {number for number, _ in item.numbers}
    whole = len(values) == len(item.numbers) and all(number.is_integer() for number in values)
    return whole and bool(values) and max(values) - min(values) < 2 * len(values)


def _tell_counts(item: ColumnStats) -> str:
    if not item.categorical:
        return ""
    common = item.counts.most_common(_VALUES_SHOWN)
    if any(len(cell) > _LONGEST_VALUE for cell, _ in common):
        return ""
    others = len(item.cells) - sum(count for _, count in common)
    told = [f"{_value(cell)} ×{count}" for cell, count in common] + [f"others ×{others}"] * bool(
        others
    )
    return f"{_name(item)}: {', '.join(told)}"


def _tell_numbers(item: ColumnStats) -> str:
    if not item.numbers or item.identity or item.categorical or only_counts(item):
        return ""
    values = [number for number, _ in item.numbers]
    low, high = item.lexemes[values.index(min(values))], item.lexemes[values.index(max(values))]
    return f"{_name(item)} {low}…{high}, sum {_sum(item)}{_nulls(item)}"


def _tell_times(item: ColumnStats) -> str:
    cells = [cell for cell in item.counts if cell]
    if item.numbers or len(cells) < 2 or not all(map(_TIME.fullmatch, cells)):
        return ""
    return f"{_name(item)} {min(cells)}…{max(cells)}{_nulls(item)}"


def _tell_nulls(item: ColumnStats) -> str:
    if item.numbers or item.categorical or _tell_times(item) or not item.counts[""]:
        return ""
    return f"{_name(item)} null {item.counts['']}"


def _name(item: ColumnStats) -> str:
    return ".".join(item.column.path) or "value"


def _value(cell: str) -> str:
    return {"": "null", "~": "no key"}.get(cell, cell)


def _sum(item: ColumnStats) -> str:
    if any("e" in lexeme or "E" in lexeme for lexeme in item.lexemes):
        return f"{sum(number for number, _ in item.numbers):.6g}"
    # In a context of its own: the caller's may round.
    with localcontext(Context(prec=_DIGITS)):
        return str(sum(map(Decimal, item.lexemes)))


def _nulls(item: ColumnStats) -> str:
    nulls = item.counts[""]
    return f", null {nulls}" if nulls else ""
