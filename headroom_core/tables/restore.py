"""Put rows back into the form of their source: lists instead of named values, columns, a header."""

from __future__ import annotations

from collections.abc import Sequence

from headroom_core.tables.header import MISSING, Field
from headroom_core.text.exact_json import Value, dumps


def restore_rows(rows: list[Value], fields: Sequence[Field]) -> list[Value]:
    """Return rows with a list or a string wherever the original has one instead of an object.

    Args:
        rows: The rows, with an object for each list of columns and each string with an object.
        fields: The entries of the header.
    """
    changed = [item for item in fields if item.is_list or item.spelling is not None]
    return [_restore_row(row, changed) for row in rows] if changed else rows


def _restore_row(row: Value, changed: list[Field]) -> Value:
    if type(row) is not dict:
        return row
    if changed[0].name is None:
        return _restore_list(row, changed[0])
    restored = {
        item.name: _restore_field(row[item.name], item) for item in changed if item.name in row
    }
    return {**row, **restored}


def _restore_field(value: Value, item: Field) -> Value:
    if item.spelling is None:
        return _restore_list(value, item)
    return item.spelling.dumps(value) if type(value) is dict else value


def _restore_list(values: dict[str | None, Value], item: Field) -> list[Value]:
    names = [child.name for child in item.children]
    if item.wrapper is None:
        return [values[name] for name in names if name in values]
    return [{item.wrapper: values[name]} if name in values else {} for name in names]


def restore_header_row(fields: Sequence[Field]) -> Value:
    """Return the first row of a source whose first row has the names of the columns."""
    names: dict[str | None, Value] = {
        item.name: {child.name: child.name for child in item.children} for item in fields
    }
    return restore_rows([names.get(None, names)], fields)[0]


def restore_members(
    rows: list[Value], fields: Sequence[Field], keys: Sequence[str] | None
) -> dict[str, Value]:
    """Return the members of an object whose columns the rows are.

    Args:
        rows: The rows as `restore_rows` returns them.
        fields: The entries of the header.
        keys: The keys of the values in each column, or None if the columns are lists.
    """
    members: dict[str, Value] = {}
    for item in fields:
        name = str(item.name)
        if item.aside is not MISSING:
            members[name] = item.aside
            continue
        values = [row[name] for row in rows]
        members[name] = values if keys is None else dict(zip(keys, values))
    return members


def describe_layout(fields: Sequence[Field]) -> list[object]:
    """Return a value that is equal for the fields of tables that are restored alike."""
    return [
        (
            item.name,
            item.is_list,
            item.wrapper,
            item.spelling,
            "" if item.aside is MISSING else dumps(item.aside),
            describe_layout(item.children),
        )
        for item in fields
    ]
