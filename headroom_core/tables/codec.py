"""Split texts and values into frames and the text between them, and put them together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headroom_core.tables.csv.parse import parse_csv
from headroom_core.tables.escapes import escape_headers, unescape_headers
from headroom_core.tables.frame import Frame
from headroom_core.tables.json_strings import build_opened_frame
from headroom_core.tables.notation import notation_of
from headroom_core.tables.reader import ParsedTable, TableReadError, has_table, read_tables
from headroom_core.tables.restore import (
    describe_layout,
    restore_header_row,
    restore_members,
    restore_rows,
)
from headroom_core.tables.strings import STRING_END, STRING_START, close_strings
from headroom_core.tables.table_names import name_tables, walk_frames
from headroom_core.tables.values import TextPart, merge_strings, parse_value
from headroom_core.tables.writer import write_table
from headroom_core.text.exact_json import Value, fingerprint
from headroom_core.text.json_runs import JSONSpan
from headroom_core.text.json_spans import find_json, find_string
from headroom_core.text.spelling import COMPACT, guess_spelling

# Strings in strings in strings: deeper, each escape is written with so many backslashes that no
# program does it.
_MAX_STRING_DEPTH = 8
# A text is data if this share of it is. In documentation and code, shorter JSON is an example.
_MIN_DATA_SHARE = 0.5
_MIN_CHARACTERS_IN_TEXT = 1_000
_TABLE_START = "[table "


def parse_text(text: str, *, is_declared: bool = False) -> list[TextPart] | None:
    """Split a text into its JSON and tables as frames and the text between them.

    Args:
        text: The text.
        is_declared: Whether the text is said to be separated values, which then need less evidence.

    Returns:
        The parts, or None if the text has no JSON and is not a table.
    """
    has_start, has_end = STRING_START in text, STRING_END in text
    if has_start and has_end:
        return None  # It would not be decoded to itself.
    if has_table(text):
        return None  # It was shortened before, and must stay the same.
    # Where one of the signs stands in the text, no string may bring the other.
    depth = _MAX_STRING_DEPTH if has_start or has_end else 0
    parts = _TextReader(depth, is_declared=is_declared).read(text)
    name_tables([part for part in parts or () if isinstance(part, Frame)])
    return parts


class _TextReader:
    """Reader of a text, or of a string at a depth of strings within it.

    Args:
        depth: Number of strings around the text. If there are any, its tables must decode to the
            very text, as whitespace is part of a string.
    """

    def __init__(self, depth: int = 0, *, is_declared: bool = False) -> None:
        self._depth = depth
        self._is_declared = is_declared

    def read(self, text: str) -> list[TextPart] | None:
        """Return the parts of a text, or None if it has no JSON and is not a table."""
        spans = _drop_examples(find_json(text), len(text))
        if spans:
            return merge_strings(self._split_at_spans(text, spans))
        string = find_string(text)
        if string:
            parts = merge_strings(self._split_at_spans(text, [string]))
            return parts if any(isinstance(part, Frame) for part in parts) else None
        parsed = parse_csv(text, is_declared=self._is_declared)
        return None if parsed is None else merge_strings(parsed)

    def _split_at_spans(self, text: str, spans: list[JSONSpan]) -> Iterator[TextPart]:
        position = 0
        for span in spans:
            yield text[position : span.start]
            yield from self._parse_span(span, text)
            position = span.end
        yield text[position:]

    def _parse_span(self, span: JSONSpan, text: str) -> list[TextPart]:
        """Split the value of a span, or return its text if the value is nested too deeply."""
        source = text[span.start : span.end]
        spelling = guess_spelling(source) if self._depth and not span.is_python else COMPACT
        try:
            if span.form == "value":
                return parse_value(
                    span.value,
                    is_python=span.is_python,
                    spelling=spelling,
                    read_string=self._read_string,
                )
            frame = build_opened_frame(span.value, span.form)
        except (RecursionError, ValueError):
            return [source]
        frame.is_python, frame.style, frame.spelling = span.is_python, span.style, spelling
        return [frame]

    def _read_string(self, text: str) -> list[TextPart] | None:
        """Return the parts of the text of a string if they have a table and give the very text."""
        if STRING_END in text or self._depth >= _MAX_STRING_DEPTH:
            return None
        parts = _TextReader(self._depth + 1).read(text)
        if parts is None or not any(isinstance(part, Frame) for part in parts):
            return None
        restored = close_strings(
            "".join(
                part if isinstance(part, str) else render_source(part, part.source)
                for part in parts
            )
        )
        return parts if restored == text else None


def _drop_examples(spans: list[JSONSpan], size: int) -> list[JSONSpan]:
    """Return the spans without the short ones in a text that is mostly something else."""
    sizes = [span.end - span.start for span in spans]
    if sum(sizes) >= _MIN_DATA_SHARE * size:
        return spans
    return [span for span, length in zip(spans, sizes) if length >= _MIN_CHARACTERS_IN_TEXT]


def render_lossless(parts: list[TextPart]) -> str | None:
    """Render parts in the shortest form without loss.

    Returns:
        The text, or None if it does not decode to the parts.
    """
    forms = [part if isinstance(part, str) else render_lossless_frame(part) for part in parts]
    tables = [
        part for part, form in zip(parts, forms) if not isinstance(part, str) and is_table(form)
    ]
    # A text without a table is not escaped: nothing in it would tell a reader that it is.
    text = "".join(map(_escape_part, parts, forms) if tables else forms)
    return text if _round_trips(text, tables) else None


def render_part(part: TextPart) -> str:
    """Render a part without loss. Nothing but a table begins like one."""
    return _escape_part(part, part if isinstance(part, str) else render_lossless_frame(part))


def _escape_part(part: TextPart, form: str) -> str:
    return form if not isinstance(part, str) and is_table(form) else escape_headers(form)


def is_table(form: str) -> bool:
    """Return whether the form of a frame is a table."""
    return form.startswith(_TABLE_START)


def render_lossless_frame(frame: Frame) -> str:
    """Render a frame as a table or in the notation of its source, whichever is shorter."""
    # A list of scalars has no keys to save, so its table is never shorter.
    if frame.form == "csv" or not frame.is_scalar:
        table = "".join(write_table(item, title=item.title) for item in walk_frames(frame))
        source = render_source(frame, frame.source) if frame.is_rearranged else ""
        if len(table) < (len(source) or frame.json_size):
            return table
    return render_source(frame, frame.source)


def render_source(frame: Frame | ParsedTable, rows: list[Value]) -> str:
    """Render rows in the notation of the source."""
    if frame.form == "csv":
        return frame.layout.write(rows)
    notation = notation_of(frame.is_python, frame.spelling)
    rows = restore_rows(rows, frame.fields)
    if frame.form == "object":
        return notation.dumps(dict(zip(frame.keys or (), rows)))
    if frame.form == "columns":
        return notation.dumps(restore_members(rows, frame.fields, frame.keys))[1:-1]
    if frame.form == "headed":
        return notation.dumps([restore_header_row(frame.fields), *rows])
    if frame.form == "lines":
        return frame.style.render(rows, notation.dumps)
    if frame.form == "items":
        return notation.comma.join(map(notation.dumps, rows))
    return notation.dumps(rows)


def _round_trips(text: str, frames: list[Frame]) -> bool:
    """Return whether the tables of a text decode to the sources of the frames."""
    try:
        tables = read_tables(text)
        for frame in frames:
            table = next(tables)
            if not _describes(table, frame):
                return False
            rows, _ = _restore_lists(table, tables)
            if fingerprint(rows) != fingerprint(frame.source):
                return False
        return next(tables, None) is None
    except (TableReadError, StopIteration):
        return False


def _describes(table: ParsedTable, frame: Frame) -> bool:
    return (
        table.total == len(table.rows)
        and table.keys == frame.keys
        and table.form == frame.form
        and table.is_python == frame.is_python
        and (
            not frame.is_rearranged
            or describe_layout(table.fields) == describe_layout(frame.fields)
        )
        and table.style == frame.style
        and (frame.is_python or table.spelling == frame.spelling)
    )


def selection_round_trips(text: str, written: list[tuple[Frame, Sequence[int] | None]]) -> bool:
    """Return whether the tables of a text decode to the kept rows of the frames.

    Args:
        text: The text with the tables.
        written: The frame of each table and the indices of its kept rows, None for all.
    """
    try:
        tables = list(read_tables(text))
    except TableReadError:
        return False
    return len(tables) == len(written) and all(
        _holds_rows(table, frame, kept) for table, (frame, kept) in zip(tables, written)
    )


def _holds_rows(table: ParsedTable, frame: Frame, kept: Sequence[int] | None) -> bool:
    indices = list(range(len(frame.rows)) if kept is None else kept)
    keys = None if frame.keys is None else [frame.keys[index] for index in indices]
    parents = None if frame.parents is None else [frame.parents[index] for index in indices]
    return (
        fingerprint(table.rows) == fingerprint([frame.rows[index] for index in indices])
        and (table.numbers is None or table.numbers == indices)
        and table.keys == keys
        and table.parents == parents
    )


def _restore_lists(table: ParsedTable, following: Iterator[ParsedTable]) -> tuple[list[Value], int]:
    """Put the items of nested lists, which are in the tables that follow, back into the rows.

    Returns:
        The rows, and the index in the text after the last table that was read.
    """
    rows, end = table.rows, table.end
    for path in table.nested:
        child_rows, end = _restore_lists(next(following), following)
        items = iter(child_rows)
        rows = [_fill_list(row, path, items) for row in rows]
        if next(items, None) is not None:
            raise TableReadError("a table has more rows than the lists that they belong to")
    return rows, end


def _fill_list(row: Value, path: tuple[str, ...], items: Iterator[Value]) -> Value:
    """Replace the count at a path by that many of the next items."""
    if not path:
        # Numbers of JSON have no plus sign: only counts do.
        if type(row) is not tuple or not row[0].startswith("+"):
            return row
        return [next(items) for _ in range(int(row[0][1:]))]
    if type(row) is not dict or path[0] not in row:
        return row
    return {**row, path[0]: _fill_list(row[path[0]], path[1:], items)}


def decode_table(text: str) -> str:
    """Decode the tables in a text to the notation that they were made from.

    Numbers, the characters of strings and the order of keys are restored exactly. Whitespace
    between JSON tokens is not, nor are escapes that JSON does not require: `\\u0027` becomes an
    apostrophe, and `\\/` a slash. Python literals are restored byte for byte.

    Args:
        text: A text with any number of lossless tables.

    Raises:
        ValueError: If a table is malformed, or some of its rows were left out; `retrieve` returns
            the original. The message names the row of a cell that is too many or cannot be read.

    Example:
        >>> decode_table("[table 2 rows; empty = null: id,name]\\n1,Elbe\\n2,\\n")
        '[{"id":1,"name":"Elbe"},{"id":2,"name":null}]'
    """
    try:
        return _decode_tables(text)
    except StopIteration:
        raise TableReadError(
            "a table counts items of lists, but their own tables are missing or too short"
        ) from None


def _decode_tables(text: str) -> str:
    pieces: list[str] = []
    position = 0
    tables = read_tables(text)
    for table in tables:
        dropped = table.total - len(table.rows)
        if dropped:
            raise ValueError(
                f"{dropped} of {table.total} rows were left out of a table: "
                "retrieve the original to restore them"
            )
        pieces.append(unescape_headers(text[position : table.start]))
        rows, position = _restore_lists(table, tables)
        pieces.append(render_source(table, rows))
    # A text without a table was not escaped.
    rest = text[position:]
    pieces.append(unescape_headers(rest) if position else rest)
    return close_strings("".join(pieces))
