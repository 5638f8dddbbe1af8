"""The frame: an array split into columns of cells, on which every other step works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cached_property, partial
from graphlib import CycleError, TopologicalSorter
from itertools import chain, pairwise
from typing import Literal

from headroom_core.tables.cells import any_looks_typed, write_cells
from headroom_core.tables.csv.layout import Layout
from headroom_core.tables.header import MISSING, Field, Missing, find_common_shape
from headroom_core.text.constructors import as_number, find_constructor
from headroom_core.text.exact_json import Value
from headroom_core.text.line_style import BARE_LINES, LineStyle
from headroom_core.text.python_literal import SOURCE_SIGN
from headroom_core.text.spelling import COMPACT, Spelling

# With fewer items, the header of a table of their own costs more than it saves.
_MIN_NESTED_ITEMS = 5
# Below this share of filled cells, an object is shorter as JSON than as columns full of gaps.
_MIN_FLATTEN_FILL = 0.5
# Below this share, rows stay JSON: if every row has different keys, the size of a table grows with
# the square of the number of rows.
_MIN_TABLE_FILL = 0.2

Form = Literal["array", "headed", "object", "columns", "lines", "items", "csv"]
"""The notation of the source: a JSON array; one with the names of the columns as its first row; the
entries of a JSON object; members of an object, each a column; JSON lines; the items of a JSON array
without its brackets; or CSV."""


@dataclass
class Column:
    """Column of a frame: a leaf of the common structure of the rows.

    Values and cells are made when they are first asked for: few of the columns of a long original
    are, when some of its rows are retrieved.

    Attributes:
        path: The keys that lead to it; empty if the row is the value itself.
        field: Its entry in the header.
        source: What every regular row has in it, from which the values and cells are made.
        parse: Returns the values of items of the source.
        write: Returns the cells of items of the source; each depends on its own item only.
        child: The frame of the items if the cells only count them, else None.
    """

    path: tuple[str, ...]
    field: Field
    source: list[Value]
    parse: Callable[[list[Value]], list[Value]]
    write: Callable[[list[Value]], list[str]]
    child: Frame | None = None

    @cached_property
    def values(self) -> list[Value]:
        """The parsed value of every regular row, `MISSING` if the row has none."""
        return self.parse(self.source)

    @cached_property
    def cells(self) -> list[str]:
        """The values as they are written in the table."""
        return self.write(self.source)

    def pick_cells(self, indices: Sequence[int]) -> list[str]:
        """Return the cells with these indices, without making the others."""
        if len(indices) == len(self.source) or "cells" in vars(self):
            return [self.cells[index] for index in indices]
        return self.write([self.source[index] for index in indices])


@dataclass(slots=True)
class Frame:
    """Array of rows, split into columns.

    Attributes:
        source: The original items as rows; a list whose items are columns is an object in them.
        rows: The same, with the number of items instead of each list that became a child frame.
        fields: The entries of the header.
        columns: The columns, in the order of the header.
        regular_rows: Indices of the rows that the columns describe; the others are written as JSON.
        form: The notation of the source.
        keys: The keys of the entries of an object or of its columns, or None if there are none.
        parents: For each row, the index of the row in the parent frame that it belongs to, or None
            if there is no parent.
        layout: How the original is written around its cells if it is CSV.
        notes: The notes on the names of the columns if it is CSV.
        is_python: Whether the source is written as a Python literal instead of JSON.
        style: The text around the objects of JSON lines.
        spelling: How JSON is written, where that is part of the data.
        path: Where the rows are in their document: keys, and indices of lists.
        name: Distinguishes it from the other tables of its text; empty if it is the only one.
        title: The name if the header of the table shows it, else empty.
        aligned: The frames elsewhere in the document whose rows belong to its rows by their
            numbers, and itself; empty if there are none.
    """

    source: list[Value]
    rows: list[Value]
    fields: list[Field]
    columns: list[Column]
    regular_rows: list[int]
    form: Form = "array"
    keys: list[str] | None = None
    parents: list[int] | None = None
    layout: Layout = dataclass_field(default_factory=Layout)
    notes: list[str] = dataclass_field(default_factory=list)
    is_python: bool = False
    style: LineStyle = BARE_LINES
    spelling: Spelling = COMPACT
    path: tuple[str | int, ...] = ()
    name: str = ""
    title: str = ""
    aligned: Sequence[Frame] = dataclass_field(default=(), compare=False, repr=False)

    @property
    def children(self) -> list[Frame]:
        """The child frames, in the order of their columns."""
        return [column.child for column in self.columns if column.child]

    def find_parents(self, rows: Iterable[int]) -> set[int]:
        """Return the indices of the rows in the parent frame that the rows belong to."""
        return set() if self.parents is None else {self.parents[row] for row in rows}

    @property
    def separator(self) -> str:
        """The character between the cells of a line."""
        return self.layout.separator

    @property
    def is_scalar(self) -> bool:
        """Whether the rows are the values of a single column without a name."""
        return self.fields[0].name is None and not self.fields[0].children

    @property
    def is_rearranged(self) -> bool:
        """Whether the source is not simply the rows one after the other."""
        return self.form in ("headed", "columns") or any(
            item.is_list or item.spelling is not None for item in self.fields
        )

    @property
    def shown_keys(self) -> list[str] | None:
        """The keys, or None if there are none or they are the row numbers, 0, 1, 2 and so on."""
        if self.keys is None or self.keys == [str(n) for n in range(len(self.keys))]:
            return None
        return self.keys

    @property
    def own_size(self) -> int:
        """Number of characters of the cells and the keys, without child frames."""
        cells = [column.cells for column in self.columns] + [self.shown_keys or []]
        return sum(sum(map(len, column)) + len(column) for column in cells)

    @property
    def size(self) -> int:
        """Number of characters of the cells, including child frames."""
        return self.own_size + sum(child.size for child in self.children)

    @property
    def json_size(self) -> int:
        """Approximate number of characters in the notation of the source, with child frames."""
        if self.form == "csv":
            return sum(map(len, self.source)) + len(self.source)
        # Two quotes, a colon, a comma, and on average one more character around each key.
        names = sum(
            (len(column.path[-1]) + 5) * len(column.source)
            for column in self.columns
            if column.path
        )
        return names + self.size + sum(child.json_size - child.size for child in self.children)


def place_frame(frame: Frame, path: tuple[str | int, ...]) -> None:
    """Set where the rows of a frame and of its descendants are in their document."""
    frame.path = path
    for column in frame.columns:
        if column.child:
            place_frame(column.child, (*path, *column.path))


def build_frame(
    rows: list[Value],
    form: Form = "array",
    keys: list[str] | None = None,
    parents: list[int] | None = None,
    *,
    wrappers: Mapping[str | None, str | None] | None = None,
) -> Frame:
    """Split an array into columns.

    Args:
        rows: The items of the array.
        form: The notation of the source.
        keys: The keys of the entries if the source is an object.
        parents: For each row, the index of its row in the parent frame.
        wrappers: The fields, None for the row itself, whose objects are lists in the original, and
            the only key of the objects in these lists, if they hold objects.
    """
    columns: list[Column] = []
    order, regular_rows = _find_regular_rows(rows)
    if not order:
        values = list(rows)
        return Frame(
            source=rows,
            rows=values,
            fields=[_build_leaf(None, values, (), columns)],
            columns=columns,
            regular_rows=list(range(len(rows))),
            form=form,
            keys=keys,
            parents=parents,
        )
    is_regular = len(regular_rows) == len(rows)
    objects = rows if is_regular else [rows[index] for index in regular_rows]
    frame = Frame(
        source=rows,
        rows=list(rows),
        fields=_mark_lists(_build_fields(objects, order, (), columns), wrappers or {}),
        columns=columns,
        regular_rows=regular_rows,
        form=form,
        keys=keys,
        parents=parents,
    )
    _extract_nested_lists(frame)
    return frame


def _mark_lists(fields: list[Field], wrappers: Mapping[str | None, str | None]) -> list[Field]:
    """Mark the fields that are lists in the original."""
    for item in fields:
        if item.name in wrappers:
            item.is_list, item.wrapper = True, wrappers[item.name]
    if None in wrappers:
        return [Field(None, fields, is_list=True, wrapper=wrappers[None])]
    return fields


def _find_regular_rows(rows: list[Value]) -> tuple[list[str], list[int]]:
    """Return the keys in the order of the header, and the indices of the rows that follow it."""
    key_orders = Counter(tuple(row) for row in rows if type(row) is dict and row)
    if _compute_fill(key_orders) < _MIN_TABLE_FILL:
        return [], []
    order = _merge_orders(key_orders)
    fitting = {keys for keys in key_orders if _follows(keys, order)}
    if len(fitting) == len(key_orders) and sum(key_orders.values()) == len(rows):
        return order, list(range(len(rows)))
    regular_rows = [
        index for index, row in enumerate(rows) if type(row) is dict and tuple(row) in fitting
    ]
    return order, regular_rows


def _compute_fill(key_orders: Counter[tuple[str, ...]]) -> float:
    """Return the share of the cells of a table that would hold a value."""
    names = {name for keys in key_orders for name in keys}
    if not names:
        return 0.0
    filled = sum(len(keys) * count for keys, count in key_orders.items())
    return filled / (len(names) * sum(key_orders.values()))


def _merge_orders(key_orders: Counter[tuple[str, ...]]) -> list[str]:
    """Merge all key orders into one; where they disagree, the more frequent one wins."""
    by_frequency = [keys for keys, _ in key_orders.most_common()]
    order = list(by_frequency[0])
    known = set(order)
    for keys in by_frequency[1:]:
        position = 0
        for key in keys:
            if key in known:
                position = order.index(key) + 1
            else:
                order.insert(position, key)
                known.add(key)
                position += 1
    if all(_follows(keys, order) for keys in by_frequency):
        return order
    return _sort_by_precedence(by_frequency) or order


def _sort_by_precedence(key_orders: Iterable[tuple[str, ...]]) -> list[str]:
    """Return an order that all key orders follow, or an empty list if there is none."""
    predecessors: dict[str, set[str]] = {}
    for keys in key_orders:
        for key, following in pairwise(keys):
            predecessors.setdefault(following, set()).add(key)
    try:
        return list(TopologicalSorter(predecessors).static_order())
    except CycleError:
        return []


def _follows(keys: tuple[str, ...], order: list[str]) -> bool:
    """Return whether the keys are a subsequence of the order."""
    rest = iter(order)
    return all(key in rest for key in keys)


def _build_fields(
    objects: list[dict[str, Value]], order: list[str], path: tuple[str, ...], columns: list[Column]
) -> list[Field]:
    """Return the fields of objects, and append their columns to the given ones."""
    if set(map(len, objects)) == {len(order)}:
        value_lists: Iterable[Sequence[Value]] = zip(*[item.values() for item in objects])
    else:
        value_lists = ([item.get(key, MISSING) for item in objects] for key in order)
    return [
        _build_field(key, list(values), (*path, key), columns)
        for key, values in zip(order, value_lists)
    ]


def _build_field(
    key: str, values: list[Value], path: tuple[str, ...], columns: list[Column]
) -> Field:
    if set(map(type, values)) == {dict} and all(values):
        key_orders = Counter(map(tuple, values))
        if _compute_fill(key_orders) >= _MIN_FLATTEN_FILL:
            order = _merge_orders(key_orders)
            if all(_follows(keys, order) for keys in key_orders):
                return Field(key, _build_fields(values, order, path, columns))
    return _build_leaf(key, values, path, columns)


def _build_leaf(
    key: str | None, values: list[Value], path: tuple[str, ...], columns: list[Column]
) -> Field:
    kinds = set(map(type, values))
    if str in kinds and kinds <= {str, type(None), Missing}:
        sources = [value for value in values if type(value) is str]
        if all(value[:1] == SOURCE_SIGN for value in sources):
            return _build_constructed_leaf(key, values, path, columns)
    shape = None
    if kinds & {dict, list}:
        shape = find_common_shape([value for value in values if value is not MISSING])
    is_text = (
        str in kinds
        and kinds <= {str, type(None), Missing}
        and any_looks_typed({value for value in values if type(value) is str})
    )
    field = Field(key, is_text=is_text, shape=shape)
    write = partial(write_cells, is_text=is_text, shape=shape)
    columns.append(Column(path, field, values, parse=list, write=write))
    return field


def _build_constructed_leaf(
    key: str | None, values: list[Value], path: tuple[str, ...], columns: list[Column]
) -> Field:
    """Return the field of values that JSON lacks, and append a column of what they hold."""
    constructor = find_constructor(value[1:] for value in values if type(value) is str)
    held = [constructor.unwrap(value[1:]) if type(value) is str else value for value in values]
    field = Field(key, is_text=True, constructor=constructor)
    write = partial(write_cells, is_text=True)
    columns.append(Column(path, field, held, parse=_read_numbers, write=write))
    return field


def _read_numbers(held: list[Value]) -> list[Value]:
    return [as_number(value) if type(value) is str else value for value in held]


def _extract_nested_lists(frame: Frame) -> None:
    """Turn every list of objects that outweighs the rest of its rows into a child frame."""
    for number, column in enumerate(frame.columns):
        kinds = set(map(type, column.source))
        # The counts that replace the lists could be confused with other values in the column.
        if list not in kinds or kinds & {dict, tuple, str}:
            continue
        lists = [value if type(value) is list else [] for value in column.source]
        items = list(chain.from_iterable(lists))
        if len(items) < _MIN_NESTED_ITEMS or set(map(type, items)) != {dict}:
            continue
        if 2 * sum(map(len, column.cells)) >= _measure_cells(frame):
            frame.columns[number] = _extract_nested_list(frame, column, lists, items)


def _measure_cells(frame: Frame) -> int:
    return sum(len(cell) for column in frame.columns for cell in column.cells)


def _extract_nested_list(
    frame: Frame, column: Column, lists: list[list[Value]], items: list[Value]
) -> Column:
    """Return the column that counts the items, which become rows of a child frame."""
    parents = [row for row, nested in zip(frame.regular_rows, lists) for _ in nested]
    column.field.is_nested, column.field.shape = True, None
    counts = [
        (f"+{len(nested)}",) if nested else value for nested, value in zip(lists, column.source)
    ]
    for row, value in zip(frame.regular_rows, counts):
        if value is not MISSING:
            frame.rows[row] = replace_value(frame.rows[row], column.path, value)
    write = partial(write_cells, is_text=False)
    child = build_frame(items, parents=parents)
    return replace(column, source=counts, write=write, child=child)


def replace_value(row: dict[str, Value], path: tuple[str, ...], value: Value) -> dict[str, Value]:
    """Return a copy of a row with another value at a path."""
    rest = path[1:]
    return {**row, path[0]: replace_value(row[path[0]], rest, value) if rest else value}
