"""Write frames as lossless tables: arrays of objects in a fraction of the tokens.

    [table 4 rows; empty = null; 1 legend line, *n = line n: id,kind="dam",state{code,since},note]
    *1 the gates are inspected in spring and in autumn
    17,open,2021,*1
    18,,,closed for repairs
    19,open,2019,*1
    20,shut,2023,*1

The header gives the number of rows, which shows where the table ends inside other text, and
explains the signs in use. A cell is the complete value: a string is unquoted unless it could be
misread, and a JSON string otherwise; numbers, booleans, lists and objects are JSON. A row that does
not fit the columns is `!` and its JSON. Long values that repeat are written once, in the legend,
and so are the cells of columns whose values always come together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from headroom_core.tables.cells import write_cells
from headroom_core.tables.frame import Column, Form, Frame
from headroom_core.tables.groups import extract_combinations, find_group
from headroom_core.tables.header import MISSING, Field, write_fields
from headroom_core.text.exact_json import Value, dumps, is_number
from headroom_core.text.python_literal import SOURCE_SIGN

# Shorter cells cost less than the lookup in the legend.
_MIN_LEGEND_CHARACTERS = 30
_CHARS_PER_TOKEN = 4
# Tokens of `*12` with its separator, in a cell or at the start of a legend line.
_REFERENCE_TOKENS = 3

UNITS: dict[Form, str] = {
    "array": "rows",
    "headed": "rows",
    "object": "entries",
    "columns": "rows",
    "lines": "lines",
    "items": "items",
    "csv": "records",
}
"""The word for the rows of each form in a header."""

FORM_NOTES: dict[Form, str] = {"headed": "names from the first row", "columns": "by column"}
"""Notes that distinguish forms with the same word for their rows."""

FROM_PYTHON = "from Python"
"""Note in the header of a table that decodes to a Python literal."""

NUMBERS_AS_KEYS = "keys = row numbers"
"""Note in the header of a table whose keys are 0, 1, 2 and so on."""

LINE_NOTE = "line = "
"""Start of the note in the header of JSON lines on the text around the objects."""

_LEADING_NOTES = {
    "#": "# = row number from 0",
    "^": "^ = # of its row in the table above",
    "@": "@ = key",
}


def write_table(frame: Frame, kept: Sequence[int] | None = None, *, title: str = "") -> str:
    """Write the table of a frame, without its child frames.

    Args:
        frame: The frame.
        kept: Indices of the rows to write, in order. Defaults to all.
        title: Name of the table that the header shows. Defaults to none.
    """
    rows = range(len(frame.rows)) if kept is None else kept
    body = _write_body(frame, rows)
    leading = _write_leading_cells(frame, rows, is_numbered=kept is not None)
    lines = body.lines
    for cells in reversed(leading.values()):
        lines = [f"{cell}{frame.separator}{line}" for cell, line in zip(cells, lines)]
    count = str(len(frame.rows)) if kept is None else f"{len(rows)} of {len(frame.rows)}"
    notes = [f"[table {count} {UNITS[frame.form]}{title and f' of {title}'}"]
    if frame.form in FORM_NOTES:
        notes.append(FORM_NOTES[frame.form])
    notes += [_LEADING_NOTES[sign] for sign in leading]
    if frame.keys is not None and frame.shown_keys is None:
        notes.append(NUMBERS_AS_KEYS)
    notes += body.notes
    notes += [*frame.layout.describe(), *frame.notes]
    description = frame.style.describe()
    if description:
        notes.append(f"{LINE_NOTE}{description}")
    spelling = frame.spelling.describe()
    if spelling and not frame.is_python and kept is None:
        notes.append(spelling)
    if frame.is_python and kept is None:
        notes.append(FROM_PYTHON)
    columns = ",".join([*leading, write_fields(body.fields)])
    return "\n".join([f"{'; '.join(notes)}: {columns}]", *body.aside_lines, *lines, ""])


def _write_leading_cells(
    frame: Frame, rows: Sequence[int], is_numbered: bool
) -> dict[str, list[str]]:
    """Return the columns before the fields, by their sign."""
    leading: dict[str, list[str]] = {}
    if is_numbered or frame.children:
        leading["#"] = [str(row) for row in rows]
    if frame.parents is not None:
        leading["^"] = [str(frame.parents[row]) for row in rows]
    keys = frame.shown_keys
    if keys is not None:
        leading["@"] = write_cells([keys[row] for row in rows], is_text=True)
    return leading


@dataclass(frozen=True, slots=True)
class _TableBody:
    """Contents of a table below its header, and their description in it.

    Attributes:
        lines: A line for each row.
        aside_lines: The legend and group lines, above the rows that refer to them.
        fields: The entries of the header.
        notes: The signs to be explained in the header.
    """

    lines: list[str]
    aside_lines: list[str]
    fields: list[Field]
    notes: list[str]


class _ColumnView:
    """Cells of a column in the rows to be written, and their description in the header."""

    def __init__(self, column: Column, indices: list[int], is_csv: bool) -> None:
        self.cells = column.pick_cells(indices)
        self.constant: Value = MISSING
        if len(indices) > 1 and not column.child and len(set(self.cells)) == 1:
            self.constant = self.cells[0] if is_csv else _read_constant(column, indices[0])
        self.is_grouped = False
        self.is_nested = column.child is not None
        self.is_packed = column.field.shape is not None


def _read_constant(column: Column, index: int) -> Value:
    """Return the value of a column as it stands in the rows."""
    constructor, (value,) = column.field.constructor, column.parse([column.source[index]])
    if constructor is None or value is None:
        return value
    text = value[0] if is_number(value) else value
    return f"{SOURCE_SIGN}{constructor.wrap(text)}"


def _write_body(frame: Frame, rows: Sequence[int]) -> _TableBody:
    index_of = {row: index for index, row in enumerate(frame.regular_rows)}
    regular_rows = [row for row in rows if row in index_of]
    indices = [index_of[row] for row in regular_rows]
    views = [_ColumnView(column, indices, frame.form == "csv") for column in frame.columns]
    varying = [view for view in views if view.constant is MISSING]
    notes = _describe_cells(frame, varying)
    columns, combinations = _group_columns(varying)
    legend = _extract_legend([*columns, *combinations], frame.form == "csv")
    groups = [
        f"&{number} {frame.separator.join(cells)}"
        for number, cells in enumerate(zip(*combinations), 1)
    ]
    if columns:
        lines = [frame.separator.join(cells) for cells in zip(*columns)]
    else:
        lines = [""] * len(regular_rows)
    if len(regular_rows) < len(rows):
        line_of = dict(zip(regular_rows, lines))
        lines = [line_of[row] if row in line_of else _write_irregular(frame, row) for row in rows]
        notes.append("! = unchanged line" if frame.form == "csv" else "! = row as JSON")
    if combinations:
        notes.append(f"{len(groups)} group lines, &n = the cells of line n, for the columns with &")
    if legend:
        unit = "line" if len(legend) == 1 else "lines"
        notes.append(f"{len(legend)} legend {unit}, *n = line n")
    return _TableBody(lines, legend + groups, _describe_fields(frame.fields, iter(views)), notes)


def _write_irregular(frame: Frame, row: int) -> str:
    item = frame.rows[row]
    return "!" + (item if frame.form == "csv" else dumps(item))


def _describe_fields(fields: list[Field], views: Iterator[_ColumnView]) -> list[Field]:
    """Return the fields with their constants and groups in the rows to be written."""
    return [_describe_field(item, views) for item in fields]


def _describe_field(item: Field, views: Iterator[_ColumnView]) -> Field:
    if item.aside is not MISSING:
        return item
    if item.children:
        return replace(item, children=_describe_fields(item.children, views))
    view = next(views)
    return replace(item, constant=view.constant, is_grouped=view.is_grouped)


def _describe_cells(frame: Frame, views: list[_ColumnView]) -> list[str]:
    """Return the notes on cells that are not plain values."""
    if frame.form == "csv":
        return []
    signs = (("", "empty = null"), ("~", "~ = no such key"))
    notes = [note for sign, note in signs if any(sign in view.cells for view in views)]
    if any(item.aside is not MISSING for item in frame.fields):
        notes.append("== is no column")
    if any(item.spelling is not None for item in frame.fields):
        notes.append("json = a string that holds JSON")
    if any(view.is_nested for view in views):
        notes.append("+n = n rows of the next table")
    if any(view.is_packed for view in views):
        notes.append("[…] = values of {…}")
    if frame.is_scalar:
        notes.append(". = the value itself")
    return notes


def _group_columns(views: list[_ColumnView]) -> tuple[list[list[str]], list[list[str]]]:
    """Replace the columns whose values always come together by a column of references.

    Returns:
        The columns of cells, and the columns of the combinations that the references stand for.
    """
    candidates = [index for index, view in enumerate(views) if not view.is_nested]
    found = find_group([views[index].cells for index in candidates])
    if not found:
        return [view.cells for view in views], []
    group = [candidates[index] for index in found]
    references, combinations = extract_combinations([views[index].cells for index in group])
    columns: list[list[str]] = []
    for index, view in enumerate(views):
        if index not in group:
            columns.append(view.cells)
        elif index == group[0]:
            columns.append(references)
    for index in group:
        views[index].is_grouped = True
    return columns, [list(cells) for cells in zip(*combinations)]


def _extract_legend(columns: list[list[str]], is_csv: bool) -> list[str]:
    """Replace long repeated cells by references, in place, and return the lines of the legend."""
    if is_csv and any(cell[:1] == "*" for column in columns for cell in column):
        # The cells of CSV have no quotes that would tell them from references.
        return []
    counts = Counter(
        cell for column in columns for cell in column if len(cell) >= _MIN_LEGEND_CHARACTERS
    )
    repeated = [cell for cell, count in counts.items() if count > 1 and _is_worth_it(cell, count)]
    if not repeated:
        return []
    references = {cell: f"*{number}" for number, cell in enumerate(repeated, 1)}
    for column in columns:
        column[:] = [references.get(cell, cell) for cell in column]
    return [f"{reference} {cell}" for cell, reference in references.items()]


def _is_worth_it(cell: str, count: int) -> bool:
    """Return whether a reference for each occurrence and a legend line save tokens."""
    tokens = len(cell) / _CHARS_PER_TOKEN
    return (count - 1) * tokens > (count + 1) * _REFERENCE_TOKENS
