"""Evidence that records are a table, and that their first one is its header.

Equally many separators a line are no evidence: logs, messages of compilers and code have them too.
Evidence is that cells are alike within their columns (numbers, times, single words, a vocabulary),
and that the first record is unlike the others in the way that names are. For the latter, the
question is how probable such a first record would be if it were just another one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain, pairwise

from headroom_core.tables.csv.columns import (
    CODE,
    NUMBER,
    TIME,
    ColumnSample,
    count_matching,
    describe_column,
)
from headroom_core.tables.csv.records import unquote_cell

# A time at the start of a cell, as of a log.
_STARTS_WITH_TIME = re.compile(r"\W?\d{4}-?\d\d-?\d\d\b|\W?\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d ")
_BRACKET = re.compile(r"[(\[{}\])]")
_DIGIT = re.compile(r"\d")

# A name: letters first, and few signs.
_IDENTIFIER = re.compile(r"[^\W\d][\w .:/()%$€#&°@'-]{0,40}")
_MAX_NAME_CHARACTERS = 80
_MAX_NAME_WORDS = 9
# Must not match a short word in capitals that is cut off: `Ticket No.`.
_SENTENCE_END = re.compile(r"\w\s.*(?<!\s[A-Z]\w)(?<!\s[A-Z]\w{2})[.!?:,]$", re.DOTALL)

_YEAR = re.compile(r"(?:19|20)\d\d")

_ALIKE_SHARE = 0.9
_BROKEN_SHARE = 0.1
_MAX_CONTRAST = 3.0
_MAX_TOTAL_CONTRAST = 6.0
# The natural logarithm of the number of features that are compared.
_FEATURES_COMPARED = 1.8
_SEEN_CONTRAST = -2.0
_MAX_YEAR_DIGITS = 10


class Evidence:
    """Evidence in a sample of records with the same number of cells.

    Args:
        records: The cells of each record, in order, quotes included.
        separator: The character between cells.
    """

    def __init__(self, records: Sequence[Sequence[str]], separator: str) -> None:
        self.count = len(records)
        self.width = len(records[0])
        self.records = records
        self.separator = separator

    @cached_property
    def columns(self) -> list[ColumnSample]:
        """The columns, described."""
        return [
            describe_column(cells, is_first=number == 0)
            for number, cells in enumerate(zip(*self.records))
        ]

    @property
    def alikeness(self) -> float:
        """How alike the cells are within the columns, summed over the columns."""
        return sum(
            0.0 if column.is_counter and self.separator in "\t|" else column.alikeness
            for column in self.columns
        )

    @property
    def has_odd_columns(self) -> bool:
        """Whether there are columns of what is no value: code, or parts of longer values."""
        return any(column.alikeness < 0 for column in self.columns)

    @property
    def padded_share(self) -> float:
        """Share of the cells with spaces around them."""
        cells = [cell for record in self.records for cell in record if cell]
        return sum([cell != cell.strip(" ") for cell in cells]) / max(1, len(cells))

    @property
    def quoted_count(self) -> int:
        """Number of the records with a quoted cell that needs its quotes."""
        return sum(
            any(cell[:1] == '"' and self.separator in cell for cell in record)
            for record in self.records
        )

    def splits_brackets(self) -> bool:
        """Return whether separators stand inside brackets, as in calls and statements."""
        if _BRACKET.search("".join(chain.from_iterable(self.records))) is None:
            return False
        broken = sum(map(_splits_brackets, self.records))
        return broken > max(1, _BROKEN_SHARE * self.count)

    def is_log(self) -> bool:
        """Return whether records begin with a time and end with a free text, as in a log."""
        times = sum([bool(_STARTS_WITH_TIME.match(record[0])) for record in self.records])
        has_times = times >= _ALIKE_SHARE * self.count or any(
            column.kind == "time" for column in self.columns[:3]
        )
        return has_times and self.columns[-1].kind in ("text", "compound", "code")

    def contrast(self, header: Sequence[str]) -> float:
        """Return how unlike the other records a header is, as a logarithm of improbability."""
        names = [unquote_cell(cell) for cell in header]
        total = sum(map(_contrast, names, self.columns))
        if _are_years(names) and not any(map(_are_years, self.records)):
            total += _MAX_CONTRAST
        elif not _are_rising(names):
            total += _SEEN_CONTRAST * sum(map(_is_typed_alike, names, self.columns))
        return min(total, _MAX_TOTAL_CONTRAST)


def rate_names(header: Sequence[str]) -> float:
    """Return how much cells look like the names of columns, from -1 to 1."""
    rated = [_rate_name(cell) for cell in header]
    names = {unquote_cell(cell) for cell in header} - {""}
    if len(names) < len(header) / 2:
        return -1.0
    return min(rated) if min(rated) < 0 else sum(rated) / len(rated)


def _splits_brackets(record: Sequence[str]) -> bool:
    """Return whether brackets are balanced in a record, but not in its cells."""
    depths = [_bracket_depth(cell) for cell in record if cell[:1] != '"']
    return any(depths) and not sum(depths)


def _bracket_depth(text: str) -> int:
    if _BRACKET.search(text) is None:
        return 0
    opening = text.count("(") + text.count("[") + text.count("{")
    return opening - text.count(")") - text.count("]") - text.count("}")


def _contrast(name: str, column: ColumnSample) -> float:
    """Return how improbable a name would be as one more value of a column.

    Negative if it is one of the values.
    """
    counts, size = column.counts, column.size
    if not size:
        return 0.0
    if name in counts:
        return _SEEN_CONTRAST
    # By Good and Turing, the share of values that occur once is the probability of a new one.
    greatest = _improbability(list(counts.values()).count(1), size)
    pattern = column.pattern
    if pattern and not pattern.fullmatch(name):
        greatest = max(greatest, _improbability(size - count_matching(pattern, counts), size))
    if greatest < _MAX_CONTRAST:
        like = [_improbability(same, size) for same in _count_like(name, counts)]
        greatest = max(0.0, greatest, max(like) - _FEATURES_COMPARED)
    return min(greatest, _MAX_CONTRAST)


def _is_typed_alike(name: str, column: ColumnSample) -> bool:
    """Return whether a name is a number or time above a column of them."""
    return column.pattern is not None and column.pattern.fullmatch(name) is not None


def _are_rising(names: Sequence[str]) -> bool:
    """Return whether the numbers among names are whole and rise, as years do."""
    numbers = [name for name in names if NUMBER.fullmatch(name)]
    if not all(name.isdecimal() and len(name) < _MAX_YEAR_DIGITS for name in numbers):
        return False
    return all(int(before) < int(after) for before, after in pairwise(numbers))


def _are_years(names: Sequence[str]) -> bool:
    """Return whether the numbers among names are years, one after the other."""
    years = [name for name in names if name.isdecimal()]
    if len(years) < 2 or not all(map(_YEAR.fullmatch, years)):
        return False
    steps = {int(after) - int(before) for before, after in pairwise(years)}
    return steps in ({1}, {-1})


def _improbability(count: int, size: int) -> float:
    return -math.log((count + 0.5) / (size + 1))


def _count_like(name: str, counts: Mapping[str, int]) -> list[int]:
    """Return, for each of some features, the number of values that share it with a name."""
    own = _features(name)
    shared = [0] * len(own)
    for value, count in counts.items():
        for index, feature in enumerate(_features(value)):
            if feature is own[index]:
                shared[index] += count
    return shared


def _features(text: str) -> tuple[bool, ...]:
    return (
        text == "",
        _DIGIT.search(text) is not None,
        text != text.lower(),
        text != text.upper(),
        " " in text,
        not text.replace(" ", "").replace("_", "").isalnum(),
    )


def _rate_name(cell: str) -> float:
    name = unquote_cell(cell)
    if not name or NUMBER.fullmatch(name) or TIME.fullmatch(name):
        return 0.0
    if (
        len(name) > _MAX_NAME_CHARACTERS
        or len(name.split()) > _MAX_NAME_WORDS
        or CODE.search(name)
        or _SENTENCE_END.search(name)
        or _bracket_depth(name)
    ):
        return -1.0
    return 1.0 if _IDENTIFIER.fullmatch(name) else 0.0
