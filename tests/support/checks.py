"""What must be true of a shorter form of a document, told without the code that made it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any

import pytest
from documents import Document

from headroom_core.errors import ConfigurationError
from headroom_core.tables.reader import ParsedTable, read_tables
from headroom_core.text.exact_json import Value, fingerprint, scan
from headroom_core.text.sentences import ELLIPSIS


def says_the_same(text: str, document: Document) -> bool:
    """Return whether a text has the document's JSON tokens and, to the letter, what stands around them."""
    at = 0
    for piece in document.pieces:
        if isinstance(piece, str):
            if not text.startswith(piece, at):
                return False
            at += len(piece)
            continue
        value, at = scan(text, at)
        if fingerprint(value) != fingerprint(piece.value):
            return False
    return at == len(text)


def standing_values(value: Value) -> Iterator[str]:
    """Yield the number lexemes and the strings of four characters or more that JSON need not escape."""
    if isinstance(value, str):
        if len(value) >= 4 and value.isprintable() and not set(value) & {'"', "\\"}:
            yield value
    elif isinstance(value, tuple) and len(value) == 1:
        yield value[0]
    elif isinstance(value, (dict, list, tuple)):
        pairs = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list)
            else value
        )
        for _, item in pairs:
            yield from standing_values(item)


def arrays_in(value: Value) -> Iterator[list[Value]]:
    """Yield every array of a value, and the entries of every object."""
    if isinstance(value, (dict, list)):
        items = list(value.values() if isinstance(value, dict) else value)
        yield items
        for item in items:
            yield from arrays_in(item)


_MARKER = re.compile(
    r'\[headroom: (\d+) of (\d+) (\w+) left out here.*; original intact: headroom_retrieve\(key="(\w{24})".*\)\]\n'
)


def assert_rows_hold(text: str, arrays: Sequence[list[Value]], key: str) -> int:
    """Check that the tables show whole rows of the arrays under their numbers, and that markers tell what is missing.

    Returns:
        How many rows are left out.
    """
    tables = read_tables(text)
    return sum(_left_out(text, table, tables, arrays, key) for table in tables)


def _left_out(
    text: str,
    table: ParsedTable,
    following: Iterator[ParsedTable],
    arrays: Sequence[list[Value]],
    key: str,
) -> int:
    source = next((rows for rows in arrays if _shows(table, rows)), None)
    assert source is not None, f"no array has the rows of the table at {table.start}"
    left_out = table.total - len(table.rows)
    marker = _MARKER.match(text, table.end)
    if left_out:
        assert marker is not None
        assert (int(marker[1]), int(marker[2]), marker[4]) == (left_out, table.total, key)
    else:
        assert marker is None
    for path in table.nested:
        child = next(following)
        lists = [_at(row, path) for row in source]
        assert child.parents is not None
        for row, parent in zip(child.rows, child.parents):
            assert any(_is_shown(row, item, child) for item in lists[parent])
        # Rows that do not fit the columns keep their lists: which ones, those that are left out do not tell.
        holders = [
            [item for items, taken in zip(lists, some) if taken for item in items]
            for some in _choices(source)
        ]
        left_out += _left_out(text, child, following, holders, key)
    return left_out


def _choices(source: list[Value]) -> Iterator[list[bool]]:
    """Yield which rows may be those that fit the columns: rows with the same keys in one order share their fate."""
    shapes = list(dict.fromkeys(tuple(row) for row in source if isinstance(row, dict)))
    for fate in product((True, False), repeat=len(shapes)):
        fits = dict(zip(shapes, fate))
        yield [isinstance(row, dict) and fits[tuple(row)] for row in source]


def _shows(table: ParsedTable, source: list[Value]) -> bool:
    numbers = range(len(source)) if table.numbers is None else table.numbers
    if (
        table.total != len(source)
        or len(table.rows) != len(numbers)
        or list(numbers) != sorted(set(numbers))
    ):
        return False
    return all(_is_shown(row, source[number], table) for row, number in zip(table.rows, numbers))


def _is_shown(row: Value, source: Value, table: ParsedTable) -> bool:
    counted = source
    for path in table.nested:
        counted = _counted(counted, path)
    if table.has_crlf:
        row = row.replace("\n", "\r\n")
    return fingerprint(row) in (fingerprint(source), fingerprint(counted))


def _at(row: Value, path: tuple[str, ...]) -> list[Value]:
    for name in path:
        row = row.get(name) if isinstance(row, dict) else None
    return row if isinstance(row, list) else []


def _counted(row: Value, path: tuple[str, ...]) -> Value:
    if not path:
        return (f"+{len(row)}",) if isinstance(row, list) and row else row
    if not isinstance(row, dict) or path[0] not in row:
        return row
    return {**row, path[0]: _counted(row[path[0]], path[1:])}


def csv_arrays(text: str) -> list[list[Value]]:
    """Return the records of separated values below the header, as the one array that they are."""
    body = text.rstrip("\r\n")
    end = "\r\n" if body.split("\n")[0].endswith("\r") else "\n"
    records: list[str] = []
    for line in body.split(end):
        if records and records[-1].count('"') % 2:
            records[-1] += end + line
        else:
            records.append(line)
    return [list(records[1:])]


def text_at(messages: Sequence[Any], message: int, path: Sequence[str | int]) -> str:
    """Return the text that stands at a change's place; for a call's input, the compact JSON that is counted."""
    found = messages[message]
    for key in path:
        found = found[key]
    return (
        found
        if isinstance(found, str)
        else json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    )


async def steps_meanwhile(work: Awaitable[Any]) -> int:
    """Return how many steps an event loop makes until some work is done, which has to return something."""
    done, steps = asyncio.ensure_future(work), 0
    while not done.done():
        await asyncio.sleep(0.001)
        steps += 1
    assert await done
    return steps


def assert_refused(component: Callable[..., Any], name: str, value: Any) -> None:
    """Assert that a value is refused for a setting when a component is constructed and when it is assigned."""
    made = component()
    before = getattr(made, name)
    for setting in (lambda: component(**{name: value}), lambda: setattr(made, name, value)):
        with pytest.raises(
            ConfigurationError, match=rf"^{type(made).__name__}\.{name} = .+: .+"
        ) as caught:
            setting()
        assert caught.value.details[name]["value"] is value
        assert getattr(made, name) == before


def is_made_of(text: str, whole: Sequence[str]) -> bool:
    """Return whether a text is these parts without some of them, with a mark for each run of those."""
    parts = [part.strip() for part in whole]

    @cache
    def fits(rest: str, at: int) -> bool:
        rest = rest.lstrip()
        if not rest or at == len(parts):
            return not rest and at == len(parts)
        if rest.startswith(parts[at]) and fits(rest[len(parts[at]) :], at + 1):
            return True
        left_out = rest.startswith(ELLIPSIS)
        return left_out and any(
            fits(rest[len(ELLIPSIS) :], after) for after in range(at + 1, len(parts) + 1)
        )

    return fits(text, 0)
