"""Tables of separated values, taken apart into the same frames as JSON arrays."""

from __future__ import annotations

import re
from functools import cache

from headroom_core.tables.frame import SEPARATORS, Column, Frame
from headroom_core.tables.header import Field
from headroom_core.text.exact_json import Value

_MIN_ROWS = 5
_REGULAR_SHARE = 0.9
_SAMPLE_ROWS = 20
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_JSON_OR_MARKUP = ("[", "{", "<")


def parse_csv(text: str) -> tuple[Frame, str] | None:
    """Take a text of separated values apart.

    Returns:
        The frame and what stands behind it (line ends), or None when the text is not a table.
    """
    body = text.rstrip("\r\n")
    if body.count("\n") < _MIN_ROWS or body.startswith(_JSON_OR_MARKUP):
        return None
    lines = body.split("\n")
    crlf = lines[0].endswith("\r")
    if crlf:
        if not all(line.endswith("\r") for line in lines[:-1]):
            return None
        lines = [line.removesuffix("\r") for line in lines]
    for separator in SEPARATORS:
        if frame := _frame(lines, separator, crlf):
            return frame, text[len(body) :]
    return None


def _frame(lines: list[str], separator: str, crlf: bool) -> Frame | None:
    names = _plausible_header(lines, separator)
    if names is None:
        return None
    records = join_records(lines)
    rows = [split_record(record, separator) for record in records]
    regular = [at for at, row in enumerate(rows[1:]) if len(row) == len(names)]
    if (
        len(rows) <= _MIN_ROWS
        or len(rows[0]) != len(names)
        or len(regular) < _REGULAR_SHARE * (len(rows) - 1)
    ):
        return None
    columns = [
        Column((unquote_cell(name),), Field(name), [_value(cell) for cell in cells], list(cells))
        for name, cells in zip(names, zip(*[rows[1 + at] for at in regular]))
    ]
    fields = [column.field for column in columns]
    source: list[Value] = list(records[1:])
    return Frame(
        source, source, fields, columns, regular, form="csv", separator=separator, crlf=crlf
    )


def _plausible_header(lines: list[str], separator: str) -> list[str] | None:
    """Return the names of the columns, or None when the first lines do not look like a table."""
    records = join_records(lines[:_SAMPLE_ROWS])
    widths = [len(split_record(record, separator)) for record in records[:-1]]
    names = split_record(records[0], separator)
    looks_named = len(names) >= 2 and all(
        name.strip() and not _NUMBER.fullmatch(name) for name in names
    )
    return (
        names if looks_named and len(set(widths)) == 1 and len(set(names)) == len(names) else None
    )


def join_records(lines: list[str]) -> list[str]:
    """Return the records of the lines: a quoted cell may go on over several of them."""
    if not any('"' in line for line in lines):
        return lines
    records: list[str] = []
    open_lines: list[str] = []
    for line in lines:
        odd = line.count('"') % 2
        if open_lines or odd:
            open_lines.append(line)
            if odd and len(open_lines) > 1:
                records.append("\n".join(open_lines))
                open_lines = []
        else:
            records.append(line)
    return [*records, "\n".join(open_lines)] if open_lines else records


@cache
def _cell_pattern(separator: str) -> re.Pattern[str]:
    sign = re.escape(separator)
    return re.compile(rf'((?:"(?:[^"]|"")*")|[^{sign}"]*)(?:{sign}|\Z)')


def split_record(record: str, separator: str) -> list[str]:
    """Return the cells of a record as they stand, quotes included; no cells when the quotes are odd."""
    if '"' not in record:
        return record.split(separator)
    cells: list[str] = []
    pattern, at = _cell_pattern(separator), 0
    while found := pattern.match(record, at):
        cells.append(found[1])
        at = found.end()
        if found.end(1) == at:
            return cells
    return []


def unquote_cell(cell: str) -> str:
    """Return what a cell says."""
    return cell[1:-1].replace('""', '"') if cell.startswith('"') and len(cell) > 1 else cell


def _value(cell: str) -> Value:
    text = unquote_cell(cell)
    if not text:
        return None
    return (text,) if _NUMBER.fullmatch(text) else text
