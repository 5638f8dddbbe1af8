"""What makes a row worth keeping: the query names it, it tells of an error, it stands out, it is rare."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress, pairwise
from operator import itemgetter
from statistics import median

from headroom_core.compressors.smart_crusher.row_text import Haystack
from headroom_core.tables.cells import write_cells
from headroom_core.tables.frame import Column, Frame
from headroom_core.tables.header import MISSING
from headroom_core.text.exact_json import Value

_ALARM = re.compile(
    r"(?:\b|_)(?:\w*error|err|warn\w*|cancel\w*|fail\w*|fatal|\w*exception|crit(?:ical)?|panic\w*|denied|refus\w*"
    r"|reject\w*|time[ds]?[- _]?out|abort\w*|severe|high|blocker|emerg\w*|alert|crash\w*|unhealthy|down|dead|killed"
    r"|corrupt\w*|invalid|expired|unauthori[sz]ed|forbidden|vulnerable|overdue|violat\w*|missing|lost|broken|offline"
    r"|degraded)\b",
    re.IGNORECASE,
)
_ALARM_STEMS = (
    "error", "exception", "fatal", "panic", "traceback", "failed", "failure", "critical", "crashed", "timed out",
    "refused", "denied",
)  # fmt: skip
_ERROR_WORDS = frozenset(
    "err error errors errno errmsg exception exceptions failure failures fault faults stderr traceback".split()
)
_NAME_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NOTHING = frozenset(("", "~", "false", '""', "[]", "{}", "0", "null", "None", "none", "0.0"))
_FLAG_CELLS = frozenset(("true", "false", "0", "1", "", "~"))
_INTEGER = re.compile(r'"?-?\d+"?')
_HTTP_ERROR = re.compile(r'"?[45]\d\d"?')
_LONGEST_SIGN = 200
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
        cells: its cells in all rows that are objects, those that do not fit the table included.
        rows: the index of the row of each cell.
        counts: how often each cell occurs.
        numbers: the finite numbers, with the row each stands in; empty unless most values are numbers.
        lexemes: the same numbers as they stand.
    """

    column: Column
    cells: list[str]
    rows: Sequence[int]
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
        rows = len(self.cells)
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
    regular = set(frame.regular)
    others = [
        row for row, item in enumerate(frame.rows) if row not in regular and type(item) is dict
    ]
    return [_stats(column, frame, others) for column in frame.columns]


def _stats(column: Column, frame: Frame, others: list[int]) -> ColumnStats:
    values, cells, rows = column.values, column.cells, frame.regular
    if others:
        found = [_at(frame.rows[row], column.path) for row in others]
        written = write_cells(found, column.field.text)
        joined = sorted(zip(rows + others, values + found, cells + written), key=itemgetter(0))
        rows, values, cells = (list(part) for part in zip(*joined))
    return _counted(column, values, cells, rows)


def _at(row: Value, path: tuple[str, ...]) -> Value:
    """Return what a row holds at a path, `MISSING` where it holds nothing."""
    for key in path:
        row = row.get(key, MISSING) if type(row) is dict else MISSING
    return row


def _counted(
    column: Column, values: list[Value], cells: list[str], rows: Sequence[int]
) -> ColumnStats:
    counts = Counter(cells)
    if column.child or tuple not in set(map(type, values)):
        return ColumnStats(column, cells, rows, counts, [], [])
    found = [
        (value[0], row)
        for value, row in zip(values, rows)
        if type(value) is tuple and len(value) == 1
    ]
    if not found or len(found) * 2 < len(rows):
        return ColumnStats(column, cells, rows, counts, [], [])
    numbers = [(float(lexeme), row) for lexeme, row in found]
    finite = [math.isfinite(number) for number, _ in numbers]
    if not all(finite):
        found, numbers = list(compress(found, finite)), list(compress(numbers, finite))
    return ColumnStats(column, cells, rows, counts, numbers, [lexeme for lexeme, _ in found])


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
                    holding = {cell for cell in item.counts if stem in cell.lower()}
                    found = _kinds(item, holding) | found
    for item in stats:
        for cell, rows in _alarming(item):
            for row in rows:
                found.setdefault(row, f"{item.name}={cell[:80]}")
    return found


def _alarming(item: ColumnStats) -> Iterator[tuple[str, list[int]]]:
    """Yield the cells of a column that tell of an error, with their rows."""
    signs = _signs(item)
    told = sum(item.counts[cell] for cell in signs)
    if told > _ALARM_SHARE * len(item.cells):
        # Too many to be alarming each: one of every kind is.
        for row, kind in _kinds(item, signs).items():
            yield kind, [row]
    elif signs:
        by_cell: dict[str, list[int]] = {cell: [] for cell in signs}
        for cell, row in zip(item.cells, item.rows):
            if cell in by_cell:
                by_cell[cell].append(row)
        yield from by_cell.items()


