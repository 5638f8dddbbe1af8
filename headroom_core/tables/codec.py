"""Texts with arrays in them, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from headroom_core.tables.csv import parse_csv
from headroom_core.tables.frame import Frame, frame_of
from headroom_core.tables.reader import ParsedTable, TableReadError, read_tables
from headroom_core.tables.writer import write_table
from headroom_core.text import python_literal
from headroom_core.text.exact_json import Value, dumps, fingerprint, quote
from headroom_core.text.json_spans import JSONSpan, find_json

Part = str | Frame

_TABLE_FROM_ROWS = 2
_WHOLE_FROM_ROWS = 5
_SCALARS_FROM_ITEMS = 5
_MAP_FROM_ENTRIES = 5
_MAP_FROM_FILL = 0.5
_MOSTLY = 0.5


class Syntax(NamedTuple):
    """How values are written around and in place of tables: as compact JSON, or as Python does."""

    dumps: Callable[[Value], str]
    quote: Callable[[str], str]
    comma: str
    colon: str


_JSON, _PYTHON = Syntax(dumps, quote, ",", ":"), Syntax(python_literal.dumps, repr, ", ", ": ")


def _syntax(python: bool) -> Syntax:
    return _PYTHON if python else _JSON


def parse_text(text: str) -> list[Part] | None:
    """Return a text with its JSON and its tables as frames, or None when it holds neither."""
    if spans := find_json(text):
        return _merged(_around(text, spans))
    if found := parse_csv(text):
        frame, rest = found
        return [frame, rest]
    return None


def _around(text: str, spans: list[JSONSpan]) -> Iterator[Part]:
    """Yield the text between the spans, and what stands in them."""
    at = 0
    for span in spans:
        yield text[at : span.start]
        yield from _span_taken(span, text)
        at = span.end
    yield text[at:]


def _span_taken(span: JSONSpan, text: str) -> list[Part]:
    """Return what stands at a place in a text, as it stands there where that is nested too deeply."""
    try:
        if not span.is_json_lines:
            return parse_value(span.value, python=span.is_python)
        frame = frame_of(span.value, "lines")
    except (RecursionError, ValueError):
        return [text[span.start : span.end]]
    frame.python = span.is_python
    return [frame]


def parse_value(value: Value, *, python: bool = False) -> list[Part]:
    """Return a value's compact JSON, or what Python writes, with its arrays of rows as frames."""
    parts: list[Part] = []
    _take_apart(value, parts, python)
    return _merged(parts)


def _take_apart(value: Value, parts: list[Part], python: bool) -> None:
    syntax = _syntax(python)
    if frame := _frame(value):
        frame.python = python
        parts.append(frame)
    elif type(value) is dict:
        sign = "{"
        for key, item in value.items():
            parts.append(f"{sign}{syntax.quote(key)}{syntax.colon}")
            _take_apart(item, parts, python)
            sign = syntax.comma
        parts.append("}" if value else "{}")
    elif type(value) is list:
        sign = "["
        for item in value:
            parts.append(sign)
            _take_apart(item, parts, python)
            sign = syntax.comma
        parts.append("]" if value else "[]")
    else:
        parts.append(syntax.dumps(value))


def _frame(value: Value) -> Frame | None:
    if type(value) is list:
        if len(value) < _WHOLE_FROM_ROWS and _mostly_nested(value):
            return None
        objects = sum(type(item) is dict for item in value)
        if objects >= max(_TABLE_FROM_ROWS, _MOSTLY * len(value)):
            return frame_of(value)
        if (
            objects == 0
            and len(value) >= _SCALARS_FROM_ITEMS
            and not any(map(_holds_containers, value))
        ):
            return frame_of(value)
    if type(value) is dict and len(value) >= _MAP_FROM_ENTRIES and _is_map(list(value.values())):
        return frame_of(list(value.values()), "object", keys=list(value))
    return None


def _mostly_nested(items: list[Value]) -> bool:
    """Return whether a few items are little more than what holds longer lists."""
    nested = sum(len(fingerprint(found)) for found in _lists_of_objects(items))
    return nested > _MOSTLY * len(fingerprint(items))


def _lists_of_objects(items: Iterable[Value]) -> Iterator[list[Value]]:
    for item in items:
        if type(item) is list and len(item) >= _WHOLE_FROM_ROWS and type(item[0]) is dict:
            yield item
        elif isinstance(item, (dict, list)):
            yield from _lists_of_objects(item.values() if isinstance(item, dict) else item)


def _holds_containers(item: Value) -> bool:
    return type(item) is list and any(type(inner) in (dict, list) for inner in item)


def _is_map(entries: list[Value]) -> bool:
    """Return whether objects are alike enough to be the rows of one table."""
    if not all(type(entry) is dict and entry for entry in entries):
        return False
    names = {name for entry in entries for name in entry}
    return sum(map(len, entries)) >= _MAP_FROM_FILL * len(names) * len(entries)


