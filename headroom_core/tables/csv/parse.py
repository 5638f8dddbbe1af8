"""Parse separated values into the same frames as JSON arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from headroom_core.tables.csv.runs import FoundTable, TextRecords
from headroom_core.tables.frame import Frame
from headroom_core.text.numbered import read_line_numbers
from headroom_core.text.separated import find_separators, read_samples

TablePart = str | Frame
"""A frame, or the text between two of them."""

# The share of a text that tables must make up: an example in a document is left alone.
_MIN_TABLE_SHARE = 0.5
# Fewer characters between tables are titles.
_MIN_GAP = 100
_SAMPLE_LINES = 40
_SAMPLE_CHARACTERS = 16_000
_JSON_OR_MARKUP_STARTS = ("[", "{", "<")
# The start of the header of a table: its rows are separated values, too.
_OWN_TABLE = re.compile(r"\[table \d+ ")

# The place that a search or a compiler prints before a line: `src/a.py:57:`. Must not match a time,
# alone or behind a date (`12:01:00`, `2026-01-05T12:01:00`), or a hardware address.
_PLACE = re.compile(
    r"(?!\d{4}-\d\d-\d\dT|[\da-fA-F]+:[\da-fA-F])(?:[A-Za-z]:)?[^\s,;|:]{1,200}:\d+:"
)
# A number as views of files show it: indented, or with spaces before the sign after it.
_SPACED_NUMBER = re.compile(r" +\d|\d+ +\|")
# The start of a line of a table that is drawn with a frame, as in Markdown.
_FRAME_STARTS = ("|", "+-", "+=")
_DIFF_STARTS = ("@@ ", "diff --git ")
_FENCE = re.compile(r"^(```+|~~~+) *(?:csv|tsv|psv)\b[^\n]*\n(.*?)^\1", re.M | re.S | re.I)
# The same anywhere on a line: as the signs are literal, the search is many times as fast.
_FENCE_STARTS = {sign: re.compile(rf"{sign} *[ctpCTP][sS][vV]\b") for sign in ("```", "~~~")}
_MIN_VIEW_SHARE = 0.8


def parse_csv(text: str, *, is_declared: bool = False) -> list[TablePart] | None:
    """Split a text that is mostly separated values into tables and the text between them.

    Args:
        text: The text.
        is_declared: Whether it is said to be a table, by the name of its file for example.

    Returns:
        The frames, with the text before, between and after them, or None if there is no table.
    """
    if text.startswith(_JSON_OR_MARKUP_STARTS) or _OWN_TABLE.search(text):
        return None
    fenced = _parse_fences(text)
    if fenced:
        return fenced
    tables = _find_steadiest(text, is_declared=is_declared)
    # Between tables, there may be others with another separator.
    inner: list[FoundTable] = []
    for start, end in _find_gaps(tables, len(text)):
        found = _find_steadiest(text[start:end], is_declared=is_declared)
        inner += [table.shift(start) for table in found]
    tables = sorted([*tables, *inner], key=lambda table: table.start)
    if not tables or _total_size(tables) < _MIN_TABLE_SHARE * len(text.strip()):
        return None
    return _join(text, tables)


def _find_steadiest(text: str, *, is_declared: bool) -> list[FoundTable]:
    """Return the tables of the separator with which they make up most of a text."""
    size = len(text.strip())
    best: list[FoundTable] = []
    for separator in find_separators(text):
        tables = _find_tables(text, separator, is_declared=is_declared)
        if _total_size(tables) > _total_size(best):
            best = tables
        if _total_size(best) >= size:
            break
    return best


def _find_gaps(tables: Sequence[FoundTable], size: int) -> list[tuple[int, int]]:
    """Return the places around tables; none if there are no tables."""
    if not tables:
        return []
    starts = [0, *[table.end for table in tables]]
    ends = [*[table.start for table in tables], size]
    return [(start, end) for start, end in zip(starts, ends) if end - start > _MIN_GAP]


def _parse_fences(text: str) -> list[TablePart] | None:
    """Parse the fenced lines that are declared to be separated values, if they are most of it."""
    if not any(sign in text and start.search(text) for sign, start in _FENCE_STARTS.items()):
        return None
    tables: list[FoundTable] = []
    for fence in _FENCE.finditer(text):
        inner = fence[2]
        for separator in find_separators(inner):
            found = _find_tables(inner, separator, is_declared=True)
            if found:
                tables += [table.shift(fence.start(2)) for table in found]
                break
    if not tables or _total_size(tables) < _MIN_TABLE_SHARE * len(text.strip()):
        return None
    return _join(text, tables)


def _total_size(tables: Iterable[FoundTable]) -> int:
    return sum(table.end - table.start for table in tables)


def _join(text: str, tables: Iterable[FoundTable]) -> list[TablePart]:
    parts: list[TablePart] = []
    position = 0
    for table in tables:
        parts += [text[position : table.start], table.frame]
        position = table.end
    return [*parts, text[position:]]


def _find_tables(text: str, separator: str, *, is_declared: bool) -> list[FoundTable]:
    if _is_other(text, separator) or not _may_have_tables(text, separator, is_declared=is_declared):
        return []
    return list(TextRecords(text, separator).find_tables(is_declared=is_declared))


def _may_have_tables(text: str, separator: str, *, is_declared: bool) -> bool:
    """Return whether there is evidence of a table in samples of a text, if it is long."""
    samples = list(read_samples(text))
    # Samples of a short text would be all of it, and parsing it looks for evidence as well.
    return len(samples) == 1 or any(
        TextRecords(sample, separator).have_evidence(is_declared=is_declared, is_inner=number > 0)
        for number, sample in enumerate(samples)
    )


def _is_other(text: str, separator: str) -> bool:
    """Return whether lines are those of a view, of messages, of a diff or of a drawn table."""
    lines = text[:_SAMPLE_CHARACTERS].split("\n", _SAMPLE_LINES)[:_SAMPLE_LINES]
    filled = [line for line in lines if line.strip()]
    places = sum([bool(_PLACE.match(line)) for line in filled])
    if places >= _MIN_VIEW_SHARE * len(filled):
        return True
    if any(line.startswith(_DIFF_STARTS) for line in lines):
        return True
    framed = sum([line.lstrip().startswith(_FRAME_STARTS) for line in filled])
    if separator == "|" and 2 * framed >= len(filled):
        return True
    # A record may begin with its number, too: `1|Elbe|1094`.
    may_count = separator in "\t|" and not any(map(_SPACED_NUMBER.match, lines))
    return not may_count and read_line_numbers(lines) is not None
