"""The edge at which failures become warnings.

An exception of a compressor, a store or a dialect becomes a warning here, and the request in which
it is used goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from headroom_core.errors import HeadroomError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Success(Generic[T]):
    """Work that was done.

    Attributes:
        value: The value that it returned.
    """

    value: T


@dataclass(frozen=True, slots=True)
class Failure:
    """Work that raised an exception.

    Attributes:
        reason: The exception's class and, where it is safe to show, its message.
    """

    reason: str


def attempt(work: Callable[[], T]) -> Success[T] | Failure:
    """Do work that may fail in any way.

    Args:
        work: The work to do.

    Returns:
        The value that the work returned, or the reason why it failed.

    Example:
        >>> attempt(lambda: 6 * 7)
        Success(value=42)
        >>> attempt(lambda: 1 // 0)
        Failure(reason='ZeroDivisionError')
    """
    try:
        return Success(work())
    except Exception as error:  # noqa: BLE001
        # Messages of other libraries may quote the user's texts, which must not reach warnings.
        message = f": {error}" if isinstance(error, HeadroomError) else ""
        return Failure(f"{type(error).__name__}{message}")


class WarningCollector:
    """Warnings for the caller of one request.

    Attributes:
        warnings: The warnings so far, without anything of the user's texts.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        """Add a warning."""
        self.warnings.append(message)

    def attempt(self, work: Callable[[], T], default: T, consequence: str) -> T:
        """Do work that may fail, and warn when it does.

        Args:
            work: The work to do.
            default: The value to return when the work fails.
            consequence: The effect of a failure on the result, for the warning.

        Returns:
            The value that the work returned, or the default.

        Example:
            >>> collector = WarningCollector()
            >>> collector.attempt(lambda: 1 // 0, 0, "message 3 was passed through unchanged")
            0
            >>> collector.warnings
            ['message 3 was passed through unchanged: ZeroDivisionError']
        """
        outcome = attempt(work)
        if isinstance(outcome, Success):
            return outcome.value
        self.warn(f"{consequence}: {outcome.reason}")
        return default
