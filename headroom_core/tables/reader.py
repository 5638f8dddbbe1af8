"""Read tables back into rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from headroom_core.tables.cells import LOOKS_TYPED, RISKY_STARTS, TYPED_STARTS, any_looks_typed
from headroom_core.tables.csv.layout import Layout, read_layout, read_separator
from headroom_core.tables.csv.records import split_record, take_records
from headroom_core.tables.frame import Form
from headroom_core.tables.header import MISSING, Field, HeaderReader
from headroom_core.tables.writer import (
    FORM_NOTES,
    FROM_PYTHON,
    LINE_NOTE,
    NUMBERS_AS_KEYS,
    UNITS,
)
from headroom_core.text.exact_json import NUMBER_LINES, Value, parse, scan
from headroom_core.text.line_style import BARE_LINES, LineStyle
from headroom_core.text.python_literal import SOURCE_SIGN
from headroom_core.text.spelling import COMPACT, Spelling

# The start of a header, up to its fields. Must not match other text in brackets, such as
# `[table of contents]`. That the line ends with `]` is checked separately.
_HEADER = re.compile(
    r"\[table (?P<shown>\d+)(?: of (?P<total>\d+))?"
    r' (?P<unit>rows|entries|lines|items|records)(?: of [^;:"\n]{1,200})?'
    r'(?P<notes>(?:; (?:[^;:"\n\[]|\[…\]|"(?:[^"\\\n]|\\.)*")+)*): '
    r"(?P<signs>(?:#,)?(?:\^,)?(?:@,)?)"
)
# The number of legend or group lines in the notes of a header.
_ASIDE_LINES = re.compile(r"; (\d+) (?:legend|group) line")
_LINE_NOTE = re.compile(rf'; {LINE_NOTE}((?:[^;"]|"(?:[^"\\]|\\.)*")+)')
_SPELLING_NOTE = re.compile(r"; (JSON [^;:]+)")
_FORMS: dict[str, Form] = {unit: form for form, unit in UNITS.items() if form not in FORM_NOTES}
_MAX_TRIED_HEADERS = 100

# What a header of somebody else's may lead to.
_UNREADABLE = (
    ValueError,
    StopIteration,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
_NUMBER_STARTS = frozenset("-0123456789")
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}


class TableReadError(ValueError):
    """Raised for a text that looks like a table but is malformed or incomplete."""


@dataclass(slots=True)
class ParsedTable:
    """Table that was read from a text.

    Attributes:
        start: Index in the text at which the table starts.
        end: Index in the text after the table.
        total: Number of rows of the original; higher than the number of `rows` if some were
            dropped.
        form: The notation of the original.
        rows: The values of the rows; for CSV, the records as text.
        fields: The entries of the header.
        numbers: The row numbers, or None if the table has none.
        parents: The numbers of the rows in the parent table, or None if it has no parent.
        keys: The keys of the entries if the original is an object, else None.
        layout: How the original is written around its cells if it is CSV.
        is_python: Whether the original is written as a Python literal instead of JSON.
        style: The text around the objects of JSON lines.
        spelling: How JSON is written, where that is part of the data.
        nested: Paths of the lists whose items are in tables of their own below.
    """

    start: int
    end: int
    total: int
    form: Form
    rows: list[Value]
    fields: list[Field] = field(default_factory=list)
    numbers: list[int] | None = None
    parents: list[int] | None = None
    keys: list[str] | None = None
    layout: Layout = field(default_factory=Layout)
    is_python: bool = False
    style: LineStyle = BARE_LINES
    spelling: Spelling = COMPACT
    nested: tuple[tuple[str, ...], ...] = ()


def read_tables(text: str) -> Iterator[ParsedTable]:
    """Read the tables in a text, in order.

    Raises:
        TableReadError: If a header is not followed by the rows that it announces.
    """
    position = 0
    while header := _HEADER.search(text, position):
        line_end = text.find("\n", header.end())
        if line_end < 0:
            return
        position = header.end()
        if text[line_end - 1] != "]":
            continue
        try:
            table = _read_table(text, header, line_end)
        except _UNREADABLE as error:
            raise TableReadError(
                f"the table at character {header.start()} cannot be read: {error}"
            ) from error
        yield table
        position = table.end


def has_table(text: str) -> bool:
    """Return whether a text has a whole table, as the output of an earlier compression does.

    A header without the rows that it announces does not count.
    """
    for header in islice(_HEADER.finditer(text), _MAX_TRIED_HEADERS):
        line_end = text.find("\n", header.end())
        if line_end < 0 or text[line_end - 1] != "]":
            continue
        with suppress(*_UNREADABLE):
            _read_table(text, header, line_end)
            return True
    return False


def _read_table(text: str, header: re.Match[str], line_end: int) -> ParsedTable:
    notes = header["notes"]
    form = _read_form(header["unit"], notes)
    is_csv = form == "csv"
    shown = int(header["shown"])
    aside_count = sum(map(int, _ASIDE_LINES.findall(notes)))
    separator = read_separator(notes)
    if is_csv:
        aside_lines, position = take_records(text, line_end + 1, aside_count, separator)
        lines, end = take_records(text, position, shown, separator)
    else:
        aside_lines, position = _take_lines(text, line_end + 1, aside_count)
        lines, end = _take_lines(text, position, shown)
    fields = _read_fields(text[header.end() : line_end - 1])
    total = int(header["total"] or shown)
    table = ParsedTable(header.start(), end, total, form, rows=[], fields=fields)
    aside = dict(line.split(" ", 1) for line in aside_lines)
    body = _BodyReader(fields, aside, separator, is_csv)
    lines = _split_leading(table, header["signs"], lines, body)
    table.rows = body.read_rows(lines, table.numbers or range(shown))
    if is_csv:
        table.layout = read_layout([str(item.name) for item in fields], notes)
    else:
        table.is_python = f"; {FROM_PYTHON}" in notes
        description = _LINE_NOTE.search(notes)
        if description:
            table.style = LineStyle.from_description(description[1])
        spelling = _SPELLING_NOTE.search(notes)
        if spelling:
            table.spelling = Spelling.from_description(spelling[1])
        table.nested = tuple(_walk_nested_paths(fields))
        if f"; {NUMBERS_AS_KEYS}" in notes:
            table.keys = [str(n) for n in table.numbers or range(shown)]
    return table


def _read_form(unit: str, notes: str) -> Form:
    for form, note in FORM_NOTES.items():
        if unit == UNITS[form] and f"; {note}" in notes:
            return form
    return _FORMS[unit]


def _split_leading(
    table: ParsedTable, signs: str, lines: list[str], body: _BodyReader
) -> list[str]:
    """Move the columns before the fields into the table; return the rest of each line."""
    width = signs.count(",")
    if not width:
        return lines
    split_lines = [body.split(line, width) for line in lines]
    columns = dict(zip(signs.replace(",", ""), zip(*split_lines)))
    for sign, cells in columns.items():
        if sign == "@":
            table.keys = [str(parse(cell)) if cell.startswith('"') else cell for cell in cells]
        elif sign == "#":
            table.numbers = list(map(int, cells))
        else:
            table.parents = list(map(int, cells))
    return [cells[-1] for cells in split_lines]


def _take_lines(text: str, start: int, count: int) -> tuple[list[str], int]:
    """Return the next lines, and the index after them."""
    lines = text[start:].split("\n", count) if count else [text[start:]]
    if len(lines) <= count:
        raise ValueError(f"the header announces {count} lines, but {len(lines) - 1} follow")
    return lines[:count], len(text) - len(lines[count])


def _read_fields(text: str) -> list[Field]:
    reader = HeaderReader(text)
    fields = reader.read_fields()
    if reader.position != len(text):
        rest = text[reader.position :][:40]
        raise ValueError(f"unexpected text after the fields of the header: {rest!r}")
    return fields


def _walk_leaves(fields: list[Field]) -> Iterator[Field]:
    for item in fields:
        if item.children:
            yield from _walk_leaves(item.children)
        elif item.aside is MISSING:
            yield item


def _walk_nested_paths(fields: list[Field]) -> Iterator[tuple[str, ...]]:
    for item in fields:
        name = () if item.name is None else (item.name,)
        if item.is_nested:
            yield name
        for path in _walk_nested_paths(item.children):
            yield (*name, *path)


class _BodyReader:
    """Parser of the lines of a table, column by column.

    Args:
        fields: The entries of the header.
        aside: The legend and group lines, by the references to them.
        separator: The character between the cells of a line.
        is_csv: Whether the rows are records of CSV, which stay text.
    """

    def __init__(
        self, fields: list[Field], aside: dict[str, str], separator: str, is_csv: bool
    ) -> None:
        self.fields = fields
        self.aside = aside
        self.separator = separator
        self.is_csv = is_csv
        self.leaves = list(_walk_leaves(fields))
        self.varying = [leaf for leaf in self.leaves if leaf.constant is MISSING]
        grouped = [index for index, leaf in enumerate(self.varying) if leaf.is_grouped]
        self.group_index = grouped[0] if grouped else 0
        self.group_width = len(grouped)
        # The columns of a group share a single column of references.
        self.width = len(self.varying) - max(0, self.group_width - 1)
        self.numbers: list[int] = []

    def read_rows(self, lines: list[str], numbers: Sequence[int]) -> list[Value]:
        """Return the values of the rows; for CSV, the records.

        Args:
            lines: A line for each row, without the columns before the fields.
            numbers: The numbers of the rows, for messages.
        """
        regular_lines = [line for line in lines if not line.startswith("!")]
        self.numbers = [n for n, line in zip(numbers, lines) if not line.startswith("!")]
        columns = self._split_columns(regular_lines)
        if self.is_csv:
            regular: Iterator[Value] = iter(self._join_records(columns))
        else:
            values = iter(
                [self._parse_column(leaf, cells) for leaf, cells in zip(self.varying, columns)]
            )
            regular = iter(_assemble_rows(self.fields, values, len(regular_lines)))
        parse_irregular = str if self.is_csv else parse
        return [
            parse_irregular(line[1:]) if line.startswith("!") else next(regular) for line in lines
        ]

    def split(self, line: str, splits: int) -> list[str]:
        """Return the first cells of a line, followed by the rest of it."""
        return line.split(self.separator, splits) if self.is_csv else _split_cells(line, splits)

    def _split_columns(self, lines: list[str]) -> list[list[str]]:
        if not self.varying:
            if any(lines):
                raise ValueError("a table without columns has rows that are not empty")
            return []
        if not lines:
            return [[] for _ in self.varying]
        rows: list[list[str]] = []
        for line in lines:
            try:
                rows.append(self._split_line(line, self.width))
            except (ValueError, IndexError) as error:
                raise self._wrong_row(len(rows), error) from error
        columns = [list(cells) for cells in zip(*rows)]
        if self.group_width:
            columns = self._expand_group(columns)
        # Without a legend, the cells of CSV are text that may begin with a star.
        if not self.is_csv or "*1" in self.aside:
            columns = [self._resolve_references(cells) for cells in columns]
        return columns

    def _wrong_row(self, index: int, reason: object) -> ValueError:
        return ValueError(f"row {self.numbers[index]}: {reason}")

    def _resolve_references(self, cells: list[str]) -> list[str]:
        if "*" not in {cell[:1] for cell in cells}:
            return cells
        resolved = [self.aside.get(cell) if cell[:1] == "*" else cell for cell in cells]
        if None in resolved:
            index = resolved.index(None)
            raise self._wrong_row(index, f"the table has no legend line {cells[index][:20]!r}")
        return [cell or "" for cell in resolved]

    def _split_line(self, line: str, width: int) -> list[str]:
        cells = split_record(line, self.separator) if self.is_csv else _split_cells(line, width - 1)
        # The last cell is the rest of the line. Strings with commas stand in quotes.
        if not self.is_csv and "," in cells[-1] and cells[-1][0] not in '"[{':
            cells += cells.pop().split(",")
        if len(cells) != width:
            raise ValueError(f"expected {width} cells, got {len(cells)}")
        return cells

    def _expand_group(self, columns: list[list[str]]) -> list[list[str]]:
        """Replace the column of references by the columns of the group."""
        combinations = {
            reference: self._split_line(line, self.group_width)
            for reference, line in self.aside.items()
            if reference[0] == "&"
        }
        references = columns.pop(self.group_index)
        try:
            grouped = zip(*[combinations[reference] for reference in references])
        except KeyError as error:
            raise ValueError(f"the table has no group line {error}") from error
        rest = iter(columns)
        return [list(next(grouped)) if leaf.is_grouped else next(rest) for leaf in self.varying]

    def _join_records(self, columns: list[list[str]]) -> list[str]:
        varying = iter(columns)
        count = len(columns[0]) if columns else 0
        shown = [
            next(varying) if leaf.constant is MISSING else [str(leaf.constant)] * count
            for leaf in self.leaves
        ]
        return [self.separator.join(cells) for cells in zip(*shown)]

    def _parse_column(self, leaf: Field, cells: list[str]) -> list[Value]:
        # Most columns are all unquoted strings or all numbers, which their first characters show.
        starts = {cell[:1] for cell in cells}
        if "" not in starts and RISKY_STARTS.isdisjoint(starts):
            if leaf.constructor:
                return [f"{SOURCE_SIGN}{leaf.constructor.wrap(cell)}" for cell in cells]
            if leaf.is_text or TYPED_STARTS.isdisjoint(starts):
                return list(cells)
            if _NUMBER_STARTS.issuperset(starts) and NUMBER_LINES.fullmatch("\n".join(cells)):
                return [(cell,) for cell in cells]
            if not any_looks_typed(cells):
                return list(cells)
        known: dict[str, Value] = {}
        values: list[Value] = []
        for cell in cells:
            if cell in known:
                values.append(known[cell])
                continue
            try:
                value = self._parse_cell(leaf, cell)
            except ValueError as error:
                raise self._wrong_row(len(values), error) from error
            # Rows must not share a mutable value.
            if not isinstance(value, (list, dict)):
                known[cell] = value
            values.append(value)
        return values

    def _parse_cell(self, leaf: Field, cell: str) -> Value:
        if not cell:
            return None
        if cell == "~":
            return MISSING
        if leaf.constructor:
            text = parse(cell) if cell[0] == '"' else cell
            return f"{SOURCE_SIGN}{leaf.constructor.wrap(text)}"
        if cell[0] in '"[{':
            value = parse(cell)
            return leaf.shape.unpack(value) if leaf.shape and isinstance(value, list) else value
        if leaf.is_nested and cell[0] == "+":
            return (cell,)
        if leaf.is_text or not LOOKS_TYPED.fullmatch(cell):
            return cell
        return _WORDS[cell] if cell in _WORDS else _parse_number(cell)


def _parse_number(cell: str) -> Value:
    value = parse(cell)
    if type(value) is not tuple or len(value) != 1:
        raise ValueError(f"{cell!r} is not a number")
    return value


def _split_cells(line: str, splits: int) -> list[str]:
    """Return the first cells of a line, followed by the rest of it."""
    # Lines without JSON, which are the most by far, need no scanner.
    if '"' not in line and "[" not in line and "{" not in line:
        cells = line.split(",", splits)
        if len(cells) != splits + 1:
            raise ValueError(f"expected {splits + 1} cells in a row, got {len(cells)}")
        return cells
    cells, position = [], 0
    for _ in range(splits):
        end = scan(line, position)[1] if line[position] in '"[{' else line.index(",", position)
        if line[end] != ",":
            raise ValueError("a cell has text after its JSON value")
        cells.append(line[position:end])
        position = end + 1
    cells.append(line[position:])
    return cells


def _assemble_rows(fields: list[Field], columns: Iterator[list[Value]], count: int) -> list[Value]:
    """Build the rows of a table, or the objects of a field, from the columns of their fields."""
    fields = [item for item in fields if item.aside is MISSING]
    if len(fields) == 1 and fields[0].name is None:
        if fields[0].children:
            return _assemble_rows(fields[0].children, columns, count)
        constant = fields[0].constant
        return next(columns) if constant is MISSING else [constant] * count
    names = [str(item.name) for item in fields]
    value_lists = [_collect_values(item, columns, count) for item in fields]
    if any(MISSING in values for values in value_lists):
        return [
            {name: value for name, value in zip(names, row) if value is not MISSING}
            for row in zip(*value_lists)
        ]
    return [dict(zip(names, row)) for row in zip(*value_lists)]


def _collect_values(item: Field, columns: Iterator[list[Value]], count: int) -> list[Value]:
    if item.children:
        return _assemble_rows(item.children, columns, count)
    if item.constant is not MISSING:
        return [item.constant] * count
    return next(columns)
