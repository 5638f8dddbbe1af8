"""Rows that are lists, or hold lists, of one value for each column: named and made into objects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from headroom_core.tables.frame import Form, Frame, build_frame
from headroom_core.tables.names import DocumentNames, Path, is_header, name_values
from headroom_core.tables.restore import restore_header_row, restore_rows
from headroom_core.text.exact_json import Value, fingerprint

# Fewer rows are weak evidence, and a header costs more than it saves.
_MIN_ROWS = 5
# The share of the rows that must be lists no longer than there are names.
_MIN_REGULAR_SHARE = 0.9
# Key of the value in an object that stands for a cell. Their places in a list name the values if
# nothing else does. Must not match the keys of objects that are rows: `name`, `id`, `sha`.
_VALUE_KEY = re.compile(r"v|val|.*value", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Named:
    """Rows with names instead of places.

    Attributes:
        rows: The rows, with an object instead of each list.
        wrappers: The fields that were lists, None for the row itself, and the only key of the
            objects in these lists, if they hold objects.
        is_headed: Whether the first item has the names and is no row.
    """

    rows: list[Value]
    wrappers: dict[str | None, str | None]
    is_headed: bool


def build_named_frame(items: list[Value], path: Path, names: DocumentNames) -> Frame | None:
    """Return the frame of rows that are lists, or hold lists, with the columns' names.

    Args:
        items: The items of an array.
        path: Where the array is in its document.
        names: The names that the document has.

    Returns:
        The frame, or None if the rows have no such lists, or nothing names the columns.
    """
    if len(items) < _MIN_ROWS:
        return None
    named = None
    if type(items[0]) is list:
        named = _name_rows(items, path, names)
    elif type(items[0]) is dict:
        named = _name_fields(items, path, names)
    if named is None:
        return None
    form: Form = "headed" if named.is_headed else "array"
    frame = build_frame(named.rows, form, wrappers=named.wrappers)
    restored = restore_rows(frame.source, frame.fields)
    if named.is_headed:
        restored = [restore_header_row(frame.fields), *restored]
    return frame if fingerprint(restored) == fingerprint(items) else None


def _name_rows(items: list[Value], path: Path, names: DocumentNames) -> _Named | None:
    """Name the values of rows that are lists."""
    lists = [item for item in items if type(item) is list]
    if len(lists) < _MIN_REGULAR_SHARE * len(items):
        return None
    wrapper = _find_wrapper(lists)
    columns = _unwrap_header(items, wrapper)
    rows = items[1:] if columns else items
    if columns is None:
        columns = names.find(path, "", max(map(len, lists)))
    if not columns or sum(len(row) <= len(columns) for row in lists) < _MIN_REGULAR_SHARE * len(
        items
    ):
        return None
    named = [
        name_values(row, columns, wrapper)
        if type(row) is list and len(row) <= len(columns)
        else row
        for row in rows
    ]
    return _Named(named, {None: wrapper}, is_headed=len(rows) < len(items))


def _name_fields(items: list[Value], path: Path, names: DocumentNames) -> _Named | None:
    """Name the values of lists that are fields of rows."""
    if not any(type(value) is list for value in items[0].values()):
        return None
    if not all(type(item) is dict for item in items):
        return None
    lists_of = {
        key: lists
        for key, value in items[0].items()
        if type(value) is list and (lists := _collect_lists(items, key))
    }
    if len(items[0]) == 1 and lists_of:
        ((key, lists),) = lists_of.items()
        wrapper = _find_wrapper(lists)
        columns = _unwrap_header(lists, wrapper)
        if columns:
            rows: list[Value] = [{key: name_values(row, columns, wrapper)} for row in lists[1:]]
            return _Named(rows, {key: wrapper}, is_headed=True)
    columns_of: dict[str, tuple[str, ...]] = {}
    for key, lists in lists_of.items():
        taken = [name for found in columns_of.values() for name in found]
        columns = names.find(path, key, len(lists[0]), taken)
        # Places are names enough where the rows are nothing but lists of wrapped values.
        if columns is None and len(lists_of) == len(items[0]) and _find_wrapper(lists):
            columns = tuple(map(str, range(len(lists[0]))))
        if columns:
            columns_of[key] = columns
    if not columns_of:
        return None
    wrappers: dict[str | None, str | None] = {
        key: _find_wrapper(lists_of[key]) for key in columns_of
    }
    rows = [
        {
            key: name_values(value, columns_of[key], wrappers[key]) if key in columns_of else value
            for key, value in item.items()
        }
        for item in items
    ]
    return _Named(rows, wrappers, is_headed=False)


def _collect_lists(items: list[Value], key: str) -> list[list[Value]] | None:
    """Return the lists of cells in a field, or None if a row has none, or one of another length."""
    lists = [item.get(key) for item in items]
    if set(map(type, lists)) != {list} or len(set(map(len, lists))) > 1:
        return None
    return lists if lists[0] and _are_cells(lists[0]) else None


def _are_cells(values: list[Value]) -> bool:
    """Return whether values are scalars, or objects that hold the value of a cell."""
    return all(
        any(map(_VALUE_KEY.fullmatch, value)) if type(value) is dict else type(value) is not list
        for value in values
        if value != {}
    )


def _find_wrapper(lists: Sequence[list[Value]]) -> str | None:
    """Return the only key of the objects that lists consist of, if any; some may be empty."""
    if not all(type(item) is dict and len(item) <= 1 for item in lists[0]):
        return None
    wrapper = next((key for item in lists[0] for key in item), None)
    only = {wrapper}
    fits = all(type(item) is dict and item.keys() <= only for values in lists for item in values)
    return wrapper if fits else None


def _unwrap_header(rows: list[Value], wrapper: str | None) -> tuple[str, ...] | None:
    """Return the values of the first row if it names the columns."""
    lists = [row for row in rows if type(row) is list]
    if not lists or lists[0] is not rows[0]:
        return None
    if wrapper is not None:
        lists = [[item.get(wrapper) for item in row] for row in lists]
    return tuple(lists[0]) if is_header(lists) else None
