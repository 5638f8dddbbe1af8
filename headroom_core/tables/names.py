"""Names of the columns of rows that are lists: a header row above them, or a list elsewhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from headroom_core.text.exact_json import Value

Path = tuple[str | int, ...]
"""Keys and indices that lead to a value in a document."""

# With fewer rows below it, a header row is hard to tell from the others.
_MIN_ROWS = 4
# Rows of a header's kind are compared with at most this many rows below it.
_MAX_COMPARED_ROWS = 200
# The share of cells that must have what the name above them lacks.
_MOST = 0.9
# Values must repeat as often as this before a name that is not among them stands out.
_MIN_REPEATING_ROWS = 8
# Signs of addresses, paths and times. A name above such cells has none.
_SIGNS = ("@", "://", "/", ":")
_DIGIT = re.compile(r"\d")

# Longer lists hold data, not the names of columns.
_MAX_NAMES = 300
_MAX_SEARCHED_ITEMS = 64
# Keys of lists with the names of columns, such as `columnInfo`, `schema.fields` or `headers`. Must
# not match the keys of other lists of strings, which are as long as a row by chance.
_NAMES_KEY = re.compile(
    r"col(?:umn|s|_|$)|field|head|name|schema|dimension|metric|label|attribute|propert|variable"
    r"|^keys$",
    re.IGNORECASE,
)
# Keys of lists that describe columns, an object or a list for each, besides those: `metaData`,
# `rowType`, `description`. Must not be tried for a list of strings.
_DESCRIPTIONS_KEY = re.compile(r"meta|type|descri|info|element", re.IGNORECASE)
# Key of the name in the description of a column.
_NAME_KEY = re.compile(r".*(?:name|label|title|field|column|id|key)", re.IGNORECASE)
# Beside the rows, a list of this many names is as long as a row hardly by chance.
_MIN_TELLING_NAMES = 4


def is_header(rows: Sequence[Sequence[Value]]) -> bool:
    """Return whether the first row names the values below it.

    The names are distinct strings of which none is found below, and at least one of them stands
    above values of another kind.

    Args:
        rows: The rows, the possible header first.

    Example:
        >>> is_header([["region", "sold"], ["north", "12"], ["south", "7"], *[["east", "9"]] * 3])
        True
        >>> is_header([["north", "south"], ["east", "west"], *[["up", "down"]] * 3])
        False
    """
    names, below = rows[0], rows[1 : 1 + _MAX_COMPARED_ROWS]
    if len(names) < 2 or len(below) < _MIN_ROWS or set(map(type, names)) != {str}:
        return False
    if len(set(names)) < len(names) or not any(len(row) == len(names) for row in below):
        return False
    columns = [
        [row[index] for row in below if index < len(row) and row[index] not in (None, "")]
        for index in range(len(names))
    ]
    if any(name in cells for name, cells in zip(names, columns)):
        return False
    return any(map(_stands_out, names, columns))


def _stands_out(name: str, cells: list[Value]) -> bool:
    """Return whether the cells of a column are of another kind than the name above them."""
    if len(cells) < _MIN_ROWS:
        return False
    strings = [cell for cell in cells if type(cell) is str]
    if len(strings) < (1 - _MOST) * len(cells):
        return True
    if len(strings) < _MOST * len(cells):
        return False
    most = _MOST * len(cells)
    if not _DIGIT.search(name) and sum(map(bool, map(_DIGIT.search, strings))) >= most:
        return True
    if any(sign not in name and sum(sign in cell for cell in strings) >= most for sign in _SIGNS):
        return True
    return len(cells) >= _MIN_REPEATING_ROWS and 2 * len(set(strings)) <= len(cells)


@dataclass(frozen=True, slots=True)
class _NameList:
    """List in a document that may name columns.

    Attributes:
        path: Where it is.
        names: The names, all distinct.
        is_described: Whether they stand in descriptions of the columns.
    """

    path: Path
    names: tuple[str, ...]
    is_described: bool

    @property
    def key(self) -> str:
        """The last key on the way to it."""
        return next((key for key in reversed(self.path) if isinstance(key, str)), "")


class DocumentNames:
    """Lists in a document that may name the columns of rows elsewhere in it.

    Args:
        document: The document.
    """

    def __init__(self, document: Value) -> None:
        self._document = document

    @cached_property
    def _by_width(self) -> dict[int, list[_NameList]]:
        """The lists by their length; found when rows first need names."""
        found: dict[int, list[_NameList]] = {}
        stack: list[tuple[Path, Value]] = [((), self._document)]
        while stack:
            path, value = stack.pop()
            entries: list[tuple[str | int, Value]] = []
            if type(value) is dict:
                entries = list(value.items())
            elif type(value) is list:
                names = _read_names(value)
                if names:
                    is_described = type(value[0]) is not str
                    name_list = _NameList(path, names, is_described)
                    found.setdefault(len(names), []).append(name_list)
                if len(value) <= _MAX_SEARCHED_ITEMS:
                    entries = list(enumerate(value))
            stack += [
                ((*path, key), item)
                for key, item in reversed(entries)
                if type(item) in (dict, list)
            ]
        return found

    def find(
        self, path: Path, key: str, width: int, taken: Collection[str] = ()
    ) -> tuple[str, ...] | None:
        """Return the names of the values in lists of some width, or None if there are none.

        The nearest list of as many names counts; among several, the one with the most similar key.

        Args:
            path: Where the rows are.
            key: The key of the field with the lists; empty if the rows are the lists.
            width: The number of values in each list.
            taken: Names that other lists of the same rows have.
        """
        candidates = [
            candidate
            for candidate in self._by_width.get(width, ())
            if _may_name(candidate, path) and set(taken).isdisjoint(candidate.names)
        ]
        rows_key = key or next((str(part) for part in reversed(path)), "")

        def measure_nearness(candidate: _NameList) -> tuple[int, bool, int]:
            return (
                _count_shared(candidate.path, path),
                bool(_NAMES_KEY.search(candidate.key)),
                _count_shared(candidate.key.lower(), rows_key.lower()),
            )

        best = max(candidates, key=measure_nearness, default=None)
        return None if best is None else best.names


def _may_name(candidate: _NameList, path: Path) -> bool:
    if candidate.path[: len(path)] == path:
        return False
    if _NAMES_KEY.search(candidate.key):
        return True
    if candidate.is_described and _DESCRIPTIONS_KEY.search(candidate.key):
        return True
    is_beside = candidate.path[:-1] == path[:-1] and isinstance(candidate.path[-1], str)
    return is_beside and len(candidate.names) >= _MIN_TELLING_NAMES


def _count_shared(first: Sequence[object], second: Sequence[object]) -> int:
    """Return the number of parts with which both begin."""
    count = 0
    for part, other in zip(first, second):
        if part != other:
            break
        count += 1
    return count


def _read_names(items: list[Value]) -> tuple[str, ...] | None:
    """Return distinct strings: the items themselves, or their names if they describe columns."""
    if not items or len(items) > _MAX_NAMES:
        return None
    kinds = set(map(type, items))
    if kinds == {str}:
        return tuple(items) if _are_names(items) else None
    if kinds == {list}:
        names = [item[0] for item in items if item]
        return tuple(names) if len(names) == len(items) and _are_names(names) else None
    if kinds != {dict}:
        return None
    keys = sorted(items[0], key=lambda key: (key.lower() != "name", not _NAME_KEY.fullmatch(key)))
    for key in keys:
        names = [item.get(key) for item in items]
        if _are_names(names):
            return tuple(names)
    return None


def _are_names(values: Sequence[Value]) -> bool:
    """Return whether values are distinct strings, none of them empty."""
    return set(map(type, values)) == {str} and all(values) and len(set(values)) == len(values)


def name_values(
    values: list[Value], columns: Sequence[str], wrapper: str | None = None
) -> dict[str, Value]:
    """Return the values of a list by their names.

    Args:
        values: The values; fewer than there are columns if the last are missing.
        columns: The names.
        wrapper: The only key of the objects that hold the values. Defaults to bare values.
    """
    if wrapper is None:
        return dict(zip(columns, values))
    return {name: item[wrapper] for name, item in zip(columns, values) if item}
