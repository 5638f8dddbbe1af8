"""Evidence that records are a table, and that their first one is its header.

Equally many separators a line are no evidence: logs, messages of compilers and code have them too.
Evidence is that cells are alike within their columns (numbers, times, single words, a vocabulary),
and that the first record is unlike the others in the way that names are. For the latter, the
question is how probable such a first record would be if it were just another one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from headroom_core.tables.csv.records import unquote_cell

# Numbers with signs, currencies, digit groups, percentages and units of size; hexadecimal numbers.
_NUMBER = re.compile(
    r"[-+]?[$€£¥]?\s?(?:\d{1,3}(?:[,. ]\d{3})+|\d+|(?=[.,]\d))(?:[.,]\d+)?(?:[eE][-+]?\d+)?"
    r"\s?(?:%|[kKMGT]i?B?)?|0x[\da-fA-F]+|[-+]?(?:inf|nan)",
    re.IGNORECASE,
)
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?[AaPp][Mm])?(?:\s?(?:Z|UTC|[-+]\d\d:?\d\d))?"
# Dates and times: ISO, with the day first or last, with the name of a month.
_TIME = re.compile(
    rf"(?:\d{{4}}[-/.]\d{{1,2}}(?:[-/.]\d{{1,2}})?|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}"
    rf"|(?:\d{{1,2}}[-\s])?[A-Z][a-z]{{2}}[-\s.]+(?:\d{{1,2}},?\s)?\d{{4}})"
    rf"(?:[T\s]{_CLOCK})?|{_CLOCK}"
)
_PATTERNS = {"number": _NUMBER, "time": _TIME}
# A single word, identifier, path or address. Must not match code.
_WORD = re.compile(r"(?=.*\w)[^\s,;|(){}\[\]<>=\"'`\\]+")
# A number that is followed by more than itself, as after a comma inside a time: `123 INFO ready`.
_COMPOUND = re.compile(r"\d[\d.:,/-]*\s+\D.*", re.DOTALL)
_CODE = re.compile(r"[{}<>=;`\\]|^\s*[-+@#/*]{2}")
_ADDRESS = re.compile(r"\w+://\S+")
_NO_VALUE = frozenset(("", "NA", "N/A", "n/a", "na", "null", "NULL", "None", "-", "—", "?", "\\N"))
# A time at the start of a cell, as of a log.
_STARTS_WITH_TIME = re.compile(r"\W?\d{4}-?\d\d-?\d\d\b|\W?\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d ")
_BRACKET = re.compile(r"[(\[{}\])]")
_DIGIT = re.compile(r"\d")
# The start of a long cell tells what it is.
_MAX_CELL_CHARACTERS = 120

# A name: letters first, and few signs.
_IDENTIFIER = re.compile(r"[^\W\d][\w .:/()%$€#&°@'-]{0,40}")
_MAX_NAME_CHARACTERS = 80
_MAX_NAME_WORDS = 9
# Must not match a short word in capitals that is cut off: `Ticket No.`.
_SENTENCE_END = re.compile(r"\w\s.*(?<!\s[A-Z]\w)(?<!\s[A-Z]\w{2})[.!?:,]$", re.DOTALL)

_ALIKE_SHARE = 0.9
# If fewer than half of the first values match, the others need not be tried.
_FIRST_VALUES = 6
_CODE_SHARE = 0.3
_PADDED_SHARE = 0.3
_BROKEN_SHARE = 0.1
_MAX_CONTRAST = 3.0
_MAX_TOTAL_CONTRAST = 6.0
# The natural logarithm of the number of features that are compared.
_FEATURES_COMPARED = 1.8
_SEEN_CONTRAST = -2.0
_MAX_YEAR_DIGITS = 10


@dataclass(frozen=True, slots=True)
class _Column:
    """A sampled column.

    Attributes:
        values: Texts of its cells that have a value.
        alikeness: How alike they are, from -1 for what is no value of a column, to 1.
        kind: `number`, `time`, `words`, `text`, `compound`, `code`, or `empty`.
        is_counter: Whether it only counts the records.
        is_constant: Whether there is only one value.
        repeats: Whether a few values repeat.
    """

    values: list[str]
    alikeness: float
    kind: str
    is_counter: bool = False
    is_constant: bool = False
    repeats: bool = False


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
    def columns(self) -> list[_Column]:
        """The columns, described."""
        return [
            _describe([unquote_cell(cell) for cell in cells], is_first=number == 0)
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
        broken = sum(_splits_brackets(record) for record in self.records)
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
        if not _are_rising(names):
            total += _SEEN_CONTRAST * sum(map(_is_typed_alike, names, self.columns))
        return min(total, _MAX_TOTAL_CONTRAST)


def rate_names(header: Sequence[str]) -> float:
    """Return how much cells look like the names of columns, from -1 to 1."""
    rated = [_rate_name(cell) for cell in header]
    names = {unquote_cell(cell) for cell in header} - {""}
    if len(names) < len(header) / 2:
        return -1.0
    return min(rated) if min(rated) < 0 else sum(rated) / len(rated)


def _describe(texts: Sequence[str], *, is_first: bool) -> _Column:
    values = [text[:_MAX_CELL_CHARACTERS] for text in texts if text not in _NO_VALUE]
    if not values:
        return _Column([], 0.0, "empty")
    distinct = len(set(values))
    is_constant, repeats = distinct == 1, 1 < distinct <= len(values) / 3
    if _are(_NUMBER, values):
        is_counter = is_first and _is_counter(texts)
        return _Column(values, 1.0, "number", is_counter, is_constant, repeats)
    if _are(_TIME, values):
        return _Column(values, 1.0, "time", is_constant=is_constant, repeats=repeats)
    if sum(map(_is_code, values)) >= _CODE_SHARE * len(values):
        return _Column(values, -1.0, "code", is_constant=is_constant, repeats=repeats)
    if _are(_COMPOUND, values) and not repeats:
        return _Column(values, -1.0, "compound", is_constant=is_constant)
    kind = "words" if _are(_WORD, values) else "text"
    if is_constant:
        return _Column(values, 0.25, kind, is_constant=True)
    return _Column(values, 0.75 if repeats or kind == "words" else 0.0, kind, repeats=repeats)


def _are(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    """Return whether nearly all values match a pattern."""
    first = values[:_FIRST_VALUES]
    if 2 * _count(pattern, first) < len(first):
        return False
    return _count(pattern, values) >= _ALIKE_SHARE * len(values)


def _count(pattern: re.Pattern[str], values: Sequence[str]) -> int:
    return sum([bool(pattern.fullmatch(value)) for value in values])


def _is_counter(texts: Sequence[str]) -> bool:
    numbers = [int(text) if text.isdecimal() else -1 for text in texts]
    steps = [after - before for before, after in pairwise(numbers)]
    return bool(steps) and steps.count(1) >= len(steps) / 2


def _is_code(value: str) -> bool:
    return bool(_CODE.search(value)) and not _ADDRESS.match(value)


def _splits_brackets(record: Sequence[str]) -> bool:
    """Return whether brackets are balanced in a record, but not in its cells."""
    depths = [_bracket_depth(cell) for cell in record if cell[:1] != '"']
    return any(depths) and not sum(depths)


def _bracket_depth(text: str) -> int:
    if _BRACKET.search(text) is None:
        return 0
    opening = text.count("(") + text.count("[") + text.count("{")
    return opening - text.count(")") - text.count("]") - text.count("}")


def _contrast(name: str, column: _Column) -> float:
    """Return how improbable a name would be as one more value of a column.

    Negative if it is one of the values.
    """
    values = column.values
    if not values:
        return 0.0
    if name in values:
        return _SEEN_CONTRAST
    # By Good and Turing, the share of values that occur once is the probability of a new one.
    singletons = sum([count == 1 for count in Counter(values).values()])
    found = [_improbability(singletons, values)]
    pattern = _PATTERNS.get(column.kind)
    if pattern and not pattern.fullmatch(name):
        found.append(_improbability(len(values) - _count(pattern, values), values))
    for same in _count_like(name, values):
        found.append(_improbability(same, values) - _FEATURES_COMPARED)
    return min(max(0.0, *found), _MAX_CONTRAST)


def _is_typed_alike(name: str, column: _Column) -> bool:
    """Return whether a name is a number or time above a column of them."""
    pattern = _PATTERNS.get(column.kind)
    return pattern is not None and pattern.fullmatch(name) is not None


def _are_rising(names: Sequence[str]) -> bool:
    """Return whether the numbers among names are whole and rise, as years do."""
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    if not all(name.isdecimal() and len(name) < _MAX_YEAR_DIGITS for name in numbers):
        return False
    return all(int(before) < int(after) for before, after in pairwise(numbers))


def _improbability(count: int, values: Sequence[str]) -> float:
    return -math.log((count + 0.5) / (len(values) + 1))


def _count_like(name: str, values: Sequence[str]) -> list[int]:
    """Return, for each of some features, the number of values that share it with a name."""
    features = _features(name)
    columns = zip(*map(_features, values))
    return [column.count(feature) for feature, column in zip(features, columns)]


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
    if not name or _NUMBER.fullmatch(name) or _TIME.fullmatch(name):
        return 0.0
    if (
        len(name) > _MAX_NAME_CHARACTERS
        or len(name.split()) > _MAX_NAME_WORDS
        or _CODE.search(name)
        or _SENTENCE_END.search(name)
        or _bracket_depth(name)
    ):
        return -1.0
    return 1.0 if _IDENTIFIER.fullmatch(name) else 0.0


# The decision.

_MIN_HEADER_SCORE = 6.0
_MIN_CONTRAST = 2.0
_MIN_DECLARED_CONTRAST = 0.5
_MIN_PADDED_ALIKENESS = 2.0
_MIN_RECORDS_WITHOUT_HEADER = 10
_MIN_ALIKENESS_WITHOUT_HEADER = 2.5
_MIN_MEAN_ALIKENESS = 0.35


def has_header(evidence: Evidence, header: Sequence[str], *, is_declared: bool) -> bool:
    """Return whether records are a table whose header is another record.

    Args:
        evidence: Evidence in the records.
        header: The cells of the record above them.
        is_declared: Whether the text is said to be a table.
    """
    names = rate_names(header)
    if names < 0:
        return False
    contrast = evidence.contrast(header)
    if is_declared:
        return contrast >= _MIN_DECLARED_CONTRAST
    if evidence.width == 2 and evidence.has_odd_columns:
        return False
    # Spaces after separators are those of prose and code, unless most columns are telling.
    if evidence.padded_share > _PADDED_SHARE and evidence.alikeness < _MIN_PADDED_ALIKENESS:
        return False
    score = contrast + 2 * evidence.alikeness + 1.5 * names
    return contrast >= _MIN_CONTRAST and score >= _MIN_HEADER_SCORE


def is_headerless(evidence: Evidence, *, is_declared: bool) -> bool:
    """Return whether records are a table without a header.

    Args:
        evidence: Evidence in all records, the first included.
        is_declared: Whether the text is said to be a table.
    """
    kinds = [column.kind for column in evidence.columns if not column.is_counter]
    typed = kinds.count("number") + kinds.count("time")
    if is_declared:
        return evidence.alikeness >= evidence.width / 2 and not evidence.has_odd_columns
    if (
        evidence.width < 3
        or evidence.count < _MIN_RECORDS_WITHOUT_HEADER
        or evidence.padded_share > _PADDED_SHARE
        or evidence.is_log()
    ):
        return False
    has_quotes = evidence.quoted_count >= 3
    vocabularies = sum(column.repeats for column in evidence.columns)
    alikeness = evidence.alikeness + has_quotes
    if typed >= 2 and typed == len(kinds):
        return True
    return (
        (typed > 0 or has_quotes or vocabularies > 1)
        and alikeness >= _MIN_ALIKENESS_WITHOUT_HEADER
        and alikeness >= _MIN_MEAN_ALIKENESS * evidence.width
    )
