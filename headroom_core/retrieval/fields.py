"""Fields of rows: finding them by the names in a condition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from headroom_core.retrieval.comparisons import compose_letters, leaves
from headroom_core.tables.conditions import write_path
from headroom_core.tables.rows import RowSet

Path = tuple[str, ...]
"""Keys that lead to a field."""

Reader = Callable[[int], list[Any]]
"""Returns the values of a field in the row with an index."""

MAX_KEYS = 20
"""Maximum number of keys in a path: deeper than data is nested, and bounds the work of a lookup."""

# An index into a list that Python can hold; longer digits are a key.
_MAX_INDEX_DIGITS = 9

# Names of the field of a row that is a bare value: the first is the one in `as_objects`, and the
# header of a table shows a dot.
_VALUE_NAMES = ("value", "values", ".")


class FieldName(NamedTuple):
    """Name of a field in a condition.

    Attributes:
        written: Name as it was written.
        paths: What it may mean, the likeliest first. Empty for the row number.
        level: 0 for a field of the row, 1 for one of the row that it belongs to, and so on.
        tables: What the name of a table before it may mean; empty if there is none.
    """

    written: str
    paths: tuple[Path, ...]
    level: int = 0
    tables: tuple[Path, ...] = ()


def as_objects(rows: Sequence[Any]) -> list[Any]:
    """Return the rows, with bare values as objects with the field `value`."""
    return [row if isinstance(row, dict) else {_VALUE_NAMES[0]: row} for row in rows]


def field_names(rows: Sequence[Any], limit: int) -> list[str]:
    """Return the names of the first fields of rows in order of appearance, as `where` reads them.

    Args:
        rows: Rows to look at, until there are enough names.
        limit: Maximum number of names.

    Example:
        >>> rows = [{"id": 1, "owner": {"login": "ann"}}, {"id": 2, "labels": [{"name": "bug"}]}]
        >>> field_names(rows, 10)
        ['id', 'owner.login', 'labels', 'labels.name']
    """
    paths: dict[Path, None] = {}
    for row in as_objects(rows):
        for path, value, _ in _walk(row):
            if not isinstance(value, dict):
                paths[path] = None
        if len(paths) >= limit:
            break
    return [write_path(path) for path in paths][:limit]


def values_at(row: Any, path: Path) -> list[Any]:
    """Return the values at a path: one for each item of a list on the way; null if missing.

    A path with dots may lead to several values, of which each counts.

    Example:
        >>> values_at({"labels": [{"name": "bug"}, {"name": "ui"}, {}]}, ("labels", "name"))
        ['bug', 'ui']
        >>> values_at({"a": {"b": 1}, "a.b": 2}, ("a", "b"))
        [1, 2]
    """
    return _lookup(row, path) or [None]


def _lookup(value: Any, path: Path) -> list[Any]:
    """Return the values at a path, or an empty list if there is none."""
    if not path:
        return [value]
    if isinstance(value, dict):
        # A key may itself contain dots, so several steps of the path may be one key.
        keys = [(".".join(path[:count]), path[count:]) for count in range(1, len(path) + 1)]
        return [
            found
            for key, rest in keys
            for name in ([key] if key in value else _find_equal_keys(value, key))
            for found in _lookup(value[name], rest)
        ]
    if isinstance(value, list):
        return _lookup_index(value, path) or [
            found for item in _nested_objects(value) for found in _lookup(item, path)
        ]
    return []


def _find_equal_keys(value: dict[str, Any], key: str) -> list[str]:
    """Return the keys that only differ from another in how Unicode composes their letters."""
    if key.isascii():
        return []
    normalized = compose_letters(key)
    return [
        other for other in value if not other.isascii() and compose_letters(other) == normalized
    ]


def _lookup_index(items: list[Any], path: Path) -> list[Any]:
    """Return the values at a path whose first key is an index into a list."""
    if not path[0].removeprefix("-").isdecimal() or len(path[0]) > _MAX_INDEX_DIGITS:
        return []
    index = int(path[0])
    return _lookup(items[index], path[1:]) if -len(items) <= index < len(items) else []


def _nested_objects(items: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects in a list and in lists inside it, in order."""
    # A stack instead of recursion, because originals may be nested arbitrarily deep.
    stack = items[::-1]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
        elif isinstance(item, list):
            stack.extend(reversed(item))


