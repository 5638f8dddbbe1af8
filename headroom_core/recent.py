"""What was worked out last, so that it is not worked out again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from headroom_core.forks import ForkSafeLock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values of the keys that were asked for last, shared by threads.

    Only threads that meet on a new key may each work out its value.

    Args:
        size: how many values are held; those asked for longest ago go first.

    Example:
        >>> squares = Recent[int, int](100)
        >>> squares.of(3, lambda: 9), squares.of(3, lambda: 1 // 0)
        (9, 9)
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[K, V] = OrderedDict()
        self._lock = ForkSafeLock()

    def of(self, key: K, work_out: Callable[[], V]) -> V:
        """Return the value that is held under the key, else the one that is worked out, which is never None."""
        with self._lock:
            if (known := self._held.get(key)) is not None:
                self._held.move_to_end(key)
                return known
        value = work_out()
        with self._lock:
            self._held[key] = value
            if len(self._held) > self._size:
                self._held.popitem(last=False)
        return value


def text_key(text: str) -> tuple[int, int]:
    """Return a key for a text in this process, so that the text itself need not be held.

    It is a hash of 64 bits, keyed anew in each process: two texts of one length hardly ever share it.
    """
    return len(text), hash(text)
