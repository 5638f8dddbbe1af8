"""The lossless table: an array of objects in a fraction of the tokens, and back.

    [table 4 rows; empty = null; ~ = no such key; 1 legend line, *n = line n: id,kind="dam",state{code,since},note]
    *1 the gates are inspected in spring and in autumn
    17,open,2021,*1
    18,,~,closed for repairs
    19,open,2019,*1
    20,shut,2023,*1

The header says how many rows follow, so that the table's end is plain inside other text, and what its
signs mean. A cell is the whole value as it was: a string stands bare unless it could be misread, and is a
JSON string otherwise; numbers, booleans, lists and objects are JSON. A row that does not fit the columns
is `!` and its JSON. Long values that repeat stand once, in the legend, and so do the cells of columns that
always come together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from headroom_core.tables.cells import write_cells
from headroom_core.tables.frame import SEPARATORS, Column, Form, Frame
from headroom_core.tables.groups import find_group, take_out
from headroom_core.tables.header import MISSING, Field, write_fields
from headroom_core.text.exact_json import dumps

_LEGEND_FROM_CHARACTERS = 30
_CHARACTERS_A_TOKEN = 4
_REFERENCE_TOKENS = 3


UNITS: dict[Form, str] = {"array": "rows", "object": "entries", "lines": "lines", "csv": "records"}

FROM_PYTHON = "from Python"
"""What a header says of rows that are to be turned back into what Python writes."""


def write_table(frame: Frame, kept: Sequence[int] | None = None) -> str:
    """Return the table of a frame, without its child tables.

    Args:
        frame: the array.
        kept: the indices of the rows to write, in order; None for all.
    """
    rows = range(len(frame.rows)) if kept is None else kept
    body = _body(frame, rows)
    leading = _leading_cells(frame, rows, numbered=kept is not None)
    lines = body.lines
    for cells in reversed(leading.values()):
        lines = [f"{cell}{frame.separator}{line}" for cell, line in zip(cells, lines)]
    shown = str(len(frame.rows)) if kept is None else f"{len(rows)} of {len(frame.rows)}"
    notes = [
        f"[table {shown} {UNITS[frame.form]}",
        *(_SIGNS[sign] for sign in leading),
        *body.notes,
    ]
    if frame.separator != ",":
        notes.append(f"cells end with {SEPARATORS[frame.separator]}")
    if frame.crlf:
        notes.append("lines end with CRLF")
    if frame.python and kept is None:
        notes.append(FROM_PYTHON)
    columns = ",".join([*leading, write_fields(body.fields)])
    return "\n".join([f"{'; '.join(notes)}: {columns}]", *body.aside, *lines, ""])


_SIGNS = {"#": "# = row number from 0", "^": "^ = # of its row in the table above", "@": "@ = key"}


def _leading_cells(frame: Frame, rows: Sequence[int], numbered: bool) -> dict[str, list[str]]:
    """Return the columns that stand before the fields, by their sign."""
    leading: dict[str, list[str]] = {}
    if numbered or frame.children:
        leading["#"] = [str(row) for row in rows]
    if frame.parents is not None:
        leading["^"] = [str(frame.parents[row]) for row in rows]
    if frame.keys is not None:
        leading["@"] = write_cells([frame.keys[row] for row in rows], text=True)
    return leading


@dataclass(frozen=True, slots=True)
class _Body:
    """What stands below a header.

    Attributes:
        lines: a line for each row.
        aside: the lines above them, which rows refer to.
        fields: the header's entries.
        notes: what the header must explain.
    """

    lines: list[str]
    aside: list[str]
    fields: list[Field]
    notes: list[str]


def _body(frame: Frame, rows: Sequence[int]) -> _Body:
    place = {row: at for at, row in enumerate(frame.regular)}
    regular = [row for row in rows if row in place]
    columns = [
        _Shown(column, [place[row] for row in regular], frame.form == "csv")
        for column in frame.columns
    ]
    varying = [column for column in columns if column.constant is MISSING]
    notes = _sign_notes([column.cells for column in varying]) if frame.form != "csv" else []
    notes += _form_notes(frame, varying)
    cells, combinations = _group(varying)
    legend = _take_out_repeats([*cells, *combinations])
    aside = legend + [
        f"&{at} {frame.separator.join(line)}" for at, line in enumerate(zip(*combinations), 1)
    ]
    lines = [frame.separator.join(line) for line in zip(*cells)] if cells else [""] * len(regular)
    if len(regular) < len(rows):
        line_of = dict(zip(regular, lines))
        lines = [line_of[row] if row in line_of else _irregular(frame, row) for row in rows]
        notes.append("! = as it stood")
    if combinations:
        notes.append(
            f"{len(aside) - len(legend)} group lines, &n = the cells of line n, for the columns with &"
        )
    if legend:
        notes.append(f"{len(legend)} legend line{'s'[: len(legend) > 1]}, *n = line n")
    return _Body(lines, aside, _settled(frame.fields, iter(columns)), notes)


def _irregular(frame: Frame, row: int) -> str:
    item = frame.rows[row]
    return "!" + (item if frame.form == "csv" else dumps(item))


class _Shown:
    """A column's cells in the rows to be written, and what the header says of it."""

    def __init__(self, column: Column, places: list[int], raw: bool) -> None:
        whole = len(places) == len(column.cells)
        self.cells = list(column.cells) if whole else [column.cells[place] for place in places]
        alike = len(places) > 1 and not column.child and len(set(self.cells)) == 1
        self.constant = MISSING if not alike else self.cells[0] if raw else column.values[places[0]]
        self.grouped = False
        self.nested = column.child is not None
        self.shaped = column.field.shape is not None


