"""What makes a row worth keeping: the query names it, it tells of an error, it stands out, it is rare."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress, pairwise
from statistics import median

from headroom_core.compressors.smart_crusher.frame import Column, Frame
from headroom_core.compressors.smart_crusher.haystack import Haystack

_ALARM = re.compile(
    r"\b(?:\w*error|err|fail\w*|fatal|\w*exception|crit(?:ical)?|panic\w*|denied|refus\w*|reject\w*|time[ds]?[- _]?out"
    r"|abort\w*|severe|high|blocker|emerg\w*|alert|crash\w*|unhealthy|down|dead|killed|corrupt\w*|invalid|expired|unauthori[sz]ed"
    r"|forbidden|vulnerable|overdue|violat\w*|missing|lost|broken|offline|degraded)\b",
    re.IGNORECASE,
)
_ALARM_STEMS = (
    "error", "exception", "fatal", "panic", "traceback", "failed", "failure", "critical", "crashed", "timed out",
    "refused", "denied",
)  # fmt: skip
_ERROR_FIELD = re.compile(r"err(?:or|ors|no|_?msg|_?message)?|exception|failure|fault|stderr|traceback", re.IGNORECASE)
_GOOD_FLAG = re.compile(
    r"(?:is_?|was_?)?(?:success\w*|succeeded|ok|okay|pass|passed|healthy|valid|available|up|alive|ready|reachable)",
    re.IGNORECASE,
)
_BAD_FLAG = re.compile(
    r"(?:is_?|has_?|was_?)?(?:fail\w*|errors?|crash\w*|timed_?out|reject\w*|denied|invalid|expired|blocked|critical"
    r"|alarm|alert|vulnerable|infected|fraud\w*|anomal\w*|leaked|overdue|corrupt\w*|broken|unhealthy|dead)",
    re.IGNORECASE,
)
_EXIT_FIELD = re.compile(r".*exit.*|.*return_?code|rc", re.IGNORECASE)
_STATUS_FIELD = re.compile(r".*status.*|.*http.*|code", re.IGNORECASE)
_IDENTITY_FIELD = re.compile(
    r"(?:.*[_\s.-])?(?:id|ids|uuid|guid|key|hash|sha\d*|zip|postcode|phone|year|month|day|date|time|timestamp|ts|at"
    r"|lat|latitude|lon|lng|longitude|x|y|line|port|index|idx|offset|version|cid|pid)|.*(?:Id|ID|Date|Time|At)",
)
_DIGITS = re.compile(r"\d+")
_MOST_KINDS = 20
_ALARM_SHARE = 0.3
_ALARM_SHARE_IN_TEXT = 0.1
_RARE_SHARE = 0.02
_ODD_ROWS = 5
_OUTLIERS_A_COLUMN = 4
_MAD_TO_STD = 1.4826
_SHIFT_EXPLAINS = 0.5
_SHIFT_FROM_ROWS = 20


@dataclass(slots=True)
class ColumnStats:
    """What a column holds.

    Attributes:
        column: the column.
        counts: how often each cell occurs.
        numbers: the finite numbers, with the row each stands in; empty unless most values are numbers.
        lexemes: the same numbers as they stand.
    """

    column: Column
    counts: Counter[str]
    numbers: list[tuple[float, int]]
    lexemes: list[str]

    @property
    def name(self) -> str:
        """The column's own name."""
        return self.column.path[-1] if self.column.path else ""

    @property
    def categorical(self) -> bool:
        """Whether few values repeat."""
        rows = len(self.column.cells)
        return 1 < len(self.counts) <= max(12, min(40, rows // 5)) and len(self.counts) <= rows / 2

    @property
    def identity(self) -> bool:
        """Whether the column's name says that values only tell rows apart, or where and when they are."""
        return _IDENTITY_FIELD.fullmatch(self.name) is not None

    @property
    def steady(self) -> bool:
        """Whether the numbers only rise or only fall."""
        values = [number for number, _ in self.numbers]
        if len(values) < 3:
            return True
        steps = [after - before for before, after in pairwise(values)]
        return all(step >= 0 for step in steps) or all(step <= 0 for step in steps)


def column_stats(frame: Frame) -> list[ColumnStats]:
    """Return what every column holds."""
    return [_stats(column, frame.regular) for column in frame.columns]


def _stats(column: Column, rows: Sequence[int]) -> ColumnStats:
    counts = Counter(column.cells)
    if tuple not in set(map(type, column.values)):
        return ColumnStats(column, counts, [], [])
    found = [(value[0], row) for value, row in zip(column.values, rows) if type(value) is tuple and len(value) == 1]
    if column.child or not found or len(found) * 2 < len(rows):
        return ColumnStats(column, counts, [], [])
    numbers = [(float(lexeme), row) for lexeme, row in found]
    finite = [math.isfinite(number) for number, _ in numbers]
    if not all(finite):
        found, numbers = list(compress(found, finite)), list(compress(numbers, finite))
    return ColumnStats(column, counts, numbers, [lexeme for lexeme, _ in found])


def alarms(frame: Frame, stats: list[ColumnStats], haystack: Haystack) -> dict[int, str]:
    """Return the rows that tell of an error, each with what it tells.

    A word that most rows share is no alarm: it counts only while the rows that hold it are few.
    """
    found: dict[int, str] = {}
    for stem in _ALARM_STEMS:
        few = haystack.rows_of(stem, most=int(_ALARM_SHARE_IN_TEXT * len(frame.rows)), whole=False)
        for row in few:
            found.setdefault(row, stem)
        if not few and stem in haystack.text:
            for item in stats:
                if not item.categorical and not item.numbers:
                    found = _kinds(item, stem, frame.regular) | found
    for item in stats:
        for cell, rows in _alarming(item, frame.regular):
            for row in rows:
                found.setdefault(row, f"{item.name}={cell[:80]}")
    return found


def _alarming(item: ColumnStats, rows: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
    """Yield the cells of a column that tell of an error, with their rows."""
    name, cells = item.name, item.column.cells
    if item.counts.keys() & {"true", "false"} and (flag := _flag(name)):
        signs, limit = [cell for cell in item.counts if cell == flag], _ALARM_SHARE
    elif _ERROR_FIELD.fullmatch(name):
        signs = [cell for cell in item.counts if cell not in ("", "~", "false", '""', "[]", "{}", "0")]
        limit = _ALARM_SHARE
    elif _EXIT_FIELD.fullmatch(name) and item.numbers:
        signs, limit = [cell for cell in item.counts if cell not in ("", "~", "0")], _ALARM_SHARE
    elif _STATUS_FIELD.fullmatch(name) and item.numbers:
        signs, limit = [cell for cell in item.counts if re.fullmatch("[45]\\d\\d", cell)], _ALARM_SHARE
    elif item.categorical:
        signs = [cell for cell in item.counts if len(cell) < 200 and _ALARM.search(cell)]
        signs = [cell for cell in signs if item.counts[cell] <= _ALARM_SHARE * len(cells)]
        limit = 1.0
    else:
        return
    if not signs or sum(item.counts[cell] for cell in signs) > limit * len(cells):
        return
    by_cell: dict[str, list[int]] = {cell: [] for cell in signs}
    for cell, row in zip(cells, rows):
        if cell in by_cell:
            by_cell[cell].append(row)
    yield from by_cell.items()


def _flag(name: str) -> str | None:
    """Return what a flag of this name says when something went wrong; None for other names."""
    return "false" if _GOOD_FLAG.fullmatch(name) else "true" if _BAD_FLAG.fullmatch(name) else None


def _kinds(item: ColumnStats, stem: str, rows: Sequence[int]) -> dict[int, str]:
    """Return a row for each of the few kinds of text in a column that hold a stem which many rows hold."""
    kinds: dict[str, str] = {}
    for cell in item.counts:
        if stem in cell.lower():
            kinds.setdefault(_DIGITS.sub("#", cell), cell)
            if len(kinds) > _MOST_KINDS:
                return {}
    first = dict(zip(_first_rows(item.column.cells, set(kinds.values()), rows), kinds))
    return {row: kind[:80] for row, kind in first.items()}


def outliers(stats: list[ColumnStats], threshold: float) -> list[int]:
    """Return the rows with numbers far from the middle of their column, the farthest first.

    Args:
        stats: the columns.
        threshold: standard deviations from the median, estimated from the median deviation.
    """
    found: list[tuple[float, int]] = []
    for item in stats:
        if item.numbers and not item.identity and not item.steady:
            found += _column_outliers(item.numbers, threshold)
    return list(dict.fromkeys(row for _, row in sorted(found, key=lambda pair: (-pair[0], pair[1]))))


def _column_outliers(numbers: list[tuple[float, int]], threshold: float) -> list[tuple[float, int]]:
    values = [number for number, _ in numbers]
    middle = median(values)
    deviations = [abs(value - middle) for value in values]
    spread = _MAD_TO_STD * median(deviations) or 1.2533 * sum(deviations) / len(deviations)
    if not spread or not math.isfinite(spread):
        return []
    distances = [deviation / spread for deviation in deviations]
    far = [(distance, row) for distance, (_, row) in zip(distances, numbers) if distance > threshold]
    return sorted(far, key=lambda pair: (-pair[0], pair[1]))[:_OUTLIERS_A_COLUMN]


def change_points(stats: list[ColumnStats]) -> list[int]:
    """Return the rows on both sides of every column's shift to another level."""
    rows: list[int] = []
    for item in stats:
        if len(item.numbers) >= _SHIFT_FROM_ROWS and not item.identity and not item.steady:
            rows += _shift(item.numbers)
    return list(dict.fromkeys(rows))


def _shift(numbers: list[tuple[float, int]]) -> list[int]:
    """Return the rows around the split whose two means explain most of the variance, if they do."""
    values = [number for number, _ in numbers]
    count, total = len(values), math.fsum(values)
    mean = total / count
    variance = math.fsum((value - mean) ** 2 for value in values)
    if not variance or not math.isfinite(variance):
        return []
    best, at = 0.0, 0
    for left, partial in enumerate(accumulate(values[:-1]), 1):
        gain = (partial - left * mean) ** 2 * count / (left * (count - left))
        if gain > best:
            best, at = gain, left
    return [numbers[at - 1][1], numbers[at][1]] if best > _SHIFT_EXPLAINS * variance else []


def rare_kinds(frame: Frame, stats: list[ColumnStats]) -> list[int]:
    """Return one row for every value that few rows have, where values repeat, and the first odd rows."""
    regular = set(frame.regular)
    found = [row for row in range(len(frame.rows)) if row not in regular][:_ODD_ROWS]
    for item in stats:
        if item.categorical:
            most = max(1, _RARE_SHARE * len(item.column.cells))
            rare = {cell for cell, count in item.counts.items() if count <= most}
            found += _first_rows(item.column.cells, rare, frame.regular)
    return list(dict.fromkeys(found))


def _first_rows(cells: list[str], wanted: set[str], rows: Sequence[int]) -> list[int]:
    first: dict[str, int] = {}
    if wanted:
        for cell, row in zip(cells, rows):
            if cell in wanted:
                first.setdefault(cell, row)
    return list(first.values())


def distinct_values(frame: Frame, stats: list[ColumnStats], names: Iterable[str]) -> list[int]:
    """Return the first row of every distinct value of the fields with these names."""
    wanted = set(names)
    found: list[int] = []
    for item in stats:
        if wanted & {item.name, ".".join(item.column.path)}:
            found += _first_rows(item.column.cells, set(item.counts), frame.regular)
    return list(dict.fromkeys(found))
