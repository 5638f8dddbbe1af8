"""Column statistics, and the rows that stand out: outliers, shifts and rare values."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, compress, pairwise
from operator import itemgetter
from statistics import median

from headroom_core.tables.cells import write_cells
from headroom_core.tables.frame import Column, Frame
from headroom_core.tables.header import MISSING, Field
from headroom_core.text.exact_json import Value

# Names of fields whose values only identify rows, or locate them in time or space: an unusual
# value of such a field means nothing. The second alternative is for camelCase. Must not match
# words with the same ending: `paid`, `candidate`, `format`.
_IDENTITY_FIELD = re.compile(
    r"@|(?:.*[_\s.-])?(?:id|ids|uuid|guid|key|hash|sha\d*|zip|postcode|phone"
    r"|year|month|day|date|time|timestamp|ts|at|lat|latitude|lon|lng|longitude|x"
    r"|line|port|index|idx|offset|version|cid|pid)"
    r"|.*(?:Id|ID|Date|Time|At)",
)
# A column is categorical up to this many distinct values; in long columns, up to a fifth of the
# rows, but never more than the upper bound: beyond it, values are no categories to a reader.
_MIN_CATEGORIES = 12
_MAX_CATEGORIES = 40
_ROWS_PER_CATEGORY = 5
# A value is rare if at most this share of the rows has it.
_MAX_RARE_SHARE = 0.02
# Rows that do not fit the columns: a few show how they differ.
_MAX_IRREGULAR_ROWS = 5
# A single column must not use up the budget of all.
_MAX_OUTLIERS_PER_COLUMN = 4
# Factors from the median and the mean absolute deviation to the standard deviation, for normally
# distributed values.
_STD_PER_MEDIAN_DEVIATION = 1.4826
_STD_PER_MEAN_DEVIATION = 1.2533
# A shift to another level must explain this share of the variance, and needs this many numbers to
# be distinguished from noise.
_MIN_EXPLAINED_SHARE = 0.5
_MIN_SHIFT_ROWS = 20


KEY_PATH = ("@",)
"""Path of the column of keys, under the name that it has in a table."""


@dataclass(slots=True)
class ColumnStats:
    """Statistics of a column.

    Attributes:
        column: The column.
        cells: Its cells in all rows that are objects, including those that do not fit the table.
        rows: The index of the row of each cell.
        counts: The number of occurrences of each distinct cell.
        numbers: The finite numbers with the index of their row; empty unless at least half of the
            values are numbers.
        lexemes: The same numbers as they are written.
    """

    column: Column
    cells: list[str]
    rows: Sequence[int]
    counts: Counter[str]
    numbers: list[tuple[float, int]]
    lexemes: list[str]

    @property
    def name(self) -> str:
        """The last key of the column's path; empty if it has none."""
        return self.column.path[-1] if self.column.path else ""

    @property
    def is_key(self) -> bool:
        """Whether it holds the keys of the entries of an object."""
        return self.column.path == KEY_PATH

    @property
    def is_categorical(self) -> bool:
        """Whether the column consists of a few values that repeat."""
        rows = len(self.cells)
        most = max(_MIN_CATEGORIES, min(_MAX_CATEGORIES, rows // _ROWS_PER_CATEGORY))
        return 1 < len(self.counts) <= most and len(self.counts) <= rows / 2

    @property
    def is_identity(self) -> bool:
        """Whether values only identify or locate rows, judging by the name of the column."""
        return _IDENTITY_FIELD.fullmatch(self.name) is not None

    @property
    def is_monotonic(self) -> bool:
        """Whether the numbers only rise or only fall."""
        values = [number for number, _ in self.numbers]
        if len(values) < 3:
            return True
        steps = [after - before for before, after in pairwise(values)]
        return all(step >= 0 for step in steps) or all(step <= 0 for step in steps)

    def cells_of(self, rows: Collection[int]) -> list[str]:
        """Return the cells of some rows, in any order."""
        count = len(self.cells)
        if count and self.rows[-1] == count - 1:
            # The first rows have a cell here, without a gap, and others have none.
            return [self.cells[row] for row in rows if row < count]
        return [cell for cell, row in zip(self.cells, self.rows) if row in rows]


def compute_column_stats(frame: Frame) -> list[ColumnStats]:
    """Return the statistics of every column; the keys of entries are the last one."""
    regular = set(frame.regular_rows)
    irregular_rows = [
        row for row, item in enumerate(frame.rows) if row not in regular and type(item) is dict
    ]
    stats = [_compute_stats(column, frame, irregular_rows) for column in frame.columns]
    keys = frame.shown_keys
    if keys is not None:
        stats.append(_describe_keys(keys))
    return stats


def _describe_keys(keys: list[str]) -> ColumnStats:
    field = Field(KEY_PATH[0], is_text=True)
    column = Column(KEY_PATH, field, [*keys], parse=list, write=partial(write_cells, is_text=True))
    return ColumnStats(
        column=column,
        cells=column.cells,
        rows=range(len(keys)),
        counts=Counter(column.cells),
        numbers=[],
        lexemes=[],
    )


def _compute_stats(column: Column, frame: Frame, irregular_rows: list[int]) -> ColumnStats:
    values, cells, rows = column.values, column.cells, frame.regular_rows
    if irregular_rows:
        more_values = [_get_value(frame.rows[row], column.path) for row in irregular_rows]
        more_cells = write_cells(more_values, column.field.is_text)
        merged = sorted(
            zip(rows + irregular_rows, values + more_values, cells + more_cells),
            key=itemgetter(0),
        )
        rows, values, cells = (list(part) for part in zip(*merged))
    numbers, lexemes = _collect_numbers(column, values, rows)
    return ColumnStats(
        column=column,
        cells=cells,
        rows=rows,
        counts=Counter(cells),
        numbers=numbers,
        lexemes=lexemes,
    )


def _get_value(row: Value, path: tuple[str, ...]) -> Value:
    """Return the value of a row at a path, or `MISSING` if there is none."""
    for key in path:
        row = row.get(key, MISSING) if type(row) is dict else MISSING
    return row


def _collect_numbers(
    column: Column, values: list[Value], rows: Sequence[int]
) -> tuple[list[tuple[float, int]], list[str]]:
    """Return the finite numbers with their rows, and their lexemes; none if they are a minority."""
    if column.child or tuple not in set(map(type, values)):
        return [], []
    found = [
        (value[0], row)
        for value, row in zip(values, rows)
        if type(value) is tuple and len(value) == 1
    ]
    if not found or len(found) * 2 < len(rows):
        return [], []
    numbers = [(float(lexeme), row) for lexeme, row in found]
    is_finite = [math.isfinite(number) for number, _ in numbers]
    if not all(is_finite):
        found, numbers = list(compress(found, is_finite)), list(compress(numbers, is_finite))
    return numbers, [lexeme for lexeme, _ in found]


def find_outliers(stats: list[ColumnStats], threshold: float) -> list[int]:
    """Return the rows with numbers far from the median of their column, the farthest first.

    Args:
        stats: The statistics of the columns.
        threshold: Minimum distance from the median, in standard deviations.
    """
    outliers: list[tuple[float, int]] = []
    for column in stats:
        if column.numbers and not column.is_identity and not column.is_monotonic:
            outliers += _find_column_outliers(column.numbers, threshold)
    return list(dict.fromkeys(row for _, row in sorted(outliers, key=_by_distance)))


def _by_distance(outlier: tuple[float, int]) -> tuple[float, int]:
    distance, row = outlier
    return -distance, row


def _find_column_outliers(
    numbers: list[tuple[float, int]], threshold: float
) -> list[tuple[float, int]]:
    """Return the distances and rows of the outliers of a column, the farthest first."""
    values = [number for number, _ in numbers]
    middle = median(values)
    deviations = [abs(value - middle) for value in values]
    # Estimated from deviations, because outliers themselves inflate a plain standard deviation.
    # The median deviation is 0 if more than half of the values are equal.
    std = _STD_PER_MEDIAN_DEVIATION * median(deviations)
    if not std:
        std = _STD_PER_MEAN_DEVIATION * sum(deviations) / len(deviations)
    if not std or not math.isfinite(std):
        return []
    distances = [deviation / std for deviation in deviations]
    outliers = [
        (distance, row) for distance, (_, row) in zip(distances, numbers) if distance > threshold
    ]
    return sorted(outliers, key=_by_distance)[:_MAX_OUTLIERS_PER_COLUMN]


def find_extremes(stats: list[ColumnStats]) -> list[int]:
    """Return the first rows with the highest and the lowest number of each column.

    Columns of which a reader asks no such thing have none: identifiers, and numbers that only rise.
    """
    rows: list[int] = []
    for column in stats:
        if column.numbers and not column.is_identity and not column.is_monotonic:
            rows += [max(column.numbers, key=_by_number)[1], min(column.numbers, key=_by_number)[1]]
    return list(dict.fromkeys(rows))


def _by_number(numbered: tuple[float, int]) -> float:
    return numbered[0]


def find_change_points(stats: list[ColumnStats]) -> list[int]:
    """Return the rows on both sides of each shift of a column to another level."""
    rows: list[int] = []
    for column in stats:
        if (
            len(column.numbers) >= _MIN_SHIFT_ROWS
            and not column.is_identity
            and not column.is_monotonic
        ):
            rows += _find_shift(column.numbers)
    return list(dict.fromkeys(rows))


def _find_shift(numbers: list[tuple[float, int]]) -> list[int]:
    """Return the rows around the split whose two means explain most of the variance, if any."""
    values = [number for number, _ in numbers]
    count, mean = len(values), sum(values) / len(values)
    # Products and plain sums: powers and exact sums raise an error for huge numbers, where these
    # give infinity.
    variance = sum((value - mean) * (value - mean) for value in values)
    if not variance or not math.isfinite(variance):
        return []
    best_gain, split = 0.0, 0
    for left, part in enumerate(accumulate(values[:-1]), 1):
        difference = part - left * mean
        gain = difference * difference * count / (left * (count - left))
        if gain > best_gain:
            best_gain, split = gain, left
    if best_gain <= _MIN_EXPLAINED_SHARE * variance:
        return []
    return [numbers[split - 1][1], numbers[split][1]]


def find_rare_rows(frame: Frame, stats: list[ColumnStats]) -> list[int]:
    """Return the first irregular rows, and a row for each rare value of a categorical column."""
    regular = set(frame.regular_rows)
    irregular_rows = [row for row in range(len(frame.rows)) if row not in regular]
    rows = irregular_rows[:_MAX_IRREGULAR_ROWS]
    for column in stats:
        if column.is_categorical:
            max_count = max(1, _MAX_RARE_SHARE * len(column.cells))
            rare = {cell for cell, count in column.counts.items() if count <= max_count}
            rows += find_first_rows(column, rare)
    return list(dict.fromkeys(rows))


def find_first_rows(column: ColumnStats, wanted: Collection[str]) -> list[int]:
    """Return the first row with each of the wanted cells of a column, in order."""
    if not wanted:
        return []
    first: dict[str, int] = {}
    for cell, row in zip(column.cells, column.rows):
        if cell in wanted:
            first.setdefault(cell, row)
    return list(first.values())


def find_distinct_values(stats: list[ColumnStats], names: Iterable[str]) -> list[int]:
    """Return the first row with each distinct value of the fields with these names."""
    wanted = set(names)
    rows: list[int] = []
    for column in stats:
        if wanted & {column.name, ".".join(column.column.path)}:
            rows += find_first_rows(column, column.counts)
    return list(dict.fromkeys(rows))