def _settled(fields: list[Field], columns: Iterator[_Shown]) -> list[Field]:
    """Return the fields with what holds for the rows that are written."""
    return [_settled_field(item, columns) for item in fields]


def _settled_field(item: Field, columns: Iterator[_Shown]) -> Field:
    if item.children:
        return replace(item, children=_settled(item.children, columns))
    shown = next(columns)
    return replace(item, constant=shown.constant, grouped=shown.grouped)


def _sign_notes(columns: list[list[str]]) -> list[str]:
    signs = (("", "empty = null"), ("~", "~ = no such key"))
    return [note for sign, note in signs if any(sign in column for column in columns)]


def _form_notes(frame: Frame, columns: list[_Shown]) -> list[str]:
    """Return what cells mean that are no plain values."""
    notes = ["+n = n rows of the next table"] * any(column.nested for column in columns)
    notes += ["[…] = values of {…}"] * any(column.shaped for column in columns)
    return notes + [". = the value itself"] * (frame.form != "csv" and frame.scalar)


def _group(columns: list[_Shown]) -> tuple[list[list[str]], list[list[str]]]:
    """Return the columns of cells, and those of the combinations that stand apart because they come together."""
    able = [at for at, column in enumerate(columns) if not column.nested]
    group = [able[at] for at in find_group([columns[at].cells for at in able])]
    if not group:
        return [column.cells for column in columns], []
    references, combinations = take_out([columns[at].cells for at in group])
    for at in group:
        columns[at].grouped = True
    cells = [references if at == group[0] else column.cells for at, column in enumerate(columns)]
    return [column for at, column in enumerate(cells) if at not in group[1:]], list(
        map(list, zip(*combinations))
    )


def _take_out_repeats(columns: list[list[str]]) -> list[str]:
    """Put references in the place of long cells that repeat, and return the legend's lines."""
    long = Counter(
        cell for column in columns for cell in column if len(cell) >= _LEGEND_FROM_CHARACTERS
    )
    repeated = [cell for cell, count in long.items() if count > 1 and _pays(cell, count)]
    if not repeated:
        return []
    reference = {cell: f"*{number}" for number, cell in enumerate(repeated, 1)}
    for column in columns:
        column[:] = [reference.get(cell, cell) for cell in column]
    return [f"*{number} {cell}" for number, cell in enumerate(repeated, 1)]


def _pays(cell: str, count: int) -> bool:
    tokens = len(cell) / _CHARACTERS_A_TOKEN
    return (count - 1) * tokens > (count + 1) * _REFERENCE_TOKENS
