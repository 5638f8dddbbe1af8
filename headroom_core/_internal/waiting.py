"""How long a request waits for others: its operations share one limit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_spent: ContextVar[list[float] | None] = ContextVar("headroom_seconds_spent", default=None)


@contextmanager
def shared_wait() -> Iterator[None]:
    """Let all operations within share the time that one of them may wait.

    Example:
        >>> with shared_wait():
        ...     with waiting(0.01) as first:
        ...         time.sleep(0.02)
        ...     with waiting(0.01) as second:
        ...         pass
        >>> first, second
        (0.01, 0.0)
    """
    if _spent.get() is not None:
        yield
        return
    token = _spent.set([0.0])
    try:
        yield
    finally:
        _spent.reset(token)


@contextmanager
def waiting(seconds: float) -> Iterator[float]:
    """Give the number of seconds that an operation may wait, and charge the time that it takes.

    Args:
        seconds: Seconds that it may wait if nothing before it has waited.
    """
    spent = _spent.get()
    if spent is None:
        yield seconds
        return
    start = time.monotonic()
    try:
        yield max(0.0, seconds - spent[0])
    finally:
        spent[0] += time.monotonic() - start
