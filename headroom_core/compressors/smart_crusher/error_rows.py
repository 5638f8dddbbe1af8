"""Find the rows that report errors."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from headroom_core.compressors.smart_crusher.evidence import ColumnStats, find_first_rows
from headroom_core.compressors.smart_crusher.row_text import RowTextIndex
from headroom_core.tables.frame import Frame

# Words for errors in the values of a categorical column, such as a status or a severity. They may
# follow an underscore: `build_failed`. Must not match longer words with another meaning, hence the
# `\b` at the end: `highlight`, `download`, `deadline`.
_ERROR_VALUE = re.compile(
    r"(?:\b|_)(?:\w*error|err|warn\w*|cancel\w*|fail\w*|fatal|\w*exception|crit(?:ical)?|panic\w*"
    r"|denied|refus\w*|reject\w*|time[ds]?[- _]?out|abort\w*|severe|high|blocker|emerg\w*|alert"
    r"|crash\w*|unhealthy|down|dead|killed|corrupt\w*|invalid|expired|unauthori[sz]ed|forbidden"
    r"|vulnerable|overdue|violat\w*|missing|lost|broken|offline|degraded)\b",
    re.IGNORECASE,
)
# Words for errors anywhere in a row, also within longer words: `NullPointerException`. They are
# fewer than those above, because free text uses the others in other senses, too.
_ERROR_STEMS = (
    "error",
    "exception",
    "fatal",
    "panic",
    "traceback",
    "failed",
    "failure",
    "critical",
    "crashed",
    "timed out",
    "refused",
    "denied",
)
# Parts of the names of fields that hold the description of an error, and the parts of a name in
# snake_case or camelCase. Must not match within a part, as in `terror_level`.
_ERROR_FIELD_PARTS = frozenset(
    "err error errors errno errmsg exception exceptions failure failures fault faults stderr"
    " traceback".split()
)
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# The cells of such a field that mean that there was no error.
_NO_ERROR_CELLS = frozenset(
    ("", "~", "false", '""', "[]", "{}", "0", "null", "None", "none", "0.0")
)
# All cells that a column of flags may have.
_FLAG_CELLS = frozenset(("true", "false", "0", "1", "", "~"))
# Names of flags that are set if all is well. The whole name must match: `is_valid` is one,
# `validated_by` is not.
_GOOD_FLAG = re.compile(
    r"(?:is_?|was_?)?(?:success\w*|succeeded|ok|okay|pass|passed|healthy|valid|available|up|alive"
    r"|ready|reachable)",
    re.IGNORECASE,
)
# Names of flags that are set if something is wrong.
_BAD_FLAG = re.compile(
    r"(?:is_?|has_?|was_?)?(?:fail\w*|errors?|crash\w*|timed_?out|reject\w*|denied|invalid|expired"
    r"|blocked|critical|alarm|alert|vulnerable|infected|fraud\w*|anomal\w*|leaked|overdue"
    r"|corrupt\w*|broken|unhealthy|dead)",
    re.IGNORECASE,
)
# Names of fields with exit codes, where any integer but 0 is an error, and with HTTP statuses,
# where 4xx and 5xx are. The numbers may be strings.
_EXIT_CODE_FIELD = re.compile(r".*exit.*|.*return_?code|rc", re.IGNORECASE)
_INTEGER = re.compile(r'"?-?\d+"?')
_STATUS_FIELD = re.compile(r".*status.*|.*http.*|code", re.IGNORECASE)
_HTTP_ERROR = re.compile(r'"?[45]\d\d"?')
# Longer values are prose, in which single words mean little.
_MAX_VALUE_CHARACTERS = 200
# Errors of one kind differ in numbers: addresses, times, identifiers.
_DIGITS = re.compile(r"\d+")
# With more kinds than this, the texts are too varied for one row per kind to be a summary.
_MAX_KINDS = 20
# Words for errors that mean the same however many rows have them. The others of `_ERROR_VALUE` are
# the normal case if most rows do.
_CERTAIN_VALUE = re.compile(
    r"(?:\b|_)(?:\w*error|err|fail\w*|fatal|\w*exception|crit(?:ical)?|panic\w*|crash\w*|severe"
    r"|emerg\w*)\b",
    re.IGNORECASE,
)
# A query that asks for errors.
_ASKS_FOR_ERRORS = re.compile(
    r"\b(?:errors?|fail\w*|exceptions?|crash\w*|fatal|critical|panic\w*|problems?|wrong|broken)\b",
    re.IGNORECASE,
)
# All rows that report errors are kept up to this share of the rows of a column, or of the rows
# with a word anywhere in their text. Beyond it, errors are more and more the normal case: the
# number of kept rows falls evenly, to none at a second share.
_MAX_COLUMN_SHARE = 0.3
_MAX_TEXT_SHARE = 0.1
_NONE_SHARE = 1.0
_NONE_SHARE_OF_UNCERTAIN = 0.6
# Enough to distinguish kinds of errors.
_MAX_KIND_CHARACTERS = 80


def asks_for_errors(query: str) -> bool:
    """Return whether a query asks for errors.

    Example:
        >>> asks_for_errors("Find errors"), asks_for_errors("How many orders?")
        (True, False)
    """
    return _ASKS_FOR_ERRORS.search(query) is not None


def find_error_rows(
    frame: Frame, stats: list[ColumnStats], index: RowTextIndex, *, is_asked: bool = False
) -> dict[int, str]:
    """Return rows that report errors, each with the kind of its error: all if they are not many.

    Args:
        frame: The rows.
        stats: The statistics of the columns.
        index: The texts of the rows.
        is_asked: Whether errors are asked for; then many are kept however many there are.
    """
    kinds: dict[int, str] = {}
    total = len(frame.rows)
    for stem in _ERROR_STEMS:
        rows = sorted(index.count_by_row(stem, total, whole_word=False))
        share = _MAX_COLUMN_SHARE if is_asked else _MAX_TEXT_SHARE
        allowed = _allow(len(rows), total, share, _NONE_SHARE, is_asked)
        if allowed < len(rows):
            # Too many rows contain the word: keep at least one of each kind.
            for column in stats:
                if not column.is_categorical and not column.numbers:
                    cells = {cell for cell in column.counts if stem in cell.lower()}
                    kinds = _find_kinds(column, cells) | kinds
        for row in _spread(rows, allowed):
            kinds.setdefault(row, stem)
    for column in stats:
        for cell, cell_rows in _find_column_errors(column, is_asked):
            for row in cell_rows:
                kinds.setdefault(row, f"{column.name}={cell[:_MAX_KIND_CHARACTERS]}")
    return kinds


def _allow(count: int, total: int, share: float, none_share: float, is_asked: bool) -> int:
    """Return how many of some rows that report errors may be kept."""
    most = share * total
    if count <= most:
        return count
    if is_asked:
        return int(most)
    return int(most * max(0.0, none_share * total - count) / ((none_share - share) * total))


def _spread(rows: list[int], count: int) -> list[int]:
    """Return as many of some rows, evenly spaced."""
    return [rows[number * len(rows) // count] for number in range(count)]


def _find_column_errors(column: ColumnStats, is_asked: bool) -> Iterator[tuple[str, list[int]]]:
    """Yield the cells of a column that report errors, with their rows."""
    certain, uncertain = _find_error_cells(column)
    for cells, none_share in ((certain, _NONE_SHARE), (uncertain, _NONE_SHARE_OF_UNCERTAIN)):
        count, total = sum(column.counts[cell] for cell in cells), len(column.cells)
        asked = is_asked and cells is certain
        allowed = _allow(count, total, _MAX_COLUMN_SHARE, none_share, asked)
        if allowed < count:
            # Too many for each to matter: keep at least one of each kind.
            for row, kind in _find_kinds(column, cells).items():
                yield kind, [row]
        if not allowed:
            continue
        found = [(row, cell) for cell, row in zip(column.cells, column.rows) if cell in cells]
        # In the order of the column: that of a set differs from process to process.
        rows_by_cell: dict[str, list[int]] = {cell: [] for cell in column.counts if cell in cells}
        cell_of = dict(found)
        for row in _spread([row for row, _ in found], allowed):
            rows_by_cell[cell_of[row]].append(row)
        yield from rows_by_cell.items()


def _find_error_cells(column: ColumnStats) -> tuple[set[str], set[str]]:
    """Return the cells of a column that report errors, and those that do if few rows have them."""
    if column.counts.keys() <= _FLAG_CELLS:
        bad_cells = _get_bad_flag_cells(column.name)
        if bad_cells:
            return column.counts.keys() & bad_cells, set()
    name_parts = map(str.lower, _NAME_PART.findall(column.name))
    if not _ERROR_FIELD_PARTS.isdisjoint(name_parts):
        return column.counts.keys() - _NO_ERROR_CELLS, set()
    if _EXIT_CODE_FIELD.fullmatch(column.name):
        integers = {cell for cell in column.counts if _INTEGER.fullmatch(cell)}
        return {cell for cell in integers if cell.strip('"') != "0"}, set()
    if _STATUS_FIELD.fullmatch(column.name):
        http_errors = {cell for cell in column.counts if _HTTP_ERROR.fullmatch(cell)}
        if http_errors:
            return http_errors, set()
    if not column.is_categorical:
        return set(), set()
    cells = {
        cell
        for cell in column.counts
        if len(cell) < _MAX_VALUE_CHARACTERS and _ERROR_VALUE.search(cell)
    }
    certain = {cell for cell in cells if _CERTAIN_VALUE.search(cell)}
    return certain, cells - certain


def _get_bad_flag_cells(name: str) -> frozenset[str] | None:
    """Return the values of a flag that mean an error, or None if the name is not that of a flag."""
    if _GOOD_FLAG.fullmatch(name):
        return frozenset(("false", "0"))
    if _BAD_FLAG.fullmatch(name):
        return frozenset(("true", "1"))
    return None


def _find_kinds(column: ColumnStats, wanted: Collection[str]) -> dict[int, str]:
    """Return a row for each kind of text among the wanted cells, up to a limit of kinds.

    Texts that differ only in digits are of one kind.
    """
    cell_of_kind: dict[str, str] = {}
    for cell in column.counts:
        if cell not in wanted:
            continue
        cell_of_kind.setdefault(_DIGITS.sub("#", cell), cell)
        if len(cell_of_kind) > _MAX_KINDS:
            break
    rows = find_first_rows(column, set(cell_of_kind.values()))
    return {row: kind[:_MAX_KIND_CHARACTERS] for row, kind in zip(rows, cell_of_kind)}
