"""Comparisons of the value of a row with the value of a condition."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from unicodedata import normalize

from headroom_core.tables.conditions import NUMBER

Check = Callable[[Any, Any], bool]


def compose_letters(text: str) -> str:
    """Return a text with its letters composed, so that either form is equal to the other."""
    return text if text.isascii() else normalize("NFC", text)


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
        return value == other or compose_letters(value) == compose_letters(other)
    if isinstance(value, bool) or isinstance(other, bool):
        spelled = _spell_boolean(value)
        return spelled is not None and spelled == _spell_boolean(other)
    number = _as_number(value)
    if number is not None:
        return number == _as_number(other)
    return (value is None and other is None) or (value != value and other != other)  # NaN


def _spell_boolean(value: Any) -> str | None:
    """Return a boolean or a string in lower case: a table shows `true` and "true" alike."""
    return str(value).lower() if isinstance(value, (bool, str)) else None


def _ordered(compare: Check) -> Check:
    """Return the check that two numbers or two strings are in an order."""

    def check(value: Any, other: Any) -> bool:
        number, limit = _as_number(value), _as_number(other)
        if number is not None and limit is not None:
            return compare(number, limit)
        if not (isinstance(value, str) and isinstance(other, str)):
            return False
        return compare(compose_letters(value), compose_letters(other))

    return check


class Among:
    """Values of a list in a condition, for a fast look-up of strings and numbers.

    Args:
        values: Values of the list.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values
        self._strings = {compose_letters(value) for value in values if isinstance(value, str)}
        self._booleans = [value for value in values if isinstance(value, bool)]
        self._numbers = {_as_number(value) for value in values if not isinstance(value, str)} - {
            None
        }
        self._all_numbers = set(map(_as_number, values)) - {None}

    def __contains__(self, value: Any) -> bool:
        number = _as_number(value)
        if isinstance(value, str):
            if compose_letters(value) in self._strings or number in self._numbers:
                return True
            return any(_equal(value, other) for other in self._booleans)
        if number is not None:
            return number in self._all_numbers
        return any(_equal(value, other) for other in self._values)


def _is_among(value: Any, others: Among) -> bool:
    return value in others


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
    if not isinstance(value, (str, float, Decimal)):
        return ""
    return compose_letters(compose_letters(str(value)).casefold())


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
