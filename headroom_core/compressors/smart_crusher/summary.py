"""Summaries of all rows of a table, for the marker of those that were dropped."""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Context, Decimal, Inexact, localcontext
from itertools import accumulate

from headroom_core.compressors.smart_crusher.evidence import ColumnStats

# The summary takes at most this share of the size of the rows, and in small tables this many
# characters.
_MAX_SUMMARY_SHARE = 0.01
_MIN_SUMMARY_CHARACTERS = 160
_MAX_VALUES = 6
_MAX_VALUE_CHARACTERS = 60
# Enough digits for exact sums of any plausible column, and for floats with exponents. A longer sum
# than a reader can use is rounded, and says so.
_SUM_PRECISION = 700
_MAX_SUM_DIGITS = 40
# The names of all dropped rows take at most this share of the size of the rows.
_MAX_NAMES_SHARE = 0.05
_MAX_MEAN_NAME_CHARACTERS = 40
# Values that repeat more often do not name rows.
_MIN_DISTINCT_SHARE = 0.4
# Names of columns whose values name rows, from acceptable to best: any kind of name or location;
# identifiers with a prefix; a plain identifier. The whole name of the column must match: `id` is
# in the last, `valid` in none.
_NAME_FIELDS = (
    re.compile(r".*(?:name|title|path|file|url|number)", re.IGNORECASE),
    re.compile(r".*(?:_id|ID|Id|_key|Key|_code|Code)"),
    re.compile(r"(?:@|id|key|name|code|slug|sku|cid)", re.IGNORECASE),
)
# Names of columns whose numbers name things: their sum says nothing. Must match the whole name.
_REFERENCE = re.compile(
    r"(?:.*[_\s.-])?(?:no|nr|num|number|code|ref|reference|account|customer|user|order|parent|sku|ean"
    r"|isbn|serial|year)|.*(?:No|Nr|Number|Code|Ref|Account|Customer|User|Order|Parent|Serial|Year)",
)
# Seconds, milliseconds, microseconds and nanoseconds of Unix time, from 2000 to 2040.
_UNIX_TIMES = [(946_684_800 * unit, 2_208_988_800 * unit) for unit in (1, 10**3, 10**6, 10**9)]
# A month, a date, or a date with a time, in ISO format: these sort as text. Must not match a year
# alone, which may be any number.
_TIME = re.compile(r"\d{4}-\d\d(?:-\d\d.*)?")


def summarize_columns(stats: list[ColumnStats], size: int) -> str:
    """Return ranges of times, counts of values, ranges and sums of numbers, and counts of nulls.

    Each column is described once, and not at all if all of its values are the same.

    Args:
        stats: The statistics of the columns over all rows, including dropped ones.
        size: Number of characters of the rows; the summary takes about a hundredth of that.
    """
    room = max(_MIN_SUMMARY_CHARACTERS, int(_MAX_SUMMARY_SHARE * size))
    # The fewer the distinct values, the more informative are their counts.
    varying = [column for column in stats if len(column.counts) > 1 and not column.column.child]
    columns = sorted(varying, key=lambda column: len(column.counts))
    descriptions: list[str] = []
    for describe in (_describe_times, _describe_counts, _describe_numbers, _describe_nulls):
        for description in map(describe, columns):
            cost = len(description) + 2
            if description and cost <= room and description.isprintable():
                descriptions.append(description)
                room -= cost
    return "; ".join(descriptions)


def find_naming_column(stats: list[ColumnStats]) -> ColumnStats | None:
    """Return the column whose values name the rows best, or None if there is none."""
    keys = next((column for column in stats if column.is_key), None)
    best = keys or max(stats, key=_rate_names, default=None)
    return None if best is None or _rate_names(best) == (0, 0) else best


def _rate_names(column: ColumnStats) -> tuple[int, float]:
    """Rate how well values name rows: by the name of the column, then by how distinct they are."""
    share = len(column.counts) / max(1, len(column.cells))
    total_characters = sum(map(len, column.counts))
    is_short = total_characters <= _MAX_MEAN_NAME_CHARACTERS * len(column.counts)
    if share < _MIN_DISTINCT_SHARE or not is_short or not column.column.path:
        return (0, 0)
    for rank, pattern in enumerate(_NAME_FIELDS, 1):
        if pattern.fullmatch(column.name):
            return (rank, share)
    return (0, 0)


