"""Pages of an original: the rows or lines that were requested.

Models read every line that is added here, so its wording is part of the contract.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from headroom_core._internal.caches import process_caches
from headroom_core._internal.lru import LRUCache
from headroom_core.markers import RETRIEVE_TOOL
from headroom_core.results import RetrievalResult
from headroom_core.retrieval.families import (
    Family,
    RowLocation,
    fit_family,
    gather_families,
    row_sizes,
)
from headroom_core.retrieval.fields import field_names
from headroom_core.retrieval.lines import (
    MAX_LINE_CHARS,
    Lines,
    NumberedLine,
    parse_ranges,
    split_lines,
)
from headroom_core.retrieval.where import Matches, parse_where
from headroom_core.retrieval.word_search import search
from headroom_core.tables.rows import RowSet, find_rows

DEFAULT_LIMIT = 50

# A page is about 4,000 tokens; one with a higher limit than the default may grow with it.
_PAGE_CHARS = 16_000
_CHARS_PER_UNIT = _PAGE_CHARS // DEFAULT_LIMIT

_MAX_PAGES_AT_ONCE = 5
"""How many pages a single row may fill, with its child rows."""

# Parsed, a text takes about ten times as much memory.
_MAX_PARSED = 16
_BYTES_PER_CHAR = 10
_PARSED_SHARE = 0.2

# Bounds of the lists in headings and messages, which cost tokens too.
_MAX_LISTED_FIELDS = 30
_MAX_LISTED_RANGES = 12
_MAX_ECHO_CHARS = 300


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Request for a part of an original.

    Attributes:
        key: Key of the original.
        where: Condition on rows.
        query: Words to search for in rows or lines.
        lines: Numbers of lines, counted from 1, or those that the lines carry in a view of a file.
        limit: Maximum number of rows or lines on a page. None for no limit.
        page: Page to return, counted from 1.
    """

    key: str
    where: str | None = None
    query: str | None = None
    lines: str | None = None
    limit: int | None = DEFAULT_LIMIT
    page: int = 1

    def call(self, page: int) -> str:
        """Return the tool call that requests another page."""
        arguments = {
            "key": self.key,
            "where": self.where,
            "query": self.query,
            "lines": self.lines,
            "limit": self.limit if self.limit != DEFAULT_LIMIT else None,
        }
        spelled = [
            f"{name}={json.dumps(value, ensure_ascii=False)}"
            for name, value in arguments.items()
            if value
        ]
        if page > 1:
            spelled.append(f"page={page}")
        return f"{RETRIEVE_TOOL}({', '.join(spelled)})"


class Page(NamedTuple):
    """Answer to a request.

    Attributes:
        result: The part of the original, or the reason why there is none.
        fields: Names of the fields of the original that the condition names.
    """

    result: RetrievalResult
    fields: Sequence[str] = ()


def read_page(text: str, request: PageRequest) -> Page:
    """Return the part of a text that was requested, below a line that describes it.

    Args:
        text: Original to read from.
        request: Part to return.

    Raises:
        ValidationError: The condition or the line numbers cannot be parsed.

    Example:
        >>> page = read_page("ready\\nsteady\\ngo\\n", PageRequest("3f9a", lines="2"))
        >>> print(page.result.text, end="")
        line 2 of 3
        steady
    """
    if request.lines:
        return Page(_read_lines(text, request))
    if request.where:
        # Whoever asks for rows by their fields saw a table.
        row_sets = _find_rows(text, request.key, is_declared=True)
        matches = _match(row_sets, request.where)
        fields = dict.fromkeys(name for found in matches for name in found.known)
        return Page(_read_rows(text, row_sets, request, matches), [*fields])
    return Page(_read_any(text, request))


def _read_any(text: str, request: PageRequest) -> RetrievalResult:
    """Return what a request without conditions and lines asks for: rows if there are any."""
    if request.query:
        row_sets = _find_rows(text, request.key)
        return _read_rows(text, row_sets, request) if row_sets else _search_lines(text, request)
    if request.limit is None:
        return RetrievalResult(text, found=True) if request.page == 1 else _no_such_page(1)
    # Data on a very long line reads better as rows than as pieces.
    has_long_line = max(map(len, text.split("\n"))) > MAX_LINE_CHARS
    row_sets = _find_rows(text, request.key) if has_long_line else []
    return _read_rows(text, row_sets, request) if row_sets else _read_lines(text, request)


# Rows


_parsed: LRUCache[tuple[str, bool], tuple[int, list[RowSet]]] = process_caches.lru(
    _MAX_PARSED, lambda parsed: _BYTES_PER_CHAR * parsed[0], _PARSED_SHARE
)
"""The row sets of the originals that were asked for last, each with the length of its text."""


def _find_rows(text: str, key: str, *, is_declared: bool = False) -> list[RowSet]:
    """Return the row sets of an original. Those who page through one parse it once."""
    return _parsed.get_or_compute(
        (key, is_declared), lambda: (len(text), find_rows(text, is_declared=is_declared))
    )[1]


