"""Pausing the garbage collector while a large text is parsed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from headroom_core._internal.fork import ForkSafeLock

_lock = ForkSafeLock()
_paused = 0


@contextmanager
def paused_collection(is_worth_it: bool) -> Iterator[None]:
    """Collect no garbage meanwhile.

    Parsing creates objects without cycles by the million, and half of its time would be spent on
    looking through them again and again. Threads may nest the pauses.

    Args:
        is_worth_it: Whether to do so.
    """
    global _paused
    if not is_worth_it:
        yield
        return
    with _lock:
        if _paused == 0 and not gc.isenabled():
            is_worth_it = False  # The program has turned it off itself.
        else:
            _paused += 1
            gc.disable()
    try:
        yield
    finally:
        if is_worth_it:
            with _lock:
                _paused -= 1
                if _paused == 0:
                    gc.enable()