def list_row_names(column: ColumnStats, dropped: Collection[int], size: int) -> str:
    """Return the names of all dropped rows, or an empty string if they take too much room.

    Args:
        column: The column that names the rows.
        dropped: Indices of the dropped rows.
        size: Number of characters of the rows; the names take at most a twentieth of that.
    """
    cells = [
        cell
        for cell, row in zip(column.cells, column.rows)
        if row in dropped and cell not in ("", "~")
    ]
    names = ", ".join(dict.fromkeys(cells))
    max_characters = max(_MIN_SUMMARY_CHARACTERS, _MAX_NAMES_SHARE * size)
    if len(names) > max_characters and column.is_key:
        names = _list_first_names(cells)
        max_characters = len(names)
    text = f"{'keys' if column.is_key else _get_name(column)}: {names}"
    return text if 0 < len(names) <= max_characters and text.isprintable() else ""


def _list_first_names(cells: list[str]) -> str:
    """Return the first names, and how many more there are."""
    ends = accumulate(len(cell) + 2 for cell in cells)
    count = sum(end <= _MIN_SUMMARY_CHARACTERS for end in ends)
    return f"{', '.join(cells[:count])} and {len(cells) - count} more" if count else ""


def are_names_useful(column: ColumnStats, is_targeted: bool) -> bool:
    """Return whether the names of the rows that were left out tell more than their numbers."""
    return column.is_key or not (is_targeted or is_row_counter(column))


def is_row_counter(column: ColumnStats) -> bool:
    """Return whether a column only numbers its rows and thus carries no information."""
    values = {number for number, _ in column.numbers}
    if not values or len(values) != len(column.numbers):
        return False
    # Up to every other number may be missing.
    are_integers = all(number.is_integer() for number in values)
    return are_integers and max(values) - min(values) < 2 * len(values)


def _describe_counts(column: ColumnStats) -> str:
    if not column.is_categorical or _describe_times(column):
        return ""
    common = column.counts.most_common(_MAX_VALUES)
    if any(len(cell) > _MAX_VALUE_CHARACTERS for cell, _ in common):
        return ""
    counts = [f"{_describe_cell(cell)} ×{count}" for cell, count in common]
    others = len(column.cells) - sum(count for _, count in common)
    if others:
        counts.append(f"others ×{others}")
    return f"{_get_name(column)}: {', '.join(counts)}"


def _describe_numbers(column: ColumnStats) -> str:
    if not column.numbers or column.is_identity or column.is_categorical or is_row_counter(column):
        return ""
    # Floats are too coarse: they would take nanoseconds of the same microsecond for equal.
    numbers = [Decimal(lexeme) for lexeme in column.lexemes]
    # As written in the rows, with the same digits.
    low = column.lexemes[numbers.index(min(numbers))]
    high = column.lexemes[numbers.index(max(numbers))]
    others = _count_nulls(column) + _count_other_values(column)
    total = f", sum {_write_sum(numbers)}" if _is_summable(column, numbers) else ""
    return f"{_get_name(column)} {low}…{high}{total}{others}"


def _is_summable(column: ColumnStats, numbers: Collection[Decimal]) -> bool:
    """Return whether numbers are amounts, rather than names or times."""
    if _REFERENCE.fullmatch(column.name):
        return False
    low, high = min(numbers), max(numbers)
    return not any(first <= low and high < last for first, last in _UNIX_TIMES)


def _describe_times(column: ColumnStats) -> str:
    cells = [cell for cell in column.counts if cell]
    # A few times are counted.
    is_counted = column.is_categorical and len(column.counts) <= _MAX_VALUES
    if column.numbers or is_counted or len(cells) < 2 or not all(map(_TIME.fullmatch, cells)):
        return ""
    return f"{_get_name(column)} {min(cells)}…{max(cells)}{_count_nulls(column)}"


def _describe_nulls(column: ColumnStats) -> str:
    if column.numbers or column.is_categorical or not column.counts[""]:
        return ""
    if _describe_times(column):
        return ""
    return f"{_get_name(column)} null {column.counts['']}"


def _get_name(column: ColumnStats) -> str:
    return ".".join(column.column.path) or "value"


def _describe_cell(cell: str) -> str:
    return {"": "null", "~": "no key"}.get(cell, cell)


def _write_sum(numbers: list[Decimal]) -> str:
    # In a separate context, because the caller's may round.
    with localcontext(Context(prec=_SUM_PRECISION)) as context:
        total = sum(numbers, Decimal())
        is_exact = not context.flags[Inexact]
    digits = total.as_tuple().digits
    return str(total) if is_exact and len(digits) <= _MAX_SUM_DIGITS else f"≈{total:.6g}"


def _count_nulls(column: ColumnStats) -> str:
    nulls = column.counts[""]
    return f", null {nulls}" if nulls else ""


def _count_other_values(column: ColumnStats) -> str:
    """Return how many cells have text, no finite number, or no key, among those with numbers."""
    absent = column.counts["~"]
    others = len(column.cells) - len(column.numbers) - column.counts[""] - absent
    counts = {"no key": absent, "other values": others}
    return "".join(f", {name} {count}" for name, count in counts.items() if count > 0)
