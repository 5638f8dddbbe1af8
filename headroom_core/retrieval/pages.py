"""Parts of an original: the rows or lines that were asked for, a page at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from headroom_core.errors import ValidationError
from headroom_core.markers import RETRIEVE_TOOL
from headroom_core.relevance import BM25Scorer
from headroom_core.relevance.words import normalize_text, split_words
from headroom_core.results import RetrievalResult
from headroom_core.retrieval.fields import field_names, has_field, leaves
from headroom_core.retrieval.where import parse_where
from headroom_core.tables.rows import RowSet, find_rows

DEFAULT_LIMIT = 50

_LONG_LINE = 8_000
_PIECE = re.compile(rf"(?s:.{{1,{_LONG_LINE - 1}}}[\s,]|.{{1,{_LONG_LINE}}})")
_PAGE_CHARACTERS = 16_000
_UNIT_CHARACTERS = _PAGE_CHARACTERS // DEFAULT_LIMIT
_NAMED_FIELDS = 30
_NAMED_RANGES = 12
_MOST_RANGES = 100
_LINES = re.compile(r"L?(\d{1,12})(?:(?:-|–|:|\.\.)L?(\d{1,12}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What of an original is wanted.

    Attributes:
        key: the original's key.
        where: which rows, as an expression.
        query: which rows or lines, in words, the best first.
        lines: which lines, counted from 1.
        limit: rows or lines a page; None for all at once.
        page: the page, counted from 1.
    """

    key: str
    where: str | None = None
    query: str | None = None
    lines: str | None = None
    limit: int | None = DEFAULT_LIMIT
    page: int = 1

    def call(self, page: int) -> str:
        """Return the tool call that asks for another page."""
        limit = self.limit if self.limit != DEFAULT_LIMIT else None
        given = {
            "key": self.key,
            "where": self.where,
            "query": self.query,
            "lines": self.lines,
            "limit": limit,
        }
        named = [
            f"{name}={json.dumps(value, ensure_ascii=False)}"
            for name, value in given.items()
            if value
        ]
        return f"{RETRIEVE_TOOL}({', '.join([*named, f'page={page}'])})"


def read_page(text: str, ask: PageRequest) -> RetrievalResult:
    """Return the part of a text that is wanted, behind a line that says what it is.

    Raises:
        ValidationError: the expression or the line numbers cannot be read.

    Example:
        >>> print(read_page("ready\\nsteady\\ngo\\n", PageRequest("3f9a", lines="2")).text, end="")
        line 2 of 3
        steady
    """
    if ask.lines:
        return _lines(text, ask)
    if ask.where:
        return _rows(text, find_rows(text), ask)
    if ask.query:
        sets = find_rows(text)
        return _rows(text, sets, ask) if sets else _matching_lines(text, ask)
    if ask.limit is None:
        return RetrievalResult(text, found=True) if ask.page == 1 else _beyond(1)
    sets = find_rows(text) if max(map(len, text.split("\n"))) > _LONG_LINE else []
    return _rows(text, sets, ask) if sets else _lines(text, ask)


# Rows


def _rows(text: str, sets: list[RowSet], ask: PageRequest) -> RetrievalResult:
    if not sets:
        return _miss(
            f"where finds rows, and this original has none: ask for some of its {len(_units(text))} lines"
        )
    rows = [
        (number, index) for number, found in enumerate(sets) for index in range(len(found.values))
    ]
    hits = rows
    if ask.where:
        where = parse_where(ask.where)
        hits = [
            (number, index)
            for number, found in enumerate(sets)
            for index in where.select(found.values)
        ]
        if not hits:
            return _miss(_no_match(sets, where.paths, len(rows), ask.where))
    texts = [_row_text(sets[number].values[index]) for number, index in hits]
    order = _ranked(texts, ask.query) if ask.query else list(range(len(hits)))
    if not order:
        return _miss(
            f"none of the {len(hits)} rows{_condition(ask, query=False)} has a word of {ask.query!r}"
        )
    pages = _pages(order, texts, ask.limit)
    if ask.page > len(pages):
        return _beyond(len(pages))
    shown = [hits[at] for at in pages[ask.page - 1]]
    return _page(_render(sets, shown), _rows_head(sets, shown, len(rows), ask), pages, ask)


