"""The caches of a process, their size, and how to empty them.

A cache only saves time: results are the same with any size, and after a `clear()`.
"""

from __future__ import annotations

import logging
import marshal
import math
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from headroom_core._internal.lru import LRUCache
from headroom_core.environment import cache_megabytes

V = TypeVar("V")

_log = logging.getLogger(__name__)

_DEFAULT_MEGABYTES = 176
_MEMOIZED_VALUES = 16_384
_MEMOIZED_SHARE = 0.02
_MAX_MEMO_KEY_BYTES = 2000
_BYTES_PER_ENTRY = 200


def _memoized_bytes(entry: tuple[bytes, str]) -> int:
    key, text = entry
    return _BYTES_PER_ENTRY + sys.getsizeof(key) + sys.getsizeof(text)


def cache_bytes() -> int:
    """Return the maximum number of bytes of all caches that are bounded by size.

    If `HEADROOM_CACHE_MB` is not a number of at least 0, a warning is logged and the default holds:
    no request fails because of a setting that only saves time.
    """
    value = cache_megabytes()
    megabytes = float(_DEFAULT_MEGABYTES)
    if value is not None:
        try:
            megabytes = float(value)
        except ValueError:
            megabytes = -1.0
        if not 0 <= megabytes < math.inf:
            _log.warning(
                "HEADROOM_CACHE_MB = %.80r: must be a number of megabytes, 0 or more; the caches "
                "take up to %d MB until it is set to one and clear_caches() is called",
                value,
                _DEFAULT_MEGABYTES,
            )
            megabytes = float(_DEFAULT_MEGABYTES)
    return int(megabytes * 2**20)


class ProcessCaches:
    """All caches of a process.

    Args:
        size: Returns the maximum number of bytes of all caches that are bounded by size. Called
            once, and once again after each `clear()`.

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
        self._max_bytes: int | None = None
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
        max_bytes = self._max_bytes
        if max_bytes is None:
            max_bytes = self._max_bytes = self._size()
        return int(share * max_bytes)

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
        # Each text stands beside its key, so that both are weighed.
        entries: LRUCache[bytes, tuple[bytes, str]] = self.lru(
            _MEMOIZED_VALUES, _memoized_bytes, _MEMOIZED_SHARE
        )

        def encode_memoized(value: Any) -> str:
            try:
                # Later versions of the format also write how often a value is referred to.
                key = marshal.dumps(value, 2)
            except ValueError:
                return encode(value)
            if len(key) > _MAX_MEMO_KEY_BYTES:
                return encode(value)
            return entries.get_or_compute(key, lambda: (key, encode(value)))[1]

        return encode_memoized

    def clear(self) -> None:
        """Empty all caches, and ask for their size again."""
        self._max_bytes = None
        for callback in self._clear_callbacks:
            callback()


process_caches = ProcessCaches()
"""The caches of this process."""


def clear_caches() -> None:
    """Empty the caches of this process, to free their memory.

    Results stay the same: a cache only saves time. `HEADROOM_CACHE_MB`, which is read again, sets
    how large they may be.

    Example:
        >>> clear_caches()
    """
    process_caches.clear()