def _read_rows(
    text: str,
    row_sets: list[RowSet],
    request: PageRequest,
    matches: list[Matches] | None = None,
) -> RetrievalResult:
    if not row_sets:
        return _not_found(
            "where finds rows, and this original has none: "
            f"ask for some of its {split_lines(text).count} lines"
        )
    total = sum(len(row_set.values) for row_set in row_sets)
    matching = _select_rows(row_sets, matches)
    if matches and not matching:
        return _not_found(_explain_no_match(row_sets, matches, total, request))
    if request.query:
        count = len(matching)
        # Child rows have texts of their own.
        order = search([row_sets[n].own_text(index) for n, index in matching], request.query)
        matching = [matching[position] for position in order]
        if not matching:
            return _not_found(
                f"none of the {count} rows{_where_clause(request)} has a word of "
                f"{_quote(request.query)}"
            )
    families = gather_families(row_sets, matching)
    position_of = {family.row: position for position, family in enumerate(families)}
    best = [position_of[location] for location in matching if location in position_of]
    sizes = row_sizes([row_sets[n].values[index] for (n, index), _ in families])
    pages = _paginate(best, sizes, request.limit)
    if request.page > len(pages):
        return _no_such_page(len(pages))
    shown = [families[position] for position in pages[request.page - 1]]
    body, heading = _show_families(row_sets, shown, total, request)
    if request.limit is not None and len(body) > _MAX_PAGES_AT_ONCE * _page_chars(request.limit):
        call = replace(request, where=None, query=None, lines="1").call(1)
        return _not_found(
            f"{heading}: {len(body)} characters, too many for an answer; read the original by its "
            f"lines, such as {call}"
        )
    return _make_page(body, heading, pages, request)


def _show_families(
    row_sets: list[RowSet], families: list[Family], total: int, request: PageRequest
) -> tuple[str, str]:
    """Return the tables of some rows with their child rows, and the heading above them."""
    rows = [family.row for family in families]
    locations = rows + [location for family in families for location in family.descendants]
    notes = ""
    if len(families) == 1 and request.limit is not None:
        locations, rests = fit_family(row_sets, families[0], _page_chars(request.limit))
        notes = "".join(
            f"[{rest.shown} of {rest.total} rows that belong to row {rows[0][1]}; the others: "
            f"{replace(request, where=rest.where, query=None).call(1)}]\n"
            for rest in rests
        )
    heading = _rows_heading(row_sets, rows, total, request)
    count = len(locations) - len(rows)
    if count:
        heading += f", with {count} child {'rows' if count > 1 else 'row'}"
    return _render_rows(row_sets, sorted(locations)) + notes, heading


def _select_rows(row_sets: list[RowSet], matches: list[Matches] | None) -> list[RowLocation]:
    """Return the locations of the rows that meet a condition, or of all rows without one."""
    if matches is None:
        rows = [range(len(row_set.values)) for row_set in row_sets]
        return [(number, index) for number, indices in enumerate(rows) for index in indices]
    numbered = list(enumerate(matches))
    # A table without any of the fields would meet `status != 'ok'` as a whole.
    about = [(number, found) for number, found in numbered if found.is_about]
    named = [(number, found) for number, found in numbered if found.names_table]
    return [(number, index) for number, found in named or about or numbered for index in found.rows]


def _match(row_sets: list[RowSet], condition: str) -> list[Matches]:
    where = parse_where(condition)
    return [where.match(row_set.values, row_set) for row_set in row_sets]


def _render_rows(row_sets: list[RowSet], shown: list[RowLocation]) -> str:
    tables = []
    for number, group in groupby(shown, key=lambda location: location[0]):
        row_set = row_sets[number]
        table = row_set.render([index for _, index in group])
        tables.append(f"{row_set.name}:\n{table}" if row_set.name else table)
    return "".join(tables)


def _rows_heading(
    row_sets: list[RowSet], shown: list[RowLocation], total: int, request: PageRequest
) -> str:
    condition = _condition(request)
    if len(row_sets) > 1:
        return f"{len(shown)} of {total} rows in {len(row_sets)} tables{condition}"
    return f"{_list_numbers('row', [index for _, index in shown], total)}{condition}"


def _explain_no_match(
    row_sets: list[RowSet], matches: list[Matches], total: int, request: PageRequest
) -> str:
    names: dict[str, None] = {}
    for row_set in row_sets:
        names.update(dict.fromkeys(field_names(row_set.values, _MAX_LISTED_FIELDS)))
    first, *others = [found.unknown for found in matches]
    unknown = [name for name in first if all(name in other for other in others)]
    missing = f"no row has {' or '.join(unknown)}; " if unknown else ""
    fields = ", ".join(list(names)[:_MAX_LISTED_FIELDS])
    return f"none of the {total} rows matches {_cut(request.where)}; {missing}fields: {fields}"


# Lines


