"""An array taken apart into columns of cells, which every other step works on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from headroom_core.tables.cells import any_looks_typed, write_cells
from headroom_core.tables.header import MISSING, Field, Missing, common_shape
from headroom_core.text.exact_json import Value

_NEST_FROM_ITEMS = 5
_FLATTEN_FROM_FILL = 0.5
# Fewer make a table of gaps, whose size grows with the square of the rows when each has keys of its own.
_TABLE_FROM_FILL = 0.2


@dataclass(slots=True)
class Column:
    """One column: a leaf of the rows' common structure.

    Attributes:
        path: the keys that lead to it; empty where the row is the value itself.
        field: its entry in the header.
        values: the parsed value for every regular row, `MISSING` where there is none.
        cells: the values as they are written.
        child: the table of the items, where the cells only count them.
    """

    path: tuple[str, ...]
    field: Field
    values: list[Value]
    cells: list[str]
    child: Frame | None = None


SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
"""What may stand between the cells of a line, and how a header calls it."""

Form = Literal["array", "object", "lines", "csv"]


@dataclass(slots=True)
class Frame:
    """An array of rows, as columns.

    Attributes:
        source: the items as they came.
        rows: the same, save that a list which became a child table is its count.
        fields: the header's entries.
        columns: the columns, in the header's order.
        regular: the indices of the rows that the columns describe; the others are written as JSON.
        form: what the rows stood in: a JSON array, a JSON object whose entries they are, JSON lines or CSV.
        keys: the keys of the entries of an object.
        parents: the index in the parent table of the row that each row belongs to.
        separator: what stands between the cells of a line.
        crlf: whether the lines of CSV ended with a carriage return too.
        python: whether the rows stood in what Python writes, rather than in JSON.
    """

    source: list[Value]
    rows: list[Value]
    fields: list[Field]
    columns: list[Column]
    regular: list[int]
    form: Form = "array"
    keys: list[str] | None = None
    parents: list[int] | None = None
    separator: str = ","
    crlf: bool = False
    python: bool = False

    @property
    def children(self) -> list[Frame]:
        """The child tables, in the order of their columns."""
        return [column.child for column in self.columns if column.child]

    def parents_of(self, rows: Iterable[int]) -> set[int]:
        """Return the indices, in the parent table, of the rows that these ones belong to."""
        return set() if self.parents is None else {self.parents[row] for row in rows}

    @property
    def head(self) -> str:
        """The record above the rows of CSV."""
        return self.separator.join([str(item.name) for item in self.fields])

    @property
    def scalar(self) -> bool:
        """Whether the rows are the values of one column without a name."""
        return self.fields[0].name is None

    @property
    def own_size(self) -> int:
        """The characters of the cells, without child tables."""
        return sum(sum(map(len, column.cells)) + len(column.cells) for column in self.columns)

    @property
    def size(self) -> int:
        """The characters of the cells, child tables included."""
        return self.own_size + sum(child.size for child in self.children)

    @property
    def json_size(self) -> int:
        """About the characters of the rows as compact JSON, child tables included."""
        if self.form == "csv":
            return sum(map(len, self.source)) + len(self.source)
        names = sum(
            (len(column.path[-1]) + 5) * len(column.cells) for column in self.columns if column.path
        )
        return names + self.size + sum(child.json_size - child.size for child in self.children)


def frame_of(
    rows: list[Value],
    form: Form = "array",
    keys: list[str] | None = None,
    parents: list[int] | None = None,
) -> Frame:
    """Take an array apart."""
    columns: list[Column] = []
    order, regular = _regular_rows(rows)
    if not order:
        values = list(rows)
        fields = [_leaf(None, values, (), columns)]
        return Frame(rows, values, fields, columns, list(range(len(rows))), form, keys, parents)
    objects = rows if len(regular) == len(rows) else [rows[index] for index in regular]
    fields = _fields(objects, order, (), columns)
    frame = Frame(rows, list(rows), fields, columns, regular, form, keys, parents)
    _pull_out_lists(frame)
    return frame


def _regular_rows(rows: list[Value]) -> tuple[list[str], list[int]]:
    """Return the keys in the order of the header, and the rows that follow it."""
    shapes = Counter(tuple(row) for row in rows if type(row) is dict and row)
    if _fill(shapes) < _TABLE_FROM_FILL:
        return [], []
    order = _merged_order(shapes)
    fits = {shape for shape in shapes if _follows(shape, order)}
    if len(fits) == len(shapes) and sum(shapes.values()) == len(rows):
        return order, list(range(len(rows)))
    return order, [i for i, row in enumerate(rows) if type(row) is dict and tuple(row) in fits]


def _fill(shapes: Counter[tuple[str, ...]]) -> float:
    """Return which share of the cells a table of such rows would have something to hold."""
    names = {name for shape in shapes for name in shape}
    cells = sum(len(shape) * count for shape, count in shapes.items())
    return cells / (len(names) * sum(shapes.values())) if names else 0.0


def _merged_order(shapes: Counter[tuple[str, ...]]) -> list[str]:
    """Return one order of all keys, the most frequent rows' own where they disagree."""
    by_frequency = [shape for shape, _ in shapes.most_common()]
    order = list(by_frequency[0])
    known = set(order)
    for shape in by_frequency[1:]:
        at = 0
        for key in shape:
            if key in known:
                at = order.index(key) + 1
            else:
                order.insert(at, key)
                known.add(key)
                at += 1
    return order