def _render(sets: list[RowSet], shown: list[tuple[int, int]]) -> str:
    tables = []
    for number, group in groupby(shown, key=lambda hit: hit[0]):
        table = sets[number].render([index for _, index in group])
        tables.append(f"{sets[number].name}:\n{table}" if sets[number].name else table)
    return "".join(tables)


def _rows_head(
    sets: list[RowSet], shown: list[tuple[int, int]], total: int, ask: PageRequest
) -> str:
    if len(sets) == 1:
        return f"{_named('row', [index for _, index in shown], total)}{_condition(ask)}"
    return f"{len(shown)} of {total} rows in {len(sets)} tables{_condition(ask)}"


def _no_match(sets: list[RowSet], paths: Sequence[tuple[str, ...]], total: int, where: str) -> str:
    names = list(
        dict.fromkeys(name for found in sets for name in field_names(found.values, _NAMED_FIELDS))
    )
    unknown = [
        ".".join(path) for path in paths if not any(has_field(found.values, path) for found in sets)
    ]
    why = f"no row has {' or '.join(unknown)}; " if unknown else ""
    return (
        f"none of the {total} rows matches {where}; {why}fields: {', '.join(names[:_NAMED_FIELDS])}"
    )


def _row_text(row: Any) -> str:
    """Return the values of a row, in any order."""
    return " ".join(map(str, leaves(row)))


# Lines


def _lines(text: str, ask: PageRequest) -> RetrievalResult:
    units = _units(text)
    total = units[-1][0] if units else 0
    wanted = _wanted(ask.lines) if ask.lines else [range(1, total + 1)]
    chosen = [unit for unit in units if any(unit[0] in some for some in wanted)]
    if not chosen:
        return _miss(
            f"there are no lines {ask.lines}: the original has {total}"
            if total
            else "the original is empty"
        )
    pages = _pages(range(len(chosen)), [piece for _, piece in chosen], ask.limit)
    if ask.page > len(pages):
        return _beyond(len(pages))
    shown = [chosen[at] for at in pages[ask.page - 1]]
    return _page("".join(piece for _, piece in shown), _lines_head(shown, units), pages, ask)


def _matching_lines(text: str, ask: PageRequest) -> RetrievalResult:
    units = _units(text)
    pieces = [piece for _, piece in units]
    order = _ranked(pieces, ask.query or "")
    if not order:
        return _miss(f"none of the {len(units)} lines has a word of {ask.query!r}")
    pages = _pages(order, pieces, ask.limit)
    if ask.page > len(pages):
        return _beyond(len(pages))
    shown = [units[at] for at in pages[ask.page - 1]]
    body = "".join(
        f"{number}: {piece}" if piece.endswith("\n") else f"{number}: {piece}\n"
        for number, piece in shown
    )
    head = f"{_lines_head(shown, units)}{_condition(ask)}, each behind its number"
    return _page(body, head, pages, ask)


def _units(text: str) -> list[tuple[int, str]]:
    """Return the lines with their numbers, each with its end; a very long one in pieces."""
    lines = text.split("\n")
    ended = [f"{line}\n" for line in lines[:-1]] + lines[-1:] * bool(lines[-1])
    return [(number, piece) for number, line in enumerate(ended, 1) for piece in _pieces(line)]


def _pieces(line: str) -> list[str]:
    return _PIECE.findall(line) if len(line) > _LONG_LINE else [line]


def _lines_head(shown: Sequence[tuple[int, str]], units: Sequence[tuple[int, str]]) -> str:
    numbers = list(dict.fromkeys(number for number, _ in shown))
    total = units[-1][0]
    return _named("line", numbers, total) + " (long lines in pieces)" * (len(units) > total)


