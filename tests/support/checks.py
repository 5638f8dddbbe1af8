"""Checks of compressed documents that do not use the code under test."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any

import pytest
from documents import Document, JSONPiece

from headroom_core.errors import ConfigurationError
from headroom_core.tables.csv.records import join_records
from headroom_core.tables.reader import ParsedTable, read_tables
from headroom_core.text.exact_json import Value, fingerprint, parse, scan
from headroom_core.text.sentences import ELLIPSIS


def has_same_values(text: str, document: Document) -> bool:
    """Return whether a text has the JSON values of a document and exactly the text around them."""
    index = 0
    for piece in document.pieces:
        if isinstance(piece, str):
            if not text.startswith(piece, index):
                return False
            index += len(piece)
            continue
        value, index = scan(text, index)
        if fingerprint(value) != fingerprint(piece.value):
            return False
    return index == len(text)


def verbatim_values(value: Value) -> Iterator[str]:
    """Yield the numbers, and the strings of at least 4 characters that JSON need not escape."""
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
            yield from verbatim_values(item)


def arrays_in(value: Value) -> Iterator[list[Value]]:
    """Yield every array of a value, and the entries of every object."""
    if isinstance(value, (dict, list)):
        items = list(value.values() if isinstance(value, dict) else value)
        yield items
        for item in items:
            yield from arrays_in(item)


_MARKER = re.compile(
    r"\[headroom: (\d+) of (\d+) (\w+) left out here.*; original intact: "
    r'headroom_retrieve\(key="(\w{24})".*\)\]\n'
)


def assert_rows_shown(text: str, arrays: Sequence[list[Value]], key: str) -> int:
    """Check that tables show whole rows with their numbers, and that markers count the others.

    Returns:
        The number of omitted rows.
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
    source = next((rows for rows in arrays if _table_matches(table, rows)), None)
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
        lists = [_nested_list(row, path) for row in source]
        assert child.parents is not None
        for row, parent in zip(child.rows, child.parents):
            assert any(_row_matches(row, item, child) for item in lists[parent])
        # Rows that do not fit the columns keep their lists. The table does not show which.
        candidates = [
            [item for items, fits in zip(lists, fitting) if fits for item in items]
            for fitting in _possible_fits(source)
        ]
        left_out += _left_out(text, child, following, candidates, key)
    return left_out


def _possible_fits(source: list[Value]) -> Iterator[list[bool]]:
    """Yield the possible sets of rows that fit the columns; rows with the same keys fit alike."""
    shapes = list(dict.fromkeys(tuple(row) for row in source if isinstance(row, dict)))
    for fits_columns in product((True, False), repeat=len(shapes)):
        fits = dict(zip(shapes, fits_columns))
        yield [isinstance(row, dict) and fits[tuple(row)] for row in source]


def _table_matches(table: ParsedTable, source: list[Value]) -> bool:
    numbers = range(len(source)) if table.numbers is None else table.numbers
    if (
        table.total != len(source)
        or len(table.rows) != len(numbers)
        or list(numbers) != sorted(set(numbers))
    ):
        return False
    return all(_row_matches(row, source[number], table) for row, number in zip(table.rows, numbers))


def _row_matches(row: Value, source: Value, table: ParsedTable) -> bool:
    source = with_counts = _open_strings(source, row)
    for path in table.nested:
        with_counts = _with_item_count(with_counts, path)
    return fingerprint(row) in (fingerprint(source), fingerprint(with_counts))


def _open_strings(source: Value, row: Value) -> Value:
    """Return a row of a document with an object for each string that a table shows as one."""
    if not isinstance(source, dict) or not isinstance(row, dict):
        return source
    return {
        key: _open(value) if isinstance(row.get(key), dict) else value
        for key, value in source.items()
    }


