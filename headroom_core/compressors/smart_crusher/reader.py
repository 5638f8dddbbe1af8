"""Reads tables back, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from headroom_core.compressors.exact_json import Value, parse, scan
from headroom_core.compressors.smart_crusher.csv_frame import joined_records, split_record
from headroom_core.compressors.smart_crusher.frame import LOOKS_TYPED, SEPARATORS, Form
from headroom_core.compressors.smart_crusher.schema import MISSING, Field, HeaderReader
from headroom_core.compressors.smart_crusher.table import UNITS

_HEADER = re.compile(
    r"\[table (?P<shown>\d+)(?: of (?P<total>\d+))? (?P<unit>rows|entries|lines|records)"
    r"(?P<notes>(?:; (?:[#^@!] = [^;:\n]*|empty = null|~ = no such key|\d+ legend lines?, \*n = line n"
    r"|cells end with \w+|lines end with CRLF))*): "
    r"(?P<signs>(?:#,)?(?:\^,)?(?:@,)?)(?P<fields>[^\n]*)\]\n"
)
_LEGEND_LINES = re.compile(r"; (\d+) legend line")
_ENDS = re.compile(r"; cells end with (\w+)")
_FORMS: dict[str, Form] = {unit: form for form, unit in UNITS.items()}
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}


class NotATable(ValueError):
    """The text looks like a table and is none, or not a whole one."""


@dataclass(slots=True)
class ReadTable:
    """A table as it was read.

    Attributes:
        start: where it begins in the text.
        end: where the text goes on after it.
        total: the number of rows of the array; more than there are here when some were left out.
        form: what the rows stood in.
        rows: the values of the rows that are here; for CSV, their records as they stood.
        numbers: their row numbers, where the table gives them.
        parents: the row numbers in the parent table, where it has one.
        keys: the keys of the entries, where the table stands for an object.
        head: the record above the rows of CSV.
        crlf: whether the lines of CSV ended with a carriage return too.
        nested: the paths at which lists are counted whose items follow in tables of their own.
    """

    start: int
    end: int
    total: int
    form: Form
    rows: list[Value]
    numbers: list[int] | None = None
    parents: list[int] | None = None
    keys: list[str] | None = None
    head: str = ""
    crlf: bool = False
    nested: tuple[tuple[str, ...], ...] = ()


def read_tables(text: str) -> Iterator[ReadTable]:
    """Read the tables in a text, from left to right.

    Raises:
        NotATable: a table's header is not followed by what it announces.
    """
    at = 0
    while found := _HEADER.search(text, at):
        try:
            table = _read(text, found)
        except (ValueError, StopIteration, IndexError, KeyError) as error:
            raise NotATable(f"the table at character {found.start()} cannot be read: {error}") from error
        yield table
        at = table.end


def _read(text: str, header: re.Match[str]) -> ReadTable:
    form = _FORMS[header["unit"]]
    shown = int(header["shown"])
    table = ReadTable(header.start(), header.end(), int(header["total"] or shown), form, [])
    legend_lines = _LEGEND_LINES.search(header["notes"])
    take = _take_records if form == "csv" else _take_lines
    lines, table.end = take(text, table.end, int(legend_lines[1]) if legend_lines else 0)
    legend = dict(line.split(" ", 1) for line in lines)
    lines, table.end = take(text, table.end, shown)
    fields = _read_fields(header["fields"])
    signs = header["signs"].replace(",", "")
    if form == "csv":
        leading = _read_csv(table, fields, legend, lines, header["notes"], len(signs))
    else:
        body = _Rows(fields, legend, len(signs)).read(lines)
        table.rows, leading = body.rows, body.leading
        table.nested = tuple(_nested_paths(fields))
    cells = dict(zip(signs, leading))
    table.numbers = [int(cell) for cell in cells["#"]] if "#" in signs else None
    table.parents = [int(cell) for cell in cells["^"]] if "^" in signs else None
    table.keys = [_key(cell) for cell in cells["@"]] if "@" in signs else None
    return table


def _read_csv(
    table: ReadTable, fields: list[Field], legend: dict[str, str], records: list[str], notes: str, leading: int
) -> list[list[str]]:
    """Fill in the records of a CSV table, and return its leading columns."""
    ends = _ENDS.search(notes)
    separator = next(sign for sign, name in SEPARATORS.items() if name == (ends[1] if ends else "comma"))
    table.crlf = "; lines end with CRLF" in notes
    table.head = separator.join([str(item.name) for item in fields])
    columns: list[list[str]] = [[] for _ in range(leading)]
    varying = sum(item.constant is MISSING for item in fields)
    for record in records:
        *cells, rest = record.split(separator, leading)
        for column, cell in zip(columns, cells):
            column.append(cell)
        if rest.startswith("!"):
            table.rows.append(rest[1:])
            continue
        found = iter([legend.get(cell, cell) for cell in split_record(rest, separator)] if varying else [])
        table.rows.append(separator.join([_csv_cell(item, found) for item in fields]))
        if next(found, None) is not None:
            raise ValueError("a record has more cells than columns are announced")
    return columns


def _csv_cell(item: Field, cells: Iterator[str]) -> str:
    return next(cells) if item.constant is MISSING else str(item.constant)


def _take_records(text: str, start: int, count: int) -> tuple[list[str], int]:
    """Return the records that follow, each of which may be several lines, and where the text goes on."""
    lines = text[start:].split("\n")
    records = joined_records(lines[:-1])[:count]
    if len(records) < count:
        raise ValueError(f"{count} records were announced, {len(records)} follow")
    return records, start + sum(len(record) + 1 for record in records)


def _take_lines(text: str, start: int, count: int) -> tuple[list[str], int]:
    """Return the lines that follow, and where the text goes on behind them."""
    lines = text[start:].split("\n", count) if count else [text[start:]]
    if len(lines) <= count:
        raise ValueError(f"{count} lines were announced, {len(lines) - 1} follow")
    return lines[:count], len(text) - len(lines[count])


def _read_fields(text: str) -> list[Field]:
    reader = HeaderReader(text)
    fields = reader.fields()
    if reader.at != len(text):
        raise ValueError(f"the header has more than its fields: {text[reader.at :][:40]!r}")
    return fields


def _leaves(fields: list[Field]) -> list[Field]:
    return [leaf for item in fields for leaf in (_leaves(item.children) if item.children else [item])]


def _nested_paths(fields: list[Field]) -> Iterator[tuple[str, ...]]:
    for item in fields:
        if item.nested:
            yield (str(item.name),)
        for path in _nested_paths(item.children):
            yield (str(item.name), *path)


def _key(cell: str) -> str:
    return str(parse(cell)) if cell.startswith('"') else cell


class _Rows:
    """Turns lines into rows, column by column."""

    def __init__(self, fields: list[Field], legend: dict[str, str], leading: int) -> None:
        self.fields = fields
        self.legend = legend
        self.width = sum(leaf.constant is MISSING for leaf in _leaves(fields))
        self.leading_width = leading
        self.leading: list[list[str]] = [[] for _ in range(leading)]
        self.rows: list[Value] = []

    def read(self, lines: list[str]) -> _Rows:
        if self.leading_width:
            parted = [_cells(line, self.leading_width) for line in lines]
            lines = [cells.pop() for cells in parted]
            self.leading = [list(column) for column in zip(*parted)] or self.leading
        regular = [at for at, line in enumerate(lines) if not line.startswith("!")]
        columns = iter(self._columns([lines[at] for at in regular]))
        values = _assembled(self.fields, columns, len(regular))
        if len(regular) == len(lines):
            self.rows = values
            return self
        self.rows = [parse(line[1:]) if line.startswith("!") else None for line in lines]
        for at, value in zip(regular, values):
            self.rows[at] = value
        return self

    def _columns(self, lines: list[str]) -> list[list[Value]]:
        leaves = [leaf for leaf in _leaves(self.fields) if leaf.constant is MISSING]
        if not leaves:
            if any(lines):
                raise ValueError("rows without columns hold something")
            return []
        if not lines:
            return [[] for _ in leaves]
        rows = [_cells(line, self.width - 1) for line in lines]
        return [self._values(leaf, list(cells)) for leaf, cells in zip(leaves, zip(*rows))]

    def _values(self, leaf: Field, cells: list[str]) -> list[Value]:
        known: dict[str, Value] = {}
        values: list[Value] = []
        for cell in cells:
            if cell in known:
                values.append(known[cell])
                continue
            value = self._value(leaf, cell)
            if not isinstance(value, (list, dict)):
                known[cell] = value
            values.append(value)
        return values

    def _value(self, leaf: Field, cell: str) -> Value:
        if cell.startswith("*"):
            cell = self.legend[cell]
        if not cell:
            return None
        if cell == "~":
            return MISSING
        if cell[0] in '"[{':
            value = parse(cell)
            return leaf.shape.unpack(value) if leaf.shape and isinstance(value, list) else value
        if leaf.nested and cell[0] == "+":
            return (cell,)
        if leaf.text or not LOOKS_TYPED.fullmatch(cell):
            return cell
        return _WORDS[cell] if cell in _WORDS else _number(cell)


def _number(cell: str) -> Value:
    value = parse(cell)
    if type(value) is not tuple or len(value) != 1:
        raise ValueError(f"{cell!r} is no number")
    return value


def _cells(line: str, splits: int) -> list[str]:
    """Return the first cells of a line, and what is left of it as the last one."""
    if '"' not in line and "[" not in line and "{" not in line:
        cells = line.split(",", splits)
        if len(cells) != splits + 1:
            raise ValueError(f"{len(cells)} cells where {splits + 1} columns are announced")
        return cells
    cells, at = [], 0
    for _ in range(splits):
        end = scan(line, at)[1] if line[at] in '"[{' else line.index(",", at)
        if line[end] != ",":
            raise ValueError("a cell goes on behind its end")
        cells.append(line[at:end])
        at = end + 1
    cells.append(line[at:])
    return cells


def _assembled(fields: list[Field], columns: Iterator[list[Value]], count: int) -> list[Value]:
    """Return the rows of a table, or the objects of a column that is one."""
    if len(fields) == 1 and fields[0].name is None:
        item = fields[0]
        return [item.constant] * count if item.constant is not MISSING else next(columns)
    names = [str(item.name) for item in fields]
    parts = [_field_values(item, columns, count) for item in fields]
    if any(MISSING in part for part in parts):
        return [{k: v for k, v in zip(names, row) if v is not MISSING} for row in zip(*parts)]
    return [dict(zip(names, row)) for row in zip(*parts)]


def _field_values(item: Field, columns: Iterator[list[Value]], count: int) -> list[Value]:
    if item.children:
        return _assembled(item.children, columns, count)
    return [item.constant] * count if item.constant is not MISSING else next(columns)
