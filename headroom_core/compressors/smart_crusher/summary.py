"""What all rows together look like, in few words."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from headroom_core.compressors.smart_crusher.evidence import ColumnStats

_SHARE = 0.01
_LEAST = 120
_VALUES_SHOWN = 6
_LONGEST_VALUE = 60
_TIME = re.compile(r"\d{4}-\d\d(?:-\d\d.*)?")


def summarise(stats: list[ColumnStats], size: int) -> str:
    """Return counts by value, minimum, maximum, sum and nulls of the columns that have them to tell.

    Args:
        stats: the columns of all rows, those left out included.
        size: the characters of the rows; the summary takes about a hundredth of that.
    """
    room = max(_LEAST, int(_SHARE * size))
    told: list[str] = []
    for tell in (_tell_counts, _tell_numbers, _tell_times):
        for text in filter(None, map(tell, stats)):
            if len(text) + 2 <= room:
                told.append(text)
                room -= len(text) + 2
    return "; ".join(told)


def _tell_counts(item: ColumnStats) -> str:
    if not item.categorical:
        return ""
    common = item.counts.most_common(_VALUES_SHOWN)
    if any(len(cell) > _LONGEST_VALUE for cell, _ in common):
        return ""
    others = len(item.column.cells) - sum(count for _, count in common)
    told = [f"{_value(cell)} {count}" for cell, count in common] + [f"others {others}"] * bool(others)
    return f"{_name(item)}: {', '.join(told)}"


def _tell_numbers(item: ColumnStats) -> str:
    if not item.numbers or item.identity or item.categorical:
        return ""
    values = [number for number, _ in item.numbers]
    low, high = item.lexemes[values.index(min(values))], item.lexemes[values.index(max(values))]
    return f"{_name(item)} {low}…{high}, sum {_sum(item)}{_nulls(item)}"


def _tell_times(item: ColumnStats) -> str:
    cells = [cell for cell in item.counts if cell]
    if item.numbers or len(cells) < 2 or not all(map(_TIME.fullmatch, cells)):
        return ""
    return f"{_name(item)} {min(cells)}…{max(cells)}{_nulls(item)}"


def _name(item: ColumnStats) -> str:
    return ".".join(item.column.path) or "values"


def _value(cell: str) -> str:
    return {"": "null", "~": "no key"}.get(cell, cell)


def _sum(item: ColumnStats) -> str:
    if any("e" in lexeme or "E" in lexeme for lexeme in item.lexemes):
        return f"{math.fsum(number for number, _ in item.numbers):.6g}"
    return str(sum(map(Decimal, item.lexemes)))


def _nulls(item: ColumnStats) -> str:
    nulls = item.counts[""]
    return f", null {nulls}" if nulls else ""