def find_path(paths: Sequence[Path], rows: Sequence[Any]) -> Path | None:
    """Return the full path of a field that a user or model may have named by the end of its path.

    It is the first of the paths that any row has, else the only path that ends with one of them,
    else that of the value of a bare row if the first begins with one of its names. None if there
    is no such field.

    Args:
        paths: What the name may mean.
        rows: Rows to find it in.
    """
    for path in paths:
        if any(_lookup(row, path) for row in rows):
            return path
    ends = tuple(compose_letters(f".{'.'.join(path)}") for path in paths)
    # Not inside lists, whose items may be the rows of a table of their own.
    known = {path for row in rows for path, _, is_in_list in _walk(row) if not is_in_list}
    endings = {path for path in known if compose_letters(f".{'.'.join(path)}").endswith(ends)}
    if len(endings) == 1:
        return endings.pop()
    first, *rest = paths[0]
    bare = (_VALUE_NAMES[0], *rest)
    is_bare = first in _VALUE_NAMES and any(_lookup(row, bare) for row in rows)
    return bare if is_bare else None


def _walk(row: Any) -> Iterator[tuple[Path, Any, bool]]:
    """Yield the path and value of every field of a row, and whether it is inside a list."""
    stack: list[tuple[Path, Any, bool]] = [((), row, False)]
    while stack:
        path, value, is_in_list = stack.pop()
        if path:
            yield path, value, is_in_list
        if len(path) == MAX_KEYS:
            continue
        if isinstance(value, dict):
            entries = [((*path, key), item, is_in_list) for key, item in value.items()]
            stack.extend(reversed(entries))
        elif isinstance(value, list):
            entries = [
                ((*path, key), item, True)
                for nested in _nested_objects(value)
                for key, item in nested.items()
            ]
            stack.extend(reversed(entries))


class FieldValues:
    """Values of the fields that a condition names, in each row.

    Args:
        rows: Rows.
        names: Names of the fields in the condition.
        row_set: Row set that the rows are. A name may begin with the name of a table in it, or
            with its end. None for rows without a table.

    Attributes:
        names_table: Whether a name begins with the name of the table.
        readers: Function for each field that returns its values in the row with an index. None if
            there is no such field.
    """

    def __init__(
        self, rows: Sequence[Any], names: Sequence[FieldName], row_set: RowSet | None = None
    ) -> None:
        ancestors = row_set.ancestors if row_set else []
        self._numbers = [range(len(rows)), *[ancestor.numbers for ancestor in ancestors]]
        self._levels = [as_objects(rows), *[as_objects(ancestor.rows) for ancestor in ancestors]]
        self._tables = row_set.tables if row_set else []
        self._is_joined = row_set is not None and bool(row_set.frame.aligned)
        self.names_table = False
        self.readers = {name: self._find(name) for name in names}

    def values(self, name: FieldName, index: int) -> list[Any]:
        """Return the values of a field of the condition in a row."""
        read = self.readers[name]
        return [None] if read is None else read(index)

    def _find(self, name: FieldName) -> Reader | None:
        if name.tables:
            if not any(_ends_with(table, end) for table in self._tables for end in name.tables):
                return None
            self.names_table = True
        for level in range(name.level, len(self._levels)):
            path = find_path(name.paths, self._levels[level]) if name.paths else ()
            if path is not None:
                return self._reader(level, path)
        return self._find_behind_table(name) or self._find_any_cell(name)

    def _reader(self, level: int, path: Path) -> Reader:
        numbers, rows = self._numbers[level], self._levels[level]
        if not path:
            return lambda index: [numbers[index]]
        return lambda index: values_at(rows[numbers[index]], path)

    def _find_behind_table(self, name: FieldName) -> Reader | None:
        """Find a field that is named with its table before it: `data.orders.id`, `orders.id`.

        The table alone names the value of a bare row.
        """
        ends = [table[start:] for table in self._tables for start in range(len(table))]
        paths = [
            path[len(end) :] or _VALUE_NAMES[:1]
            for path in name.paths
            for end in ends
            if path[: len(end)] == end
        ]
        path = find_path(paths, self._levels[0]) if paths else None
        if path is None:
            return None
        self.names_table = True
        return self._reader(0, path)

    def _find_any_cell(self, name: FieldName) -> Reader | None:
        """Find the cells of a row over several tables, of which each shows bare values."""
        bare = {(value_name,) for value_name in _VALUE_NAMES}
        if not self._is_joined or bare.isdisjoint(name.paths):
            return None
        return lambda index: leaves(self._levels[0][index])


def _ends_with(path: Path, end: Path) -> bool:
    return path[-len(end) :] == end
