"""Parse delimiter-separated values into the same frames as JSON arrays."""

from __future__ import annotations

import re
from functools import cache

from headroom_core.tables.frame import SEPARATORS, Column, Frame
from headroom_core.tables.header import Field
from headroom_core.text.exact_json import Value

# Fewer records are weak evidence of a table.
MIN_CSV_RECORDS = 5
# The share of records that must have as many cells as the header. The rest are written as they are.
_MIN_REGULAR_SHARE = 0.9
# The lines that are parsed to test a separator, before all of the text is.
_SAMPLE_LINES = 20
# A decimal number. Must not match identifiers or dates that only contain digits.
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_JSON_OR_MARKUP_STARTS = ("[", "{", "<")


def parse_csv(text: str) -> tuple[Frame, str] | None:
    """Parse a text of delimiter-separated values.

    Returns:
        The frame and the line ends at the end of the text, or None if the text is not a table.
    """
    body = text.rstrip("\r\n")
    if body.count("\n") < MIN_CSV_RECORDS or body.startswith(_JSON_OR_MARKUP_STARTS):
        return None
    lines = body.split("\n")
    has_crlf = lines[0].endswith("\r")
    if has_crlf:
        if not all(line.endswith("\r") for line in lines[:-1]):
            return None
        lines = [line.removesuffix("\r") for line in lines]
    for separator in SEPARATORS:
        frame = _parse_lines(lines, separator, has_crlf)
        if frame:
            return frame, text[len(body) :]
    return None


def _parse_lines(lines: list[str], separator: str, has_crlf: bool) -> Frame | None:
    names = _read_plausible_header(lines, separator)
    if names is None:
        return None
    records = join_records(lines)
    rows = [split_record(record, separator) for record in records]
    regular_rows = [index for index, row in enumerate(rows[1:]) if len(row) == len(names)]
    if (
        len(rows) <= MIN_CSV_RECORDS
        or len(rows[0]) != len(names)
        or len(regular_rows) < _MIN_REGULAR_SHARE * (len(rows) - 1)
    ):
        return None
    columns = [
        Column((unquote_cell(name),), Field(name), [_parse_cell(cell) for cell in cells], [*cells])
        for name, cells in zip(names, zip(*[rows[1 + index] for index in regular_rows]))
    ]
    source: list[Value] = list(records[1:])
    return Frame(
        source=source,
        rows=source,
        fields=[column.field for column in columns],
        columns=columns,
        regular_rows=regular_rows,
        form="csv",
        separator=separator,
        has_crlf=has_crlf,
    )


def _read_plausible_header(lines: list[str], separator: str) -> list[str] | None:
    """Return the names of the columns, or None if the first lines do not look like a table."""
    records = join_records(lines[:_SAMPLE_LINES])
    # The sample may end within a record, so the last one does not count.
    widths = {len(split_record(record, separator)) for record in records[:-1]}
    names = split_record(records[0], separator)
    if len(names) < 2 or len(widths) != 1 or len(set(names)) != len(names):
        return None
    are_names = all(name.strip() and not _NUMBER.fullmatch(name) for name in names)
    return names if are_names else None


def join_records(lines: list[str]) -> list[str]:
    """Join lines into records: a quoted cell may span several lines."""
    if not any('"' in line for line in lines):
        return lines
    records: list[str] = []
    open_lines: list[str] = []
    for line in lines:
        # An odd number of quotes opens or closes a cell; a doubled quote inside a cell is even.
        toggles_quote = line.count('"') % 2 == 1
        if not open_lines and not toggles_quote:
            records.append(line)
            continue
        closes_record = bool(open_lines) and toggles_quote
        open_lines.append(line)
        if closes_record:
            records.append("\n".join(open_lines))
            open_lines = []
    if open_lines:
        records.append("\n".join(open_lines))
    return records


@cache
def _compile_cell_pattern(separator: str) -> re.Pattern[str]:
    # A cell, quoted or without any quote, and the separator or the end that follows it. Must not
    # match a quoted cell with text after its closing quote.
    sign = re.escape(separator)
    return re.compile(rf'((?:"(?:[^"]|"")*")|[^{sign}"]*)(?:{sign}|\Z)')


def split_record(record: str, separator: str) -> list[str]:
    """Split a record into its cells, quotes included; return no cells if quotes do not match."""
    if '"' not in record:
        return record.split(separator)
    cells: list[str] = []
    pattern = _compile_cell_pattern(separator)
    position = 0
    while match := pattern.match(record, position):
        cells.append(match[1])
        position = match.end()
        # A cell without a separator after it is the last.
        if match.end(1) == position:
            return cells
    return []


def unquote_cell(cell: str) -> str:
    """Return the text of a cell without its quotes."""
    if cell.startswith('"') and len(cell) > 1:
        return cell[1:-1].replace('""', '"')
    return cell


def _parse_cell(cell: str) -> Value:
    text = unquote_cell(cell)
    if not text:
        return None
    return (text,) if _NUMBER.fullmatch(text) else text