def _follows(shape: tuple[str, ...], order: list[str]) -> bool:
    rest = iter(order)
    return all(key in rest for key in shape)


def _fields(
    objects: list[dict[str, Value]], order: list[str], path: tuple[str, ...], columns: list[Column]
) -> list[Field]:
    if all(len(item) == len(order) for item in objects):
        parted: Iterable[Sequence[Value]] = zip(*[item.values() for item in objects])
    else:
        parted = ([item.get(key, MISSING) for item in objects] for key in order)
    return [_field(key, list(values), (*path, key), columns) for key, values in zip(order, parted)]


def _field(key: str, values: list[Value], path: tuple[str, ...], columns: list[Column]) -> Field:
    if all(type(value) is dict and value for value in values):
        shapes = Counter(map(tuple, values))
        if _fill(shapes) >= _FLATTEN_FROM_FILL:
            order = _merged_order(shapes)
            if all(_follows(shape, order) for shape in shapes):
                return Field(key, _fields(values, order, path, columns))
    return _leaf(key, values, path, columns)


def _leaf(
    key: str | None, values: list[Value], path: tuple[str, ...], columns: list[Column]
) -> Field:
    kinds = set(map(type, values))
    shape = common_shape([v for v in values if v is not MISSING]) if kinds & {dict, list} else None
    only_text = str in kinds and kinds <= {str, type(None), Missing}
    text = only_text and any_looks_typed({value for value in values if type(value) is str})
    entry = Field(key, text=text, shape=shape)
    columns.append(Column(path, entry, values, write_cells(values, text, shape)))
    return entry


def _pull_out_lists(frame: Frame) -> None:
    """Make a table of its own of every list of objects that outweighs the rest of its rows."""
    for column in frame.columns:
        if list not in set(map(type, column.values)):
            continue
        lists = [value if type(value) is list else [] for value in column.values]
        items = list(chain.from_iterable(lists))
        weight = sum(map(len, column.cells))
        if len(items) < _NEST_FROM_ITEMS or 2 * weight < sum(
            len(c) for k in frame.columns for c in k.cells
        ):
            continue
        if set(map(type, items)) == {dict} and not any(
            type(v) in (dict, tuple, str) for v in column.values
        ):
            _pull_out(frame, column, lists, items)


def _pull_out(frame: Frame, column: Column, lists: list[list[Value]], items: list[Value]) -> None:
    parents = [index for index, found in zip(frame.regular, lists) for _ in found]
    column.child = frame_of(items, parents=parents)
    column.field.nested, column.field.shape = True, None
    column.values = [
        (f"+{len(found)}",) if found else value for found, value in zip(lists, column.values)
    ]
    column.cells = write_cells(column.values, False, None)
    for index, value in zip(frame.regular, column.values):
        if value is not MISSING:
            frame.rows[index] = _with_value(frame.rows[index], column.path, value)


def _with_value(row: dict[str, Value], path: tuple[str, ...], value: Value) -> dict[str, Value]:
    rest = path[1:]
    return {**row, path[0]: _with_value(row[path[0]], rest, value) if rest else value}