def _read_lines(text: str, request: PageRequest) -> RetrievalResult:
    lines = split_lines(text)
    selected = lines.numbered
    if request.lines:
        ranges = parse_ranges(request.lines)
        selected = [line for line in selected if any(line[0] in numbers for numbers in ranges)]
    if not selected:
        if not lines.numbered:
            return _not_found("the original is empty")
        return _not_found(
            f"there are no lines {request.lines}: the original has {lines.describe()}"
        )
    sizes = [len(piece) for _, piece in selected]
    pages = _paginate(range(len(selected)), sizes, request.limit)
    if request.page > len(pages):
        return _no_such_page(len(pages))
    shown = [selected[position] for position in pages[request.page - 1]]
    body = "".join(piece for _, piece in shown)
    return _make_page(body, _lines_heading(shown, lines), pages, request)


def _search_lines(text: str, request: PageRequest) -> RetrievalResult:
    lines = split_lines(text)
    pieces = [piece for _, piece in lines.numbered]
    order = search(pieces, request.query or "")
    if not order:
        return _not_found(f"none of the {lines.count} lines has a word of {_quote(request.query)}")
    pages = _paginate(order, list(map(len, pieces)), request.limit)
    if request.page > len(pages):
        return _no_such_page(len(pages))
    shown = [lines.numbered[position] for position in pages[request.page - 1]]
    numbered = []
    for number, piece in shown:
        end = "" if piece.endswith("\n") else "\n"
        numbered.append(f"{piece}{end}" if lines.is_view else f"{number}: {piece}{end}")
    heading = f"{_lines_heading(shown, lines)}{_condition(request)}, each behind its number"
    return _make_page("".join(numbered), heading, pages, request)


def _lines_heading(shown: Sequence[NumberedLine], lines: Lines) -> str:
    numbers = list(dict.fromkeys(number for number, _ in shown))
    heading = _list_numbers("line", numbers, lines.last)
    return f"{heading} (long lines in pieces)" if lines.has_pieces else heading


# Both


def _paginate(order: Sequence[int], sizes: Sequence[int], limit: int | None) -> list[list[int]]:
    """Divide indices into pages by number, and by characters if texts are long.

    The best come on the first page; each page is in document order.

    Args:
        order: Indices, the best first.
        sizes: Number of characters of all texts that the indices refer to.
        limit: Maximum number on a page. None for a single page.
    """
    if limit is None:
        return [sorted(order)]
    max_chars = _page_chars(limit)
    pages: list[list[int]] = []
    room = 0
    for index in order:
        room -= sizes[index]
        if not pages or len(pages[-1]) == limit or room < 0:
            pages.append([])
            room = max_chars - sizes[index]
        pages[-1].append(index)
    return [sorted(page) for page in pages]


def _page_chars(limit: int) -> int:
    """Return the maximum number of characters on a page of so many rows or lines."""
    return max(_PAGE_CHARS, _CHARS_PER_UNIT * limit)


def _make_page(
    body: str, heading: str, pages: list[list[int]], request: PageRequest
) -> RetrievalResult:
    """Return a page with its heading, and the call for the next page if there is one."""
    if len(pages) == 1:
        return RetrievalResult(f"{heading}\n{body}", found=True)
    total = sum(map(len, pages))
    heading = f"{heading} (page {request.page} of {len(pages)}, {total} in all)"
    if request.page == len(pages):
        return RetrievalResult(f"{heading}\n{body}", found=True)
    end = "" if body.endswith("\n") else "\n"
    following = f"[the next page: {request.call(request.page + 1)}]"
    return RetrievalResult(
        f"{heading}\n{body}{end}{following}", found=True, next_page=request.page + 1
    )


def _where_clause(request: PageRequest) -> str:
    return f" where {_cut(request.where)}" if request.where else ""


def _condition(request: PageRequest) -> str:
    clause = _where_clause(request)
    return f"{clause} that best match {_quote(request.query)}" if request.query else clause


def _list_numbers(unit: str, numbers: Sequence[int], total: int) -> str:
    """Return which units are shown: `rows 3, 17, 900-902 of 1000`, or first and last if many."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    if len(ranges) > _MAX_LISTED_RANGES:
        return f"{len(numbers)} of {total} {unit}s, {numbers[0]} to {numbers[-1]},"
    listed = ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges)
    units = f"{unit}s" if len(numbers) > 1 else unit
    return f"{units} {listed} of {total}"


def _quote(query: str | None) -> str:
    return repr(_cut(query))


def _cut(text: str | None) -> str:
    """Return a part of a request to be repeated in an answer, which must not grow with it."""
    text = text or ""
    return text if len(text) <= _MAX_ECHO_CHARS else f"{text[:_MAX_ECHO_CHARS]}…"


def _not_found(reason: str) -> RetrievalResult:
    return RetrievalResult("", found=False, reason=reason)


def _no_such_page(last: int) -> RetrievalResult:
    return _not_found(f"there is no such page: the last one is page {last}")