def _open(value: Value) -> Value:
    """Return the object that a string holds, or the value if it is anything else."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        return parse(value)
    except ValueError:
        return value


def _nested_list(row: Value, path: tuple[str, ...]) -> list[Value]:
    for name in path:
        row = _open(row.get(name)) if isinstance(row, dict) else None
    return row if isinstance(row, list) else []


def _with_item_count(row: Value, path: tuple[str, ...]) -> Value:
    if not path:
        return (f"+{len(row)}",) if isinstance(row, list) and row else row
    if not isinstance(row, dict) or path[0] not in row:
        return row
    return {**row, path[0]: _with_item_count(row[path[0]], path[1:])}


def json_arrays(document: Document, shortened: str) -> list[list[Value]]:
    """Return what may be the rows of the tables that a document was shortened to.

    A text of several values may be one table in part only, because an empty object or a scalar
    stands between the rows, so that any neighbouring values may be rows. Such a value between the
    rows of a table may also be a line of text in it.
    """
    values = document.values
    pieces = [piece for piece in document.pieces if isinstance(piece, JSONPiece)]
    lines = [
        piece.value if isinstance(piece.value, dict) and piece.value else piece.text
        for piece in pieces
    ]
    totals = {table.total for table in read_tables(shortened)}
    starts = [(start, total) for total in totals for start in range(len(values) - total + 1)]
    parts = [rows[start : start + total] for rows in (values, lines) for start, total in starts]
    return [*arrays_in(values), *parts]


def csv_arrays(text: str, shortened: str) -> list[list[Value]]:
    """Return what may be the records of the tables that separated values were shortened to.

    Separators differ, and blank lines and notes may stand before, between and below the tables, so
    that any neighbouring lines may be the records of a table, if they are as many.
    """
    totals = {table.total for table in read_tables(shortened)}
    arrays: list[list[Value]] = []
    for separator in ",\t;|":
        records = list(join_records(text.rstrip("\r\n").split("\n"), separator))
        if all(record.endswith("\r") for record in records[:-1]):
            records = [record.removesuffix("\r") for record in records]
        for lines in (records, [record for record in records if record.strip()]):
            starts = [(start, total) for total in totals for start in range(len(lines) - total + 1)]
            arrays += [list(lines[start : start + total]) for start, total in starts]
    return arrays


def text_at(messages: Sequence[Any], message: int, path: Sequence[str | int]) -> str:
    """Return the text at the path of a change, as compact JSON for the input of a call."""
    value = messages[message]
    for key in path:
        value = value[key]
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    )


async def count_loop_steps(work: Awaitable[Any]) -> int:
    """Return the number of steps of the event loop until work is done that returns a value."""
    done, steps = asyncio.ensure_future(work), 0
    while not done.done():
        await asyncio.sleep(0.001)
        steps += 1
    assert await done
    return steps


def assert_rejected(component: Callable[..., Any], name: str, value: Any) -> None:
    """Assert that a component rejects a value at construction and at assignment."""
    instance = component()
    before = getattr(instance, name)
    for setting in (lambda: component(**{name: value}), lambda: setattr(instance, name, value)):
        with pytest.raises(
            ConfigurationError, match=rf"^{type(instance).__name__}\.{name} = .+: .+"
        ) as caught:
            setting()
        assert caught.value.details[name]["value"] is value
        assert getattr(instance, name) == before


def is_made_of(text: str, whole: Sequence[str]) -> bool:
    """Return whether a text consists of some of the parts, with an ellipsis for each gap."""
    parts = [part.strip() for part in whole]

    @cache
    def fits(rest: str, index: int) -> bool:
        rest = rest.lstrip()
        if not rest or index == len(parts):
            return not rest and index == len(parts)
        if rest.startswith(parts[index]) and fits(rest[len(parts[index]) :], index + 1):
            return True
        left_out = rest.startswith(ELLIPSIS)
        return left_out and any(
            fits(rest[len(ELLIPSIS) :], after) for after in range(index + 1, len(parts) + 1)
        )

    return fits(text, 0)