def _merged(parts: Iterable[Part]) -> list[Part]:
    """Return the parts with neighbouring strings joined."""
    merged: list[Part] = []
    pending: list[str] = []
    for part in parts:
        if isinstance(part, str):
            pending.append(part)
            continue
        merged += ["".join(pending), part]
        pending = []
    return [*merged, "".join(pending)]


def render_lossless(parts: list[Part]) -> str | None:
    """Return the shortest form that says all that the parts do, None when it does not read back."""
    written = [part if isinstance(part, str) else render_lossless_frame(part) for part in parts]
    text = "".join(written)
    tables = [
        part
        for part, form in zip(parts, written)
        if isinstance(part, Frame) and form.startswith("[table ")
    ]
    return text if _reads_back(text, tables) else None


def render_lossless_frame(frame: Frame) -> str:
    """Return the shorter of a frame's table and the form that it stood in."""
    if frame.form == "csv" or not frame.scalar:
        table = "".join(write_table(item) for item in walk_frames(frame))
        if len(table) < frame.json_size:
            return table
    return render_source(frame, frame.source)


def render_source(frame: Frame | ParsedTable, rows: list[Value]) -> str:
    """Return rows in the form that they stood in."""
    write = _syntax(frame.python).dumps
    if frame.form == "object":
        return write(dict(zip(frame.keys or (), rows)))
    if frame.form == "csv":
        text = "\n".join([frame.head, *rows])
        return text.replace("\n", "\r\n") if frame.crlf else text
    return "\n".join(map(write, rows)) if frame.form == "lines" else write(rows)


def walk_frames(frame: Frame) -> Iterator[Frame]:
    yield frame
    for child in frame.children:
        yield from walk_frames(child)


def _reads_back(text: str, frames: list[Frame]) -> bool:
    """Return whether the text's tables are the frames, and hold what they came from."""
    try:
        tables = read_tables(text)
        for frame in frames:
            table = next(tables)
            whole = table.total == len(table.rows) and table.keys == frame.keys
            alike = table.form == frame.form and table.python == frame.python
            if not (whole and alike) or fingerprint(_whole(table, tables)[0]) != fingerprint(
                frame.source
            ):
                return False
        return next(tables, None) is None
    except (TableReadError, StopIteration):
        return False


def selection_round_trips(text: str, written: list[tuple[Frame, Sequence[int] | None]]) -> bool:
    """Return whether the text's tables are the frames' rows that were kept, None standing for all."""
    try:
        tables = list(read_tables(text))
    except TableReadError:
        return False
    return len(tables) == len(written) and all(
        _holds(table, frame, kept) for table, (frame, kept) in zip(tables, written)
    )


def _holds(table: ParsedTable, frame: Frame, kept: Sequence[int] | None) -> bool:
    rows = list(range(len(frame.rows)) if kept is None else kept)
    return (
        fingerprint(table.rows) == fingerprint([frame.rows[row] for row in rows])
        and (table.numbers is None or table.numbers == rows)
        and table.keys == (None if frame.keys is None else [frame.keys[row] for row in rows])
        and table.parents
        == (None if frame.parents is None else [frame.parents[row] for row in rows])
    )


def _whole(table: ParsedTable, following: Iterator[ParsedTable]) -> tuple[list[Value], int]:
    """Return the table's rows with the items of their lists, and where the last table read ends.

    The items stand in the tables that follow.
    """
    rows, end = table.rows, table.end
    for path in table.nested:
        child_rows, end = _whole(next(following), following)
        items = iter(child_rows)
        rows = [_filled(row, path, items) for row in rows]
        if next(items, None) is not None:
            raise TableReadError("a table has more rows than the lists that they belong to")
    return rows, end


def _filled(row: Value, path: tuple[str, ...], items: Iterator[Value]) -> Value:
    if not path:
        return [next(items) for _ in range(int(row[0][1:]))] if type(row) is tuple else row
    if type(row) is not dict or path[0] not in row:
        return row
    return {**row, path[0]: _filled(row[path[0]], path[1:], items)}


def decode_table(text: str) -> str:
    """Return the text with its tables turned back into what they were made from.

    Numbers, strings, key order and everything else come back as they were; whitespace between JSON
    tokens does not. What Python wrote comes back byte for byte.

    Args:
        text: a lossless form, or a text with some in it.

    Raises:
        ValueError: a table is broken, or rows were left out of it, which `retrieve` brings back.

    Example:
        >>> decode_table("[table 2 rows; empty = null: id,name]\\n1,Elbe\\n2,\\n")
        '[{"id":1,"name":"Elbe"},{"id":2,"name":null}]'
    """
    try:
        return _decoded(text)
    except StopIteration:
        raise TableReadError(
            "a table counts items of lists that belong to further tables, and there are none below"
        ) from None


def _decoded(text: str) -> str:
    pieces: list[str] = []
    at = 0
    tables = read_tables(text)
    for table in tables:
        if table.total != len(table.rows):
            left_out = table.total - len(table.rows)
            raise ValueError(
                f"{left_out} of {table.total} rows were left out of a table: retrieve the original"
            )
        pieces.append(text[at : table.start])
        rows, at = _whole(table, tables)
        pieces.append(render_source(table, rows))
    return "".join([*pieces, text[at:]])
