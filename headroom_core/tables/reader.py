"""Reads tables back, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from headroom_core.tables.cells import LOOKS_TYPED, RISKY_STARTS, TYPED_STARTS, any_looks_typed
from headroom_core.tables.csv import join_records, split_record
from headroom_core.tables.frame import SEPARATORS, Form
from headroom_core.tables.header import MISSING, Field, HeaderReader
from headroom_core.tables.writer import FROM_PYTHON, UNITS
from headroom_core.text.exact_json import Value, parse, scan

_HEADER = re.compile(
    r"\[table (?P<shown>\d+)(?: of (?P<total>\d+))? (?P<unit>rows|entries|lines|records)(?P<notes>(?:; [^;:\n]+)*): "
    r"(?P<signs>(?:#,)?(?:\^,)?(?:@,)?)"
)
_ASIDE = re.compile(r"; (\d+) (?:legend|group) line")
_ENDS = re.compile(r"; cells end with (\w+)")
_FORMS: dict[str, Form] = {unit: form for form, unit in UNITS.items()}
_DIGITS = frozenset("-0123456789")
_NUMBERS = re.compile(r"(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?:\n|\Z))+")
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}


class TableReadError(ValueError):
    """The text looks like a table and is none, or not a whole one."""


@dataclass(slots=True)
class ParsedTable:
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
        python: whether the rows stood in what Python writes, rather than in JSON.
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
    python: bool = False
    nested: tuple[tuple[str, ...], ...] = ()


def read_tables(text: str) -> Iterator[ParsedTable]:
    """Read the tables in a text, from left to right.

    Raises:
        NotATable: a table's header is not followed by what it announces.
    """
    at = 0
    while found := _HEADER.search(text, at):
        end = text.find("\n", found.end())
        if end < 0:
            return
        at = found.end()
        if text[end - 1] != "]":
            continue
        try:
            table = _read(text, found, end)
        except (ValueError, StopIteration, IndexError, KeyError) as error:
            raise TableReadError(
                f"the table at character {found.start()} cannot be read: {error}"
            ) from error
        yield table
        at = table.end


def _read(text: str, header: re.Match[str], line_end: int) -> ParsedTable:
    form = _FORMS[header["unit"]]
    shown = int(header["shown"])
    table = ParsedTable(header.start(), line_end + 1, int(header["total"] or shown), form, [])
    take = _take_records if form == "csv" else _take_lines
    aside, table.end = take(text, table.end, sum(map(int, _ASIDE.findall(header["notes"]))))
    lines, table.end = take(text, table.end, shown)
    fields = _read_fields(text[header.end() : line_end - 1])
    separator = _separator(header["notes"])
    body = _Body(fields, dict(line.split(" ", 1) for line in aside), separator, raw=form == "csv")
    table.rows = body.rows(_split_leading(table, header["signs"], lines, body))
    if form == "csv":
        table.crlf = "; lines end with CRLF" in header["notes"]
        table.head = separator.join([str(item.name) for item in fields])
    else:
        table.python = f"; {FROM_PYTHON}" in header["notes"]
        table.nested = tuple(_nested_paths(fields))
    return table


def _separator(notes: str) -> str:
    named = _ENDS.search(notes)
    signs = {name: sign for sign, name in SEPARATORS.items()}
    if named and named[1] not in signs:
        raise ValueError(
            f"no table has cells that end with {named[1]}; they end with {', '.join(signs)}"
        )
    return signs[named[1]] if named else ","


def _split_leading(table: ParsedTable, signs: str, lines: list[str], body: _Body) -> list[str]:
    """Take the columns that stand before the fields from the lines, and return what is left of the lines."""
    width = signs.count(",")
    if not width:
        return lines
    parted = [body.split(line, width) for line in lines]
    columns = dict(zip(signs.replace(",", ""), zip(*parted)))
    for sign, cells in columns.items():
        if sign == "@":
            table.keys = [str(parse(cell)) if cell.startswith('"') else cell for cell in cells]
        elif sign == "#":
            table.numbers = list(map(int, cells))
        else:
            table.parents = list(map(int, cells))
    return [cells[-1] for cells in parted]


def _take_lines(text: str, start: int, count: int) -> tuple[list[str], int]:
    """Return the lines that follow, and where the text goes on behind them."""
    lines = text[start:].split("\n", count) if count else [text[start:]]
    if len(lines) <= count:
        raise ValueError(f"{count} lines were announced, {len(lines) - 1} follow")
    return lines[:count], len(text) - len(lines[count])


def _take_records(text: str, start: int, count: int) -> tuple[list[str], int]:
    """Return the records that follow, each of which may be several lines, and where the text goes on."""
    records = join_records(text[start:].split("\n")[:-1])[:count] if count else []
    if len(records) < count:
        raise ValueError(f"{count} records were announced, {len(records)} follow")
    return records, start + sum(len(record) + 1 for record in records)


def _read_fields(text: str) -> list[Field]:
    reader = HeaderReader(text)
    fields = reader.fields()
    if reader.at != len(text):
        raise ValueError(f"the header has more than its fields: {text[reader.at :][:40]!r}")
    return fields


def _leaves(fields: list[Field]) -> list[Field]:
    return [
        leaf for item in fields for leaf in (_leaves(item.children) if item.children else [item])
    ]


def _nested_paths(fields: list[Field]) -> Iterator[tuple[str, ...]]:
    for item in fields:
        if item.nested:
            yield (str(item.name),)
        for path in _nested_paths(item.children):
            yield (str(item.name), *path)


class _Body:
    """Turns the lines of a table into rows, column by column."""

    def __init__(
        self, fields: list[Field], aside: dict[str, str], separator: str, raw: bool
    ) -> None:
        self.fields = fields
        self.aside = aside
        self.separator = separator
        self.raw = raw
        self.varying = [leaf for leaf in _leaves(fields) if leaf.constant is MISSING]
        grouped = [at for at, leaf in enumerate(self.varying) if leaf.grouped]
        self.group_at, self.group_width = (grouped[0], len(grouped)) if grouped else (0, 0)
        self.width = len(self.varying) - max(0, self.group_width - 1)

    def rows(self, lines: list[str]) -> list[Value]:
        """Return the values of the rows; of CSV, their records."""
        columns = self._columns([line for line in lines if not line.startswith("!")])
        if self.raw:
            regular = iter(self._records(columns))
        else:
            values = iter([self._values(leaf, cells) for leaf, cells in zip(self.varying, columns)])
            count = sum(not line.startswith("!") for line in lines)
            regular = iter(_assembled(self.fields, values, count))
        irregular = str if self.raw else parse
        return [irregular(line[1:]) if line.startswith("!") else next(regular) for line in lines]

    def split(self, line: str, splits: int) -> list[str]:
        """Return the first cells of a line, and what is left of it as the last one."""
        return line.split(self.separator, splits) if self.raw else _split_cells(line, splits)

    def _columns(self, lines: list[str]) -> list[list[str]]:
        if not self.varying:
            if any(lines):
                raise ValueError("rows without columns hold something")
            return []
        if not lines:
            return [[] for _ in self.varying]
        columns = [
            list(cells) for cells in zip(*[self._whole_line(line, self.width) for line in lines])
        ]
        if self.group_width:
            columns = self._ungrouped(columns)
        if self.aside:
            columns = [
                [self.aside[cell] if cell[:1] == "*" and cell in self.aside else cell for cell in c]
                for c in columns
            ]
        return columns

    def _whole_line(self, line: str, width: int) -> list[str]:
        if not self.raw:
            return _split_cells(line, width - 1)
        cells = split_record(line, self.separator)
        if len(cells) != width:
            raise ValueError(f"{len(cells)} cells where {width} columns are announced")
        return cells

    def _ungrouped(self, columns: list[list[str]]) -> list[list[str]]:
        """Return the columns with those of the group in their places."""
        lines = {
            at: self._whole_line(line, self.group_width)
            for at, line in self.aside.items()
            if at[0] == "&"
        }
        grouped = zip(*[lines[reference] for reference in columns.pop(self.group_at)])
        rest = iter(columns)
        return [list(next(grouped)) if leaf.grouped else next(rest) for leaf in self.varying]

    def _records(self, columns: list[list[str]]) -> list[str]:
        varying = iter(columns)
        count = len(columns[0]) if columns else 0
        shown = [
            next(varying) if leaf.constant is MISSING else [str(leaf.constant)] * count
            for leaf in _leaves(self.fields)
        ]
        return [self.separator.join(cells) for cells in zip(*shown)]

    def _values(self, leaf: Field, cells: list[str]) -> list[Value]:
        starts = {cell[:1] for cell in cells}
        if "" not in starts and RISKY_STARTS.isdisjoint(starts):
            if leaf.text or TYPED_STARTS.isdisjoint(starts):
                return list(cells)
            if _DIGITS.issuperset(starts) and _NUMBERS.fullmatch("\n".join(cells)):
                return [(cell,) for cell in cells]
            if not any_looks_typed(cells):
                return list(cells)
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


def _split_cells(line: str, splits: int) -> list[str]:
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
