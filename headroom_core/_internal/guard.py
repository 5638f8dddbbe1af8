"""Where failures stop: the one place at which any exception becomes a warning."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from headroom_core.errors import HeadroomError

T = TypeVar("T")


class Edge:
    """Collects what went wrong in one request.

    Attributes:
        warnings: what the caller should know, without anything of the texts.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        """Tell the caller something."""
        self.warnings.append(message)

    def attempt(self, otherwise: str, work: Callable[[], T]) -> T | None:
        """Return what the work returns, or None with a warning: a text that breaks it must not break the request.

        Args:
            otherwise: what happens when the work fails.
            work: what to do.

        Example:
            >>> edge = Edge()
            >>> edge.attempt("message 3 was passed through unchanged", lambda: 1 // 0), edge.warnings
            (None, ['message 3 was passed through unchanged: ZeroDivisionError'])
        """
        try:
            return work()
        except Exception as error:  # noqa: BLE001
            # Only this library's messages are known to hold nothing of the texts.
            said = f": {error}" if isinstance(error, HeadroomError) else ""
            self.warn(f"{otherwise}: {type(error).__name__}{said}")
            return None
