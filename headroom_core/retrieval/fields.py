"""Fields of rows: finding them by path, and comparing their values with those of a condition."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

Path = tuple[str, ...]
"""Keys that lead to a field."""

MAX_KEYS = 20
"""Maximum number of keys in a path: deeper than data is nested, and bounds the work of a lookup."""

# A number as JSON writes it, and with a plus sign. Not `007` or `1.`, which are text. The exponent
# is bounded: comparing 1e999999999 with another number would take minutes.
NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d{1,6})?", re.ASCII)

# An index into a list that Python can hold; longer digits are a key.
_MAX_INDEX_DIGITS = 9

# Names of the field of a row that is a bare value: the first is the one in `as_objects`, and the
# header of a table shows a dot.
_VALUE_NAMES = ("value", "values", ".")


def as_objects(rows: Sequence[Any]) -> list[Any]:
    """Return the rows, with bare values as objects with the field `value`."""
    return [row if isinstance(row, dict) else {_VALUE_NAMES[0]: row} for row in rows]


def field_names(rows: Sequence[Any], limit: int) -> list[str]:
    """Return the names of the first fields of rows in order of appearance, with dots if nested.

    Args:
        rows: Rows to look at, until there are enough names.
        limit: Maximum number of names.

    Example:
        >>> rows = [{"id": 1, "owner": {"login": "ann"}}, {"id": 2, "labels": [{"name": "bug"}]}]
        >>> field_names(rows, 10)
        ['id', 'owner.login', 'labels', 'labels.name']
    """
    names: dict[str, None] = {}
    for row in as_objects(rows):
        for path, value, _ in _walk(row):
            if not isinstance(value, dict):
                names[".".join(path)] = None
        if len(names) >= limit:
            break
    return list(names)[:limit]


def has_field(rows: Sequence[Any], path: Path) -> bool:
    """Return whether any row has a field, by its whole path or the end of it."""
    objects = as_objects(rows)
    full_path = resolve_path(path, objects)
    return any(_lookup(row, full_path) for row in objects)


def values_at(row: Any, path: Path) -> list[Any]:
    """Return the values at a path: one for each item of a list on the way; null if missing.

    Example:
        >>> values_at({"labels": [{"name": "bug"}, {"name": "ui"}, {}]}, ("labels", "name"))
        ['bug', 'ui']
    """
    return _lookup(row, path) or [None]


def _lookup(value: Any, path: Path) -> list[Any]:
    """Return the values at a path, or an empty list if there is none."""
    if not path:
        return [value]
    if isinstance(value, dict):
        # A key may itself contain dots, so several steps of the path may be one key.
        for count in range(1, len(path) + 1):
            key = path[0] if count == 1 else ".".join(path[:count])
            if key in value:
                values = _lookup(value[key], path[count:])
                if values:
                    return values
    if isinstance(value, list):
        return _lookup_index(value, path) or [
            found for item in _nested_objects(value) for found in _lookup(item, path)
        ]
    return []


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


def resolve_path(path: Path, rows: Sequence[Any]) -> Path:
    """Return the full path of a field that a user or model may have named by the end of its path.

    It is the path itself if any row has it, else the only path that ends so, else that of the value
    of a bare row if the path begins with one of its names.

    Args:
        path: Path as it was written.
        rows: Rows to find it in.
    """
    if any(_lookup(row, path) for row in rows):
        return path
    end = "." + ".".join(path)
    # Not inside lists, whose items may be the rows of a table of their own.
    endings = {
        full_path
        for row in rows
        for full_path, _, is_in_list in _walk(row)
        if not is_in_list and _path_ends_with(full_path, end)
    }
    if len(endings) == 1:
        return endings.pop()
    return (_VALUE_NAMES[0], *path[1:]) if path[0] in _VALUE_NAMES else path


def _path_ends_with(path: Path, end: str) -> bool:
    return f".{'.'.join(path)}".endswith(end)


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


# Comparisons of the value of a row with the value of a condition.

Check = Callable[[Any, Any], bool]


def _as_number(value: Any) -> Decimal | None:
    """Return the exact number that a value is or spells, or None."""
    if isinstance(value, str):
        return Decimal(value) if NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    if value != value:  # NaN
        return None
    # By its digits: the exact binary value of 0.1 has many more than the table shows.
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _equal(value: Any, other: Any) -> bool:
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(_equal, value, other))
    if isinstance(value, str) and isinstance(other, str):
        return value == other
    if isinstance(value, bool) or isinstance(other, bool):
        spelled = _spell_boolean(value)
        return spelled is not None and spelled == _spell_boolean(other)
    number = _as_number(value)
    if number is not None:
        return number == _as_number(other)
    return value is None and other is None


def _spell_boolean(value: Any) -> str | None:
    """Return a boolean or a string in lower case: a table shows `true` and "true" alike."""
    return str(value).lower() if isinstance(value, (bool, str)) else None


def _ordered(compare: Check) -> Check:
    """Return the check that two numbers or two strings are in an order."""

    def check(value: Any, other: Any) -> bool:
        number, limit = _as_number(value), _as_number(other)
        if number is not None and limit is not None:
            return compare(number, limit)
        return isinstance(value, str) and isinstance(other, str) and compare(value, other)

    return check


def _is_among(value: Any, others: list[Any]) -> bool:
    return any(_equal(value, other) for other in others)


def _contains(value: Any, part: Any) -> bool:
    """Return whether a string contains a part, or a list or object a whole value at any depth."""
    folded_part = _fold_case(part)
    if isinstance(value, (list, dict)):
        return any(
            _equal(item, part) or (folded_part != "" and _fold_case(item) == folded_part)
            for item in [*value, *leaves(value)]
        )
    return folded_part != "" and folded_part in _fold_case(value)


def _starts_with(value: Any, part: Any) -> bool:
    folded_part = _fold_case(part)
    return folded_part != "" and _fold_case(value).startswith(folded_part)


def _ends_with(value: Any, part: Any) -> bool:
    folded_part = _fold_case(part)
    return folded_part != "" and _fold_case(value).endswith(folded_part)


def leaves(value: Any) -> list[Any]:
    """Return all values in a value that are not lists or objects, in any order.

    Example:
        >>> sorted(leaves([{"name": "bug", "by": ["ann", "bob"]}, "ui"]))
        ['ann', 'bob', 'bug', 'ui']
    """
    found: list[Any] = []
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)
        else:
            found.append(part)
    return found


def _fold_case(value: Any) -> str:
    """Return a string or a number as text to search in, and an empty string for other values."""
    if isinstance(value, int):
        value = Decimal(value)  # `str` refuses integers of more than 4,300 digits.
    return str(value).casefold() if isinstance(value, (str, float, Decimal)) else ""


def _or_any_item(check: Check) -> Check:
    """Return a check that also holds for a list if it holds for one of its items."""

    def check_any(value: Any, other: Any) -> bool:
        if check(value, other):
            return True
        return isinstance(value, list) and any(check(item, other) for item in value)

    return check_any


CHECKS: dict[str, Check] = {
    "==": _or_any_item(_equal),
    "<": _or_any_item(_ordered(operator.lt)),
    "<=": _or_any_item(_ordered(operator.le)),
    ">": _or_any_item(_ordered(operator.gt)),
    ">=": _or_any_item(_ordered(operator.ge)),
    "in": _or_any_item(_is_among),
    "contains": _contains,
    "startswith": _or_any_item(_starts_with),
    "endswith": _or_any_item(_ends_with),
}
"""Check of each comparison, called with the value of a row and the value of the condition."""
