"""The fields of rows, and how their values compare with what somebody wrote."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

Path = tuple[str, ...]

MAX_KEYS = 20
"""The most keys in a path."""

NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d{1,6})?", re.ASCII)
"""A number as JSON writes it, a plus sign allowed; its exponent within what can be compared quickly."""

_ITSELF = ("value", "values", ".")
"""What a row that is a bare value may be called: a table's header shows it as a dot."""


def named(rows: Sequence[Any]) -> list[Any]:
    """Return the rows, bare values as rows with the field `value`."""
    return [row if isinstance(row, dict) else {_ITSELF[0]: row} for row in rows]


def field_names(rows: Sequence[Any], limit: int) -> list[str]:
    """Return the names of the first fields of the rows, dotted where they are nested, in order of appearance.

    Example:
        >>> field_names([{"id": 1, "owner": {"login": "ann"}}, {"id": 2, "labels": [{"name": "bug"}]}], 10)
        ['id', 'owner.login', 'labels', 'labels.name']
    """
    names: dict[str, None] = {}
    for row in named(rows):
        for path, value, _ in _fields(row):
            if not isinstance(value, dict):
                names[".".join(path)] = None
        if len(names) >= limit:
            break
    return list(names)[:limit]


def has_field(rows: Sequence[Any], path: Path) -> bool:
    """Return whether any row has the field, by its whole path or the end of it."""
    rows = named(rows)
    where = place(path, rows)
    return any(_found(row, where) for row in rows)


def values_at(row: Any, path: Path) -> list[Any]:
    """Return what stands at a path: a value, or one for each item of a list on the way; a missing field is null.

    Example:
        >>> values_at({"labels": [{"name": "bug"}, {"name": "ui"}, {}]}, ("labels", "name"))
        ['bug', 'ui']
    """
    return _found(row, path) or [None]


def _found(value: Any, path: Path) -> list[Any]:
    # A key may itself hold dots, so that a path may have fewer steps than keys.
    if not path:
        return [value]
    if isinstance(value, dict):
        for count in range(1, len(path) + 1):
            key = path[0] if count == 1 else ".".join(path[:count])
            if key in value and (found := _found(value[key], path[count:])):
                return found
    if isinstance(value, list):
        return _indexed(value, path) or [
            found for item in _objects(value) for found in _found(item, path)
        ]
    return []


def _indexed(items: list[Any], path: Path) -> list[Any]:
    if not path[0].removeprefix("-").isdecimal() or len(path[0]) > 9:
        return []
    index = int(path[0])
    return _found(items[index], path[1:]) if -len(items) <= index < len(items) else []


def _objects(items: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects in a list and in lists inside it, in order."""
    waiting = items[::-1]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
        elif isinstance(item, list):
            waiting.extend(reversed(item))


def place(path: Path, rows: Sequence[Any]) -> Path:
    """Return the path itself where a row has it, else the only one that ends so, else that of a bare value's name."""
    if any(_found(row, path) for row in rows):
        return path
    end = "." + ".".join(path)
    # Not inside lists, whose items may be the rows of a table of their own.
    endings = {
        other
        for row in rows
        for other, _, listed in _fields(row)
        if not listed and _ends(other, end)
    }
    if len(endings) == 1:
        return endings.pop()
    return (_ITSELF[0], *path[1:]) if path[0] in _ITSELF else path


def _ends(path: Path, end: str) -> bool:
    return f".{'.'.join(path)}".endswith(end)


def _fields(row: Any) -> Iterator[tuple[Path, Any, bool]]:
    """Yield the path and value of everything that has a name in the row, and whether it is inside a list."""
    waiting: list[tuple[Path, Any, bool]] = [((), row, False)]
    while waiting:
        path, value, listed = waiting.pop()
        if path:
            yield path, value, listed
        if len(path) == MAX_KEYS:
            continue
        if isinstance(value, dict):
            waiting.extend([((*path, key), item, listed) for key, item in reversed(value.items())])
        elif isinstance(value, list):
            inside = [
                ((*path, key), item, True)
                for found in _objects(value)
                for key, item in found.items()
            ]
            waiting.extend(reversed(inside))


# Comparisons of a row's value with the expression's.


def _as_number(value: Any) -> Decimal | None:
    if isinstance(value, str):
        return Decimal(value) if NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or value != value:
        return None
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _equal(value: Any, other: Any) -> bool:
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(_equal, value, other))
    if isinstance(value, str) and isinstance(other, str):
        return value == other
    if isinstance(value, bool) or isinstance(other, bool):
        return _spelt(value) == _spelt(other) is not None
    number = _as_number(value)
    return number == _as_number(other) if number is not None else value is None and other is None


def _spelt(value: Any) -> str | None:
    """Return how a table shows a boolean or a string, whatever the case."""
    return str(value).lower() if isinstance(value, (bool, str)) else None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(value: Any, other: Any) -> bool:
        number, limit = _as_number(value), _as_number(other)
        if number is not None and limit is not None:
            return compare(number, limit)
        return isinstance(value, str) and isinstance(other, str) and compare(value, other)

    return check


def _among(value: Any, others: list[Any]) -> bool:
    return any(_equal(value, other) for other in others)


def _contains(value: Any, part: Any) -> bool:
    if isinstance(value, (list, dict)):
        return any(
            _equal(item, part) or _folded(item) == _folded(part) != ""
            for item in [*value, *leaves(value)]
        )
    return _folded(part) in _folded(value) and _folded(part) != ""


def leaves(value: Any) -> list[Any]:
    """Return everything in a value that holds nothing itself, in any order.

    Example:
        >>> sorted(leaves([{"name": "bug", "by": ["ann", "bob"]}, "ui"]))
        ['ann', 'bob', 'bug', 'ui']
    """
    found: list[Any] = []
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
        else:
            found.append(part)
    return found


def _folded(value: Any) -> str:
    """Return a string or a number as text to look into, other values as nothing."""
    if isinstance(value, int):
        value = Decimal(value)  # because `str` refuses integers of more than 4,300 digits
    return str(value).casefold() if isinstance(value, (str, float, Decimal)) else ""


def _any_item(check: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return the check that also holds for a list when it holds for one of its items."""

    def check_any(value: Any, other: Any) -> bool:
        return check(value, other) or (
            isinstance(value, list) and any(check(item, other) for item in value)
        )

    return check_any


CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _any_item(_equal),
    "<": _any_item(_ordered(operator.lt)),
    "<=": _any_item(_ordered(operator.le)),
    ">": _any_item(_ordered(operator.gt)),
    ">=": _any_item(_ordered(operator.ge)),
    "in": _any_item(_among),
    "contains": _contains,
    "startswith": _any_item(
        lambda value, part: _folded(value).startswith(_folded(part)) and _folded(part) != ""
    ),
    "endswith": _any_item(
        lambda value, part: _folded(value).endswith(_folded(part)) and _folded(part) != ""
    ),
}
"""What each comparison makes of a row's value and the written one."""
