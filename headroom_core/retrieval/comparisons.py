"""Comparisons of the value of a row with the value of a condition."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any
from unicodedata import normalize

from headroom_core.tables.conditions import NUMBER

Check = Callable[[Any, Any], bool]
"""Function that compares the value of a row with the value of a condition."""

Passes = Callable[[Sequence[Any]], list[bool]]
"""Function that returns of each of some values of rows whether it passes a comparison."""


_NUMERIC = frozenset((str, int, float, Decimal))


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


def _as_floats(values: Sequence[Any]) -> list[float] | None:
    """Return the nearest floats of values that are or may spell numbers, or None if not all do.

    Different floats are in the order of their numbers, and comparing them is much faster.
    """
    if not _NUMERIC.issuperset(map(type, values)):
        return None
    try:
        return list(map(float, values))
    except (ValueError, OverflowError):
        return None


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


def _ordered(compare: Check) -> Callable[[Any], Passes]:
    """Return the comparison that two numbers or two strings are in an order."""

    def check(value: Any, other: Any) -> bool:
        number, limit = _as_number(value), _as_number(other)
        if number is not None and limit is not None:
            return compare(number, limit)
        if not (isinstance(value, str) and isinstance(other, str)):
            return False
        return compare(compose_letters(value), compose_letters(other))

    check_any = _or_any_item(check)

    def prepare(other: Any) -> Passes:
        limits = None if isinstance(other, str) else _as_floats([other])

        def passes(values: Sequence[Any]) -> list[bool]:
            floats = _as_floats(values) if limits else None
            if not floats or not limits:
                return [check_any(value, other) for value in values]
            (limit,) = limits
            # What is equal as a float may not be as a number, and what is a float may be no number.
            return [
                (number == limit or compare(number, limit)) and check(value, other)
                for number, value in zip(floats, values)
            ]

        return passes

    return prepare


def _without_none(numbers: Iterable[Decimal | None]) -> set[Decimal]:
    return {number for number in numbers if number is not None}


class _Among:
    """Values in a condition to one of which a value of a row must be equal.

    Args:
        values: The values.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values
        self._strings = {compose_letters(value) for value in values if isinstance(value, str)}
        self._booleans = [value for value in values if isinstance(value, bool)]
        numbers = [_as_number(value) for value in values if not isinstance(value, str)]
        self._numbers = _without_none(numbers)
        self._all_numbers = _without_none(map(_as_number, values))
        are_numbers = len(numbers) == len(values) and None not in numbers
        self._floats = frozenset(map(float, self._numbers)) if are_numbers else None

    def passes(self, values: Sequence[Any]) -> list[bool]:
        """Return of each value whether it, or an item of it if it is a list, is equal to one."""
        floats = None if self._floats is None else _as_floats(values)
        if self._floats is None or floats is None:
            return list(map(self._has_any, values))
        return [
            number in self._floats and self._has(value) for number, value in zip(floats, values)
        ]

    def _has_any(self, value: Any) -> bool:
        return self._has(value) or (isinstance(value, list) and any(map(self._has, value)))

    def _has(self, value: Any) -> bool:
        if isinstance(value, str):
            return (
                (bool(self._strings) and compose_letters(value) in self._strings)
                or (bool(self._numbers) and _as_number(value) in self._numbers)
                or any(_equal(value, other) for other in self._booleans)
            )
        number = _as_number(value)
        if number is not None:
            return number in self._all_numbers
        return any(_equal(value, other) for other in self._values)


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
    if isinstance(value, str) and value.isascii():
        return value.lower()
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


def _each(check: Check) -> Callable[[Any], Passes]:
    """Return the comparison that checks each value for itself."""
    return lambda other: lambda values: [check(value, other) for value in values]


_PREPARE: dict[str, Callable[[Any], Passes]] = {
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "contains": _each(_contains),
    "startswith": _each(_or_any_item(_starts_with)),
    "endswith": _each(_or_any_item(_ends_with)),
}


def prepare_comparison(operator: str, readings: Sequence[Any]) -> Passes:
    """Return the function that compares values of rows with the value of a condition.

    Args:
        operator: One of `==`, `<`, `<=`, `>`, `>=`, `in`, `contains`, `startswith`, `endswith`.
        readings: What the value of the condition may mean; one of them must fit.

    Example:
        >>> prepare_comparison("<=", [2.5])([1, "2.50", 3, "two"])
        [True, True, False, False]
    """
    if operator == "==":
        return _Among(readings).passes
    if operator == "in":
        return _Among([item for items in readings for item in items]).passes
    comparisons = [_PREPARE[operator](other) for other in readings]
    return lambda values: list(map(any, zip(*[passes(values) for passes in comparisons])))
