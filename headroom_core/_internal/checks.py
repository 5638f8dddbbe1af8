"""Checks of numbers that callers pass in; the errors name the field, the rule and the value."""

from __future__ import annotations

import math
from typing import TypeGuard

from headroom_core.errors import ConfigurationError, HeadroomError

MAX_NAMESPACE_CHARS = 200
"""Maximum number of characters in the name of a tenant."""


def is_int(value: object, *, minimum: int) -> TypeGuard[int]:
    """Return whether a value is an integer of at least `minimum`, and not a boolean.

    Example:
        >>> is_int(1, minimum=1), is_int(True, minimum=1), is_int(1.0, minimum=1)
        (True, False, False)
    """
    # Python counts booleans as integers, but True is never meant as the number 1.
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def check_namespace(namespace: object) -> None:
    """Check the name of a tenant.

    Raises:
        ConfigurationError: It is not a text of 1 to `MAX_NAMESPACE_CHARS` characters.

    Example:
        >>> check_namespace("")
        Traceback (most recent call last):
        ...
        headroom_core.errors.ConfigurationError: namespace = '': expected a text of 1 to 200 ...
    """
    if isinstance(namespace, str) and 1 <= len(namespace) <= MAX_NAMESPACE_CHARS:
        try:
            namespace.encode()
            return
        except UnicodeEncodeError:  # Half of a surrogate pair, which no file can contain.
            pass
    raise ConfigurationError(
        f"namespace = {namespace!r:.80}: expected a text of 1 to {MAX_NAMESPACE_CHARS} characters, "
        "the name of a tenant",
        {"namespace": namespace},
    )


def require_positive_int(
    name: str,
    value: object,
    *,
    alternative: str = "",
    error: type[HeadroomError] = ConfigurationError,
) -> int:
    """Return a value that must be an integer of at least 1.

    Args:
        name: Name of the field, for the message.
        value: Value to check.
        alternative: Another value that the caller accepts, such as "None".
        error: Type of the error to raise.

    Raises:
        HeadroomError: The value is not an integer of at least 1.

    Example:
        >>> require_positive_int("limit", 0)
        Traceback (most recent call last):
        ...
        headroom_core.errors.ConfigurationError: limit must be an integer of at least 1, got 0
    """
    if not is_int(value, minimum=1):
        rule = "an integer of at least 1"
        if alternative:
            rule += f" or {alternative}"
        raise _rejection(error, name, value, rule)
    return value


def require_count(
    name: str, value: object, *, error: type[HeadroomError] = ConfigurationError
) -> int:
    """Return a value that must be an integer of at least 0.

    Args:
        name: Name of the field, for the message.
        value: Value to check.
        error: Type of the error to raise.

    Raises:
        HeadroomError: The value is not an integer of at least 0.
    """
    if not is_int(value, minimum=0):
        raise _rejection(error, name, value, "an integer of at least 0")
    return value


def require_fraction(
    name: str, value: object, *, error: type[HeadroomError] = ConfigurationError
) -> float:
    """Return a value that must be a number between 0 and 1, both included.

    Args:
        name: Name of the field, for the message.
        value: Value to check.
        error: Type of the error to raise.

    Raises:
        HeadroomError: The value is not a number between 0 and 1.

    Example:
        >>> require_fraction("share", 1)
        1
    """
    if not (_is_number(value) and 0 <= value <= 1):
        raise _rejection(error, name, value, "a number between 0 and 1")
    return value


def require_positive_number(
    name: str, value: object, *, error: type[HeadroomError] = ConfigurationError
) -> float:
    """Return a value that must be a finite number above 0.

    Args:
        name: Name of the field, for the message.
        value: Value to check.
        error: Type of the error to raise.

    Raises:
        HeadroomError: The value is not a finite number above 0.
    """
    if not (_is_number(value) and 0 < value < math.inf):
        raise _rejection(error, name, value, "a finite number above 0")
    return value


def check_text(name: str, value: object) -> None:
    """Check that a value is a string, or None.

    Raises:
        ConfigurationError: It is neither.

    Example:
        >>> check_text("query", 5)
        Traceback (most recent call last):
        ...
        headroom_core.errors.ConfigurationError: query must be a string or None, got 5
    """
    if value is not None and not isinstance(value, str):
        raise _rejection(ConfigurationError, name, value, "a string or None")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _rejection(error: type[HeadroomError], name: str, value: object, rule: str) -> HeadroomError:
    return error(f"{name} must be {rule}, got {value!r:.80}", {name: value})
