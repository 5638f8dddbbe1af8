"""Fields of rows: finding them by the names in a condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import compress
from typing import Any, NamedTuple

from headroom_core.errors import ValidationError
from headroom_core.retrieval.comparisons import Passes, compose_letters, leaves
from headroom_core.tables.conditions import write_path
from headroom_core.tables.rows import RowSet
from headroom_core.text.exact_json import group_by_keys

Path = tuple[str, ...]
"""Keys that lead to a field."""


class Reader(NamedTuple):
    """Reader of the values of a field.

    Attributes:
        level: 0 if the rows have the field, 1 if those have it that they belong to, and so on.
        read: Returns the index of the row of each value, of the rows of that level, and the values.
    """

    level: int
    read: Callable[[], tuple[Sequence[int], list[Any]]]


MAX_KEYS = 20
"""Maximum number of keys in a path: deeper than data is nested, and bounds the work of a lookup."""

_MAX_CHECKS = 500_000
"""Maximum number of values that one condition may check: about half a second."""

_CHARS_PER_CHECK = 200
"""A longer string counts as several values."""

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


def _read_values(rows: Sequence[Any], path: Path) -> tuple[Sequence[int], list[Any]]:
    """Return the index of the row of each value at a path, and the values."""
    if len(path) == 1 and path[0].isascii():
        # The same as below, without a list for each row.
        return range(len(rows)), [row.get(path[0]) for row in rows]
    return _flatten(values_at(row, path) for row in rows)


def _flatten(values_of: Iterable[list[Any]]) -> tuple[list[int], list[Any]]:
    """Return the index of the list of each value, and the values."""
    pairs = [(index, value) for index, values in enumerate(values_of) for value in values]
    return [index for index, _ in pairs], [value for _, value in pairs]


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


class _KnownPaths:
    """The paths of the fields of rows, collected once when they are first asked for.

    Args:
        rows: Rows, as objects.
    """

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def find(self, paths: Sequence[Path]) -> Path | None:
        """Return the full path of a field that may have been named by the end of its path.

        It is the first of the paths that any row has, else the only path that ends with one of
        them, else that of the value of a bare row if the first begins with one of its names. None
        if there is no such field.

        Args:
            paths: What the name may mean.
        """
        for path in paths:
            if self._may_have(path) and any(_lookup(row, path) for row in self._rows):
                return path
        endings = {
            full
            for path in paths
            for name, full in self._by_last_part.get(_last_part(_dotted(path)), ())
            if name.endswith(_dotted(path))
        }
        if len(endings) == 1:
            return endings.pop()
        first, *rest = paths[0]
        bare = (_VALUE_NAMES[0], *rest)
        is_bare = first in _VALUE_NAMES and any(_lookup(row, bare) for row in self._rows)
        return bare if is_bare else None

    def _may_have(self, path: Path) -> bool:
        """Return whether any row may have a path, which saves looking for it in each."""
        # Indices into lists are in no path of a field.
        has_index = any(key.removeprefix("-").isdecimal() for key in path)
        return has_index or _dotted(path) in self._names

    @cached_property
    def _names(self) -> set[str]:
        """Full names of all fields, also of those in lists, with a dot before each key."""
        return {_dotted(path) for path, _ in self._found}

    @cached_property
    def _by_last_part(self) -> dict[str, list[tuple[str, Path]]]:
        """Names and paths of the fields that are in no list, by what follows the last dot.

        The items of lists may be the rows of a table of their own.
        """
        fields: dict[str, list[tuple[str, Path]]] = {}
        for path, is_in_list in self._found:
            if not is_in_list:
                name = _dotted(path)
                fields.setdefault(_last_part(name), []).append((name, path))
        return fields

    @cached_property
    def _found(self) -> set[tuple[Path, bool]]:
        found: set[tuple[Path, bool]] = set()
        stack: list[tuple[Path, Sequence[Any], bool]] = [((), self._rows, False)]
        while stack:
            path, objects, is_in_list = stack.pop()
            for keys, alike in group_by_keys(objects).items():
                found.update(((*path, key), is_in_list) for key in keys)
                if len(path) + 1 == MAX_KEYS:
                    continue
                for key, column in zip(keys, zip(*map(dict.values, alike))):
                    kinds = set(map(type, column))
                    if dict in kinds:
                        inner = [value for value in column if isinstance(value, dict)]
                        stack.append(((*path, key), inner, is_in_list))
                    if list in kinds:
                        lists = [value for value in column if isinstance(value, list)]
                        stack.append(((*path, key), list(_nested_objects(lists)), True))
        return found


def _dotted(path: Path) -> str:
    """Return a path as one text, with a dot before each key and its letters composed."""
    return compose_letters(f".{'.'.join(path)}")


def _last_part(name: str) -> str:
    return name.rpartition(".")[2]


class _Column(NamedTuple):
    """Values of a field in rows.

    Attributes:
        rows: Index of the row of each value.
        codes: Index of each value in `distinct`.
        distinct: Distinct values.
        weight: Number of values that a check of all of them counts for.
    """

    rows: Sequence[int]
    codes: Sequence[int]
    distinct: list[Any]
    weight: int


def _collect_distinct(rows: Sequence[int], values: list[Any]) -> _Column:
    """Return the column of the values in rows."""
    kinds = set(map(type, values))
    # Lists and objects have no hash: each is a value of its own.
    keys: list[Any] = values
    if kinds & {list, dict}:
        keys = [
            (index, None) if isinstance(value, (list, dict)) else (type(value), value)
            for index, value in enumerate(values)
        ]
    elif len(kinds) > 1:
        # 1 and True are equal, but no comparison takes them for the same.
        keys = list(zip(map(type, values), values))
    first = dict(zip(reversed(keys), reversed(range(len(keys)))))
    if len(first) == len(values):
        return _Column(rows, range(len(values)), values, _weigh_all(values))
    code_of = {key: code for code, key in enumerate(first)}
    distinct = [values[index] for index in first.values()]
    return _Column(rows, [code_of[key] for key in keys], distinct, _weigh_all(distinct))


def _weigh_all(values: list[Any]) -> int:
    if set(map(type, values)) == {str}:
        return len(values) + sum([len(value) // _CHARS_PER_CHECK for value in values])
    return sum(map(_weigh, values))


def _weigh(value: Any) -> int:
    if isinstance(value, str):
        return 1 + len(value) // _CHARS_PER_CHECK
    return 1 + len(leaves(value)) if isinstance(value, (list, dict)) else 1


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
        indices: Indices of all rows.
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
        self.indices = set(range(len(rows)))
        self._paths = [_KnownPaths(level) for level in self._levels]
        self._columns: dict[FieldName, _Column] = {}
        self._checks = 0
        self.names_table = False
        self.readers = {name: self._find(name) for name in names}

    def having(self, name: FieldName, passes: Passes) -> set[int]:
        """Return the indices of the rows in which a value of a field passes a check.

        Raises:
            ValidationError: There are more values to check than can be checked in a moment.
        """
        reader = self.readers[name]
        if reader is None:
            return set(self.indices) if passes([None])[0] else set()
        column = self._column(name, reader)
        self._checks += column.weight
        if self._checks > _MAX_CHECKS:
            raise ValidationError(
                f"where: too many comparisons for {len(self.indices)} rows: give fewer, or one "
                "with a list, such as id in [1, 2, 3]",
                {"where": name.written, "rows": len(self.indices)},
            )
        passing = passes(column.distinct)
        found = set(compress(column.rows, map(passing.__getitem__, column.codes)))
        if reader.level == 0:
            return found
        # The rows that belong to those.
        return {index for index, above in enumerate(self._numbers[reader.level]) if above in found}

    def _column(self, name: FieldName, reader: Reader) -> _Column:
        column = self._columns.get(name)
        if column is None:
            column = _collect_distinct(*reader.read())
            self._columns[name] = column
        return column

    def _find(self, name: FieldName) -> Reader | None:
        if name.tables:
            if not any(_ends_with(table, end) for table in self._tables for end in name.tables):
                return None
            self.names_table = True
        for level in range(name.level, len(self._levels)):
            path = self._paths[level].find(name.paths) if name.paths else ()
            if path is not None:
                return self._reader(level, path)
        return self._find_behind_table(name) or self._find_any_cell(name)

    def _reader(self, level: int, path: Path) -> Reader:
        rows = self._levels[level]
        numbers = range(len(rows))
        if not path:
            return Reader(level, lambda: (numbers, [*numbers]))
        return Reader(level, lambda: _read_values(rows, path))

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
        path = self._paths[0].find(paths) if paths else None
        if path is None:
            return None
        self.names_table = True
        return self._reader(0, path)

    def _find_any_cell(self, name: FieldName) -> Reader | None:
        """Find the cells of a row over several tables, of which each shows bare values."""
        bare = {(value_name,) for value_name in _VALUE_NAMES}
        if not self._is_joined or bare.isdisjoint(name.paths):
            return None
        return Reader(0, lambda: _flatten(map(leaves, self._levels[0])))


def _ends_with(path: Path, end: Path) -> bool:
    return path[-len(end) :] == end
