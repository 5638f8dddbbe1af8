"""What the cells of a column are: numbers, times, words, texts, or no values at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

from headroom_core.tables.csv.records import unquote_cells

NUMBER = re.compile(
    r"[-+]?[$€£¥]?\s?(?:\d{1,3}(?:[,. ]\d{3})+|\d+|(?=[.,]\d))(?:[.,]\d+)?(?:[eE][-+]?\d+)?"
    r"\s?(?:%|[kKMGT]i?B?)?|0x[\da-fA-F]+|[-+]?(?:inf|nan)",
    re.IGNORECASE,
)
"""Matches numbers with signs, currencies, digit groups, percentages and units of size, and
hexadecimal numbers, as a whole."""

_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?[AaPp][Mm])?(?:\s?(?:Z|UTC|[-+]\d\d:?\d\d))?"
TIME = re.compile(
    rf"(?:\d{{4}}[-/.]\d{{1,2}}(?:[-/.]\d{{1,2}})?|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}"
    rf"|(?:\d{{1,2}}[-\s])?[A-Z][a-z]{{2}}[-\s.]+(?:\d{{1,2}},?\s)?\d{{4}})"
    rf"(?:[T\s]{_CLOCK})?|{_CLOCK}"
)
"""Matches dates and times as a whole: ISO, the day first or last, or with the name of a month."""

# A number and a unit: `12 ms`, `3.4 GB`, `80 req/s`, `-3 °C`. The group is the unit.
_QUANTITY = re.compile(r"[-+]?\d{1,15}(?:[.,]\d{1,9})?\s?(°?[^\W\d_]{1,5}(?:/[^\W\d_]{1,4})?[²³]?)")

CODE = re.compile(r"[{}<>=;`\\]|^\s*[-+@#/*]{2}")
"""Signs of code in a cell."""

_CODE_ON_A_LINE = re.compile(CODE.pattern, re.MULTILINE)

# A single word, identifier, path or address. Must not match code.
_WORD = re.compile(r"(?=.*\w)[^\s,;|(){}\[\]<>=\"'`\\]+")
# A number that is followed by more than itself, as after a comma inside a time: `123 INFO ready`.
_COMPOUND = re.compile(r"\d[\d.:,/-]*\s+\D.*", re.DOTALL)
_ADDRESS = re.compile(r"\w+://\S+")
_NO_VALUE = frozenset(("", "NA", "N/A", "n/a", "na", "null", "NULL", "None", "-", "—", "?", "\\N"))
# The start of a long cell tells what it is.
_MAX_CELL_CHARACTERS = 120

_ALIKE_SHARE = 0.9
# If fewer than half of the first values match, the others need not be tried.
_FIRST_VALUES = 6
_CODE_SHARE = 0.3
_MAX_UNITS = 4
# Longer numbers count nothing, and Python refuses to read the longest.
_MAX_DIGITS = 18

Kind = Literal["number", "quantity", "time", "words", "text", "compound", "code", "empty"]

_PATTERNS: dict[Kind, re.Pattern[str]] = {"number": NUMBER, "quantity": _QUANTITY, "time": TIME}


@dataclass(frozen=True)
class ColumnSample:
    """A sampled column.

    Attributes:
        counts: Texts of its cells that have a value, with the number of these cells.
        alikeness: How alike they are, from -1 for what is no value of a column, to 1.
        kind: What most of them are.
        is_counter: Whether it only counts the records.
    """

    counts: Mapping[str, int]
    alikeness: float
    kind: Kind
    is_counter: bool = False

    @cached_property
    def size(self) -> int:
        """Number of cells that have a value."""
        return sum(self.counts.values())

    @property
    def repeats(self) -> bool:
        """Whether a few values repeat."""
        return 1 < len(self.counts) <= self.size / 3

    @property
    def pattern(self) -> re.Pattern[str] | None:
        """The pattern of its values if they are numbers, quantities or times."""
        return _PATTERNS.get(self.kind)


def describe_column(cells: Sequence[str], *, is_first: bool) -> ColumnSample:
    """Describe the cells of a column, quotes included."""
    texts = unquote_cells(cells)
    values = [text[:_MAX_CELL_CHARACTERS] for text in texts if text not in _NO_VALUE]
    if not values:
        return ColumnSample({}, 0.0, "empty")
    counts = Counter(values)
    first = values[:_FIRST_VALUES]
    if _are(NUMBER, first, counts):
        is_counter = is_first and _is_counter(texts)
        return ColumnSample(counts, 1.0, "number", is_counter)
    if _are(_QUANTITY, first, counts) and _share_units(counts):
        return ColumnSample(counts, 1.0, "quantity")
    if _are(TIME, first, counts):
        return ColumnSample(counts, 1.0, "time")
    if _count_code(counts) >= _CODE_SHARE * len(values):
        return ColumnSample(counts, -1.0, "code")
    repeats = 1 < len(counts) <= len(values) / 3
    if not repeats and _are(_COMPOUND, first, counts):
        return ColumnSample(counts, -1.0, "compound")
    kind: Kind = "words" if _are(_WORD, first, counts) else "text"
    if len(counts) == 1:
        return ColumnSample(counts, 0.25, kind)
    return ColumnSample(counts, 0.75 if repeats or kind == "words" else 0.0, kind)


def count_matching(pattern: re.Pattern[str], counts: Mapping[str, int]) -> int:
    """Return the number of cells whose text matches as a whole."""
    return sum([count for value, count in counts.items() if pattern.fullmatch(value)])


def _are(pattern: re.Pattern[str], first: Sequence[str], counts: Mapping[str, int]) -> bool:
    """Return whether nearly all values match a pattern."""
    if 2 * sum([bool(pattern.fullmatch(value)) for value in first]) < len(first):
        return False
    return count_matching(pattern, counts) >= _ALIKE_SHARE * sum(counts.values())


def _share_units(counts: Mapping[str, int]) -> bool:
    """Return whether quantities have few units, as measurements do; words behind numbers differ."""
    units = {match[1] for match in map(_QUANTITY.fullmatch, counts) if match}
    return len(units) <= _MAX_UNITS


def _is_counter(texts: Sequence[str]) -> bool:
    numbers = [int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else -1 for text in texts]
    steps = [after - before for before, after in pairwise(numbers)]
    return bool(steps) and steps.count(1) >= len(steps) / 2


def _count_code(counts: Mapping[str, int]) -> int:
    # Most columns have no sign of code at all.
    if not _CODE_ON_A_LINE.search("\n".join(counts)):
        return 0
    return sum(
        count for value, count in counts.items() if CODE.search(value) and not _ADDRESS.match(value)
    )
