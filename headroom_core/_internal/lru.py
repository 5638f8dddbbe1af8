"""Caches that forget the entries that were used longest ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from headroom_core._internal.fork import ForkSafeLock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def _weightless(_: object) -> int:
    return 0


class LRUCache(Generic[K, V]):
    """Thread-safe cache of the most recently used entries.

    Threads that ask for the same new key at the same time may each compute its value.

    Args:
        max_entries: Maximum number of entries.
        weigh: Returns the weight of a value, such as its size in bytes. Defaults to 0.
        max_weight: Returns the maximum weight of all values together. Defaults to 0.

    Example:
        >>> squares = LRUCache[int, int](max_entries=100)
        >>> squares.get_or_compute(3, lambda: 9), squares.get_or_compute(3, lambda: 1 // 0)
        (9, 9)
    """

    def __init__(
        self,
        max_entries: int,
        weigh: Callable[[V], int] = _weightless,
        max_weight: Callable[[], int] = lambda: 0,
    ) -> None:
        self._max_entries = max_entries
        self._weigh = weigh
        self._max_weight = max_weight
        self._weight = 0
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = ForkSafeLock()

    def get_or_compute(self, key: K, compute: Callable[[], V]) -> V:
        """Return the cached value of a key, computing and caching it first where needed.

        Args:
            key: The key.
            compute: Computes the value, which must not be None.
        """
        cached = self.get(key)
        if cached is not None:
            return cached
        value = compute()
        self.put(key, value)
        return value

    def get(self, key: K) -> V | None:
        """Return the cached value of a key, or None."""
        # No lock, because it would take longer than the lookup. Each of these two operations is
        # atomic, and a key that is evicted between them raises the KeyError that is caught here.
        try:
            self._entries.move_to_end(key)
            return self._entries[key]
        except KeyError:
            return None

    def put(self, key: K, value: V) -> None:
        """Cache a value, unless it is heavier than the whole cache may be."""
        max_weight = self._max_weight()
        if self._weigh(value) > max_weight:
            return
        with self._lock:
            replaced = self._entries.pop(key, None)
            if replaced is not None:
                self._weight -= self._weigh(replaced)
            self._entries[key] = value
            self._weight += self._weigh(value)
            while len(self._entries) > self._max_entries or self._weight > max_weight:
                _, evicted = self._entries.popitem(last=False)
                self._weight -= self._weigh(evicted)

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
            self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)


def text_key(text: str) -> tuple[int, int]:
    """Return a key that stands for a text in a cache, which need not keep the text itself.

    The hash has 64 bits and is keyed anew in each process: two texts of one length practically
    never share it.
    """
    return len(text), hash(text)
