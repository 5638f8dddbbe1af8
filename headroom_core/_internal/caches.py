"""The caches of a process, their size, and how to empty them.

A cache only saves time: results are the same with any size, and after a `clear()`.
"""

from __future__ import annotations

import marshal
import math
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from headroom_core._internal.lru import LRUCache
from headroom_core.environment import cache_megabytes
from headroom_core.errors import ConfigurationError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_DEFAULT_MEGABYTES = 176
_MEMOIZED_VALUES = 16_384
_MAX_MEMO_KEY_BYTES = 2000


def cache_bytes() -> int:
    """Return the maximum number of bytes that the caches of a process may take.

    Raises:
        ConfigurationError: `HEADROOM_CACHE_MB` is not a number, or is negative.
    """
    value = cache_megabytes()
    try:
        megabytes = _DEFAULT_MEGABYTES if value is None else float(value)
    except ValueError:
        megabytes = -1.0
    if not 0 <= megabytes < math.inf:
        message = f"HEADROOM_CACHE_MB = {value!r}: must be a number of megabytes, 0 or more"
        raise ConfigurationError(message, {"HEADROOM_CACHE_MB": value})
    return int(megabytes * 2**20)


class ProcessCaches:
    """All caches of a process.

    Args:
        size: Returns the maximum number of bytes of all caches that are bounded by size.

    Example:
        >>> caches = ProcessCaches(size=lambda: 1000)
        >>> texts = caches.lru(max_entries=10, weigh=len, share=0.5)
        >>> texts.put("short", "x" * 500)
        >>> texts.put("too long for half of the size", "x" * 501)
        >>> len(texts)
        1
        >>> caches.clear()
        >>> len(texts)
        0
    """

    def __init__(self, size: Callable[[], int] = cache_bytes) -> None:
        self._size = size
        self._clear_callbacks: list[Callable[[], object]] = []

    def lru(
        self,
        max_entries: int,
        weigh: Callable[[V], int] | None = None,
        share: float = 0.0,
    ) -> LRUCache[Any, V]:
        """Create a cache of the most recently used entries.

        Args:
            max_entries: Maximum number of entries.
            weigh: Returns the size of a value in bytes. Defaults to no limit by size.
            share: Share of the size of all caches that this one may take.
        """
        if weigh is None:
            cache = LRUCache[Any, V](max_entries)
        else:
            cache = LRUCache[Any, V](max_entries, weigh, lambda: self.share_bytes(share))
        self.on_clear(cache.clear)
        return cache

    def share_bytes(self, share: float) -> int:
        """Return a share of the total size of all caches, in bytes."""
        return int(share * self._size())

    def on_clear(self, callback: Callable[[], object]) -> None:
        """Call a function whenever the caches are cleared."""
        self._clear_callbacks.append(callback)

    def memoized(self, encode: Callable[[Any], str]) -> Callable[[Any], str]:
        """Return an encoder that remembers the texts of the last small values.

        Values may be changed afterwards: they are recognised by their contents, types and the
        order of keys included.

        Args:
            encode: Encodes a value as text.

        Example:
            >>> import json
            >>> encode, value = ProcessCaches().memoized(json.dumps), {"day": 1}
            >>> before = encode(value)
            >>> value["day"] = True
            >>> before, encode(value)
            ('{"day": 1}', '{"day": true}')
        """
        texts: LRUCache[bytes, str] = self.lru(_MEMOIZED_VALUES)

        def encode_memoized(value: Any) -> str:
            try:
                # Later versions of the format also write how often a value is referred to.
                key = marshal.dumps(value, 2)
            except ValueError:
                return encode(value)
            if len(key) > _MAX_MEMO_KEY_BYTES:
                return encode(value)
            return texts.get_or_compute(key, lambda: encode(value))

        return encode_memoized

    def clear(self) -> None:
        """Empty all caches."""
        for callback in self._clear_callbacks:
            callback()


process_caches = ProcessCaches()
"""The caches of this process."""


def clear_caches() -> None:
    """Empty the caches of this process, to free their memory.

    Results stay the same: a cache only saves time. `HEADROOM_CACHE_MB` sets how large they may be.

    Example:
        >>> clear_caches()
    """
    process_caches.clear()
