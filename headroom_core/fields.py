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

_MISSING = object()


def named(rows: Sequence[Any]) -> list[Any]:
    """Return the rows, bare values as rows with the field `value`."""
    return [row if isinstance(row, dict) else {"value": row} for row in rows]


def field_names(rows: Sequence[Any], limit: int) -> list[str]:
    """Return the names of the first fields of the rows, dotted where they are nested, in order of appearance.

    Example:
        >>> field_names([{"id": 1, "owner": {"login": "ann"}}, {"id": 2, "note": None}], 10)
        ['id', 'owner.login', 'note']
    """
    names: dict[str, None] = {}
    for row in named(rows):
        for path, value in _fields(row):
            if not isinstance(value, dict):
                names[".".join(path)] = None
        if len(names) >= limit:
            break
    return list(names)[:limit]


def has_field(rows: Sequence[Any], path: Path) -> bool:
    """Return whether any row has the field, by its whole path or the end of it."""
    rows = named(rows)
    where = place(path, rows)
    return any(_found(row, where) is not _MISSING for row in rows)


def value_at(row: Any, path: Path) -> Any:
    """Return what stands at a path; a missing field is null."""
    found = _found(row, path)
    return None if found is _MISSING else found


def _found(value: Any, path: Path) -> Any:
    # A key may itself hold dots, so that a path may have fewer steps than keys.
    if not path:
        return value
    if isinstance(value, dict):
        for count in range(1, len(path) + 1):
            key = path[0] if count == 1 else ".".join(path[:count])
            if key in value and (found := _found(value[key], path[count:])) is not _MISSING:
                return found
    elif isinstance(value, list) and path[0].removeprefix("-").isdecimal() and len(path[0]) < 10:
        index = int(path[0])
        if -len(value) <= index < len(value):
            return _found(value[index], path[1:])
    return _MISSING


def place(path: Path, rows: Sequence[Any]) -> Path:
    """Return the path itself where a row has it, else the only one that ends so, if there is one."""
    if any(_found(row, path) is not _MISSING for row in rows):
        return path
    end = "." + ".".join(path)
    endings = {other for row in rows for other, _ in _fields(row) if f".{'.'.join(other)}".endswith(end)}
    return endings.pop() if len(endings) == 1 else path


def _fields(row: Any) -> Iterator[tuple[Path, Any]]:
    """Yield the path and value of everything that has a name in the row."""
    waiting: list[tuple[Path, Any]] = [((), row)]
    while waiting:
        path, value = waiting.pop()
        if path:
            yield path, value
        if isinstance(value, dict) and len(path) < MAX_KEYS:
            waiting.extend([((*path, key), item) for key, item in reversed(value.items())])


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
        return any(_equal(item, part) or _folded(item) == _folded(part) != "" for item in value)
    return _folded(part) in _folded(value) and _folded(part) != ""


def _folded(value: Any) -> str:
    """Return a string or a number as text to look into, other values as nothing."""
    if isinstance(value, int):
        value = Decimal(value)  # because `str` refuses integers of more than 4,300 digits
    return str(value).casefold() if isinstance(value, (str, float, Decimal)) else ""


CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": _among,
    "contains": _contains,
    "startswith": lambda value, part: _folded(value).startswith(_folded(part)) and _folded(part) != "",
    "endswith": lambda value, part: _folded(value).endswith(_folded(part)) and _folded(part) != "",
}
"""What each comparison makes of a row's value and the written one."""