def _signs(item: ColumnStats) -> set[str]:
    """Return the cells of a column that would tell of an error, if few rows had them."""
    if item.counts.keys() <= _FLAG_CELLS and (bad := _flag(item.name)):
        return item.counts.keys() & bad
    if not _ERROR_WORDS.isdisjoint(map(str.lower, _NAME_PARTS.findall(item.name))):
        return item.counts.keys() - _NOTHING
    if _EXIT_FIELD.fullmatch(item.name):
        return {cell for cell in item.counts if _INTEGER.fullmatch(cell) and cell.strip('"') != "0"}
    if _STATUS_FIELD.fullmatch(item.name) and (
        codes := {cell for cell in item.counts if _HTTP_ERROR.fullmatch(cell)}
    ):
        return codes
    if not item.categorical:
        return set()
    found = {cell for cell in item.counts if len(cell) < _LONGEST_SIGN and _ALARM.search(cell)}
    return {cell for cell in found if item.counts[cell] <= _ALARM_SHARE * len(item.cells)}


def _flag(name: str) -> frozenset[str] | None:
    """Return what a flag of this name says when something went wrong; None for other names."""
    if _GOOD_FLAG.fullmatch(name):
        return frozenset(("false", "0"))
    return frozenset(("true", "1")) if _BAD_FLAG.fullmatch(name) else None


def _kinds(item: ColumnStats, wanted: Collection[str]) -> dict[int, str]:
    """Return a row for each kind of text among the wanted cells of a column, where the kinds are few."""
    kinds: dict[str, str] = {}
    for cell in filter(wanted.__contains__, item.counts):
        kinds.setdefault(_DIGITS.sub("#", cell), cell)
        if len(kinds) > _MOST_KINDS:
            break
    first = dict(zip(_first_rows(item, set(kinds.values())), kinds))
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
    return list(
        dict.fromkeys(row for _, row in sorted(found, key=lambda pair: (-pair[0], pair[1])))
    )


def _column_outliers(numbers: list[tuple[float, int]], threshold: float) -> list[tuple[float, int]]:
    values = [number for number, _ in numbers]
    middle = median(values)
    deviations = [abs(value - middle) for value in values]
    spread = _MAD_TO_STD * median(deviations) or 1.2533 * sum(deviations) / len(deviations)
    if not spread or not math.isfinite(spread):
        return []
    distances = [deviation / spread for deviation in deviations]
    far = [
        (distance, row) for distance, (_, row) in zip(distances, numbers) if distance > threshold
    ]
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
    count, mean = len(values), sum(values) / len(values)
    # Products and plain sums, because powers and exact sums of huge numbers raise where these give infinity.
    variance = sum((value - mean) * (value - mean) for value in values)
    if not variance or not math.isfinite(variance):
        return []
    best, at = 0.0, 0
    for left, partial in enumerate(accumulate(values[:-1]), 1):
        apart = partial - left * mean
        gain = apart * apart * count / (left * (count - left))
        if gain > best:
            best, at = gain, left
    return [numbers[at - 1][1], numbers[at][1]] if best > _SHIFT_EXPLAINS * variance else []


def rare_kinds(frame: Frame, stats: list[ColumnStats]) -> list[int]:
    """Return one row for every value that few rows have, where values repeat, and the first odd rows."""
    regular = set(frame.regular)
    found = [row for row in range(len(frame.rows)) if row not in regular][:_ODD_ROWS]
    for item in stats:
        if item.categorical:
            most = max(1, _RARE_SHARE * len(item.cells))
            rare = {cell for cell, count in item.counts.items() if count <= most}
            found += _first_rows(item, rare)
    return list(dict.fromkeys(found))


def _first_rows(item: ColumnStats, wanted: Collection[str]) -> list[int]:
    first: dict[str, int] = {}
    for cell, row in zip(item.cells, item.rows) if wanted else ():
        if cell in wanted:
            first.setdefault(cell, row)
    return list(first.values())


def distinct_values(stats: list[ColumnStats], names: Iterable[str]) -> list[int]:
    """Return the first row of every distinct value of the fields with these names."""
    wanted = set(names)
    found: list[int] = []
    for item in stats:
        if wanted & {item.name, ".".join(item.column.path)}:
            found += _first_rows(item, item.counts)
    return list(dict.fromkeys(found))