def _wanted(lines: str) -> list[range]:
    found = [_LINES.fullmatch("".join(part.split())) for part in lines.split(",")]
    wanted = [range(int(one[1]), int(one[2] or one[1]) + 1) for one in found if one]
    if (
        len(wanted) < len(found)
        or not all(some and some.start for some in wanted)
        or len(wanted) > _MOST_RANGES
    ):
        raise ValidationError(
            f"lines = {lines[:40]!r}: expected numbers counted from 1, such as '120-180' or '1-5,90', and at most "
            f"{_MOST_RANGES} ranges of them",
            {"lines": lines},
        )
    return wanted


# Both


def _ranked(texts: Sequence[str], query: str) -> list[int]:
    """Return the indices of the texts that share a telling word with the query, the best first."""
    wanted = dict.fromkeys(split_words(query))
    lowered = [normalize_text(text) for text in texts]
    holders = {word: [at for at, text in enumerate(lowered) if word in text] for word in wanted}
    likely = sorted({at for word in _telling(holders, len(texts)) for at in holders[word]})
    found = {at: split_words(texts[at]) for at in likely}
    having = {word: [at for at, own in found.items() if word in own] for word in wanted}
    matching = sorted({at for word in _telling(having, len(texts)) for at in having[word]})
    if not matching:
        return []
    scores = BM25Scorer().score_items([texts[at] for at in matching], query)
    return [at for _, at in sorted((-score, at) for at, score in zip(matching, scores))]


def _telling(holders: Mapping[str, Sequence[int]], total: int) -> list[str]:
    """Return the words that at most half of the texts have, or all words when there is none such."""
    return [word for word, having in holders.items() if 0 < 2 * len(having) <= total] or list(
        holders
    )


def _pages(order: Sequence[int], texts: Sequence[str], limit: int | None) -> list[list[int]]:
    """Deal the indices out to pages, each in document order: by number, and by characters where texts are long."""
    if limit is None:
        return [sorted(order)]
    most = max(_PAGE_CHARACTERS, _UNIT_CHARACTERS * limit)
    pages: list[list[int]] = []
    room = 0
    for at in order:
        room -= len(texts[at])
        if not pages or len(pages[-1]) == limit or room < 0:
            pages.append([])
            room = most - len(texts[at])
        pages[-1].append(at)
    return [sorted(page) for page in pages]


def _page(body: str, head: str, pages: list[list[int]], ask: PageRequest) -> RetrievalResult:
    if len(pages) == 1:
        return RetrievalResult(f"{head}\n{body}", found=True)
    head = f"{head} (page {ask.page} of {len(pages)}, {sum(map(len, pages))} in all)"
    if ask.page == len(pages):
        return RetrievalResult(f"{head}\n{body}", found=True)
    end = "" if body.endswith("\n") else "\n"
    following = f"[the next page: {ask.call(ask.page + 1)}]"
    return RetrievalResult(f"{head}\n{body}{end}{following}", found=True, next_page=ask.page + 1)


def _condition(ask: PageRequest, query: bool = True) -> str:
    where = f" where {ask.where}" if ask.where else ""
    return f"{where} that best match {ask.query!r}" if query and ask.query else where


def _named(unit: str, numbers: Sequence[int], total: int) -> str:
    """Return which units are shown: `rows 3, 17, 900-902 of 1000`, or the first and the last where they are many."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    if len(spans) > _NAMED_RANGES:
        return f"{len(numbers)} of {total} {unit}s, {numbers[0]} to {numbers[-1]},"
    named = ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in spans)
    return f"{unit}{'s'[: len(numbers) > 1]} {named} of {total}"


def _miss(reason: str) -> RetrievalResult:
    return RetrievalResult("", found=False, reason=reason)


def _beyond(pages: int) -> RetrievalResult:
    return _miss(f"there is no such page: the last one is page {pages}")
