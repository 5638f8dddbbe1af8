"""A store in the memory of one process."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from headroom_core._internal.checks import check_namespace
from headroom_core._internal.fork import ForkSafeLock
from headroom_core.stores.base import (
    DEFAULT_MAX_AGE_SECONDS,
    MAX_COUNTERS,
    TenantStore,
    is_durable,
    require_matching_key,
)

_log = logging.getLogger(__name__)


class MemoryStore(TenantStore):
    """A store of originals, records and counters in memory.

    Suited to tests, one-off scripts, and environments where nothing may be written to disk: its
    markers resolve in this process only.

    The limits apply to originals and to records separately. The least recently used entries are
    evicted first, and entries that the same call adds never.

    Copies and unpickled copies in the same process are the same store. Unpickled in another
    process, the store is empty, which is logged as a warning.

    Args:
        namespace: Name of the tenant. Every `MemoryStore` is separate from all others, whatever
            their namespaces; `in_namespace` gives the stores of other tenants that belong to it.
        max_entries: Maximum number of originals, and of records. Defaults to no limit.
        max_bytes: Maximum memory for originals, and for records, in bytes. Defaults to no limit.
        max_age_seconds: Seconds after their last use at which entries expire. They are removed
            when the next entry is added. Defaults to 30 days; None keeps them for ever.

    Example:
        >>> from headroom_core.markers import content_key
        >>> store = MemoryStore()
        >>> store.put_many({content_key("hello"): "hello"})
        >>> store.get(content_key("hello"))
        'hello'
    """

    def __init__(
        self,
        *,
        namespace: str = "default",
        max_entries: int | None = None,
        max_bytes: int | None = None,
        max_age_seconds: float | None = DEFAULT_MAX_AGE_SECONDS,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_age = max_age_seconds
        self._tenants = {}
        self._lock = ForkSafeLock()
        self._enter(namespace)

    def _enter(self, namespace: str) -> None:
        check_namespace(namespace)
        self.namespace = namespace
        self._pickle_id = os.urandom(16).hex()
        self._originals = _LRUTexts()
        self._records = _LRUTexts()
        self._counters: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def durable(self) -> bool:
        """Whether only an age limit of a day or more can evict a record."""
        return is_durable(self._max_age, self._max_entries, self._max_bytes)

    def put_many(self, originals: Mapping[str, str]) -> None:
        """Save the texts under their keys.

        Raises:
            StorageError: A key was not made from its text.
        """
        now = time.time()
        with self._lock:
            for key, text in originals.items():
                self._put(key, text, now)
            self._evict(self._originals, originals, now)

    def _put(self, key: str, text: str, now: float) -> None:
        if self._originals.get(key) != text:
            require_matching_key(key, text)
        self._originals.put(key, text, now)

    def get(self, key: str) -> str | None:
        """Return the text saved under the key, or None if there is none."""
        with self._lock:
            return self._originals.get(key)

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        """Save the records that are new, and return the stored record of every key."""
        now = time.time()
        with self._lock:
            known = self._recall(records, now)
            for key in records.keys() - known.keys():
                self._records.put(key, records[key], now)
            self._evict(self._records, records, now)
        return {**records, **known}

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the existing records of these keys."""
        with self._lock:
            return self._recall(keys, time.time())

    def _recall(self, keys: Iterable[str], now: float) -> dict[str, str]:
        known: dict[str, str] = {}
        for key in keys:
            text = self._records.get(key)
            if text is not None:
                known[key] = text
        for key, text in known.items():
            self._records.put(key, text, now)
        return known

    def add(self, increments: Mapping[str, int]) -> dict[str, int]:
        """Add to counters, none of which falls below 0, and return their new values."""
        now = time.time()
        counts: dict[str, int] = {}
        with self._lock:
            for name, increment in increments.items():
                # Popped and inserted again to keep the counters in the order of their last use.
                old, _ = self._counters.pop(name, (0, now))
                counts[name] = max(0, old + increment)
                if counts[name] > 0:
                    self._counters[name] = (counts[name], now)
            while len(self._counters) > MAX_COUNTERS:
                self._counters.popitem(last=False)
        return counts

    def counters(self, prefixes: Iterable[str]) -> dict[str, int]:
        """Return the counters whose names start with any of the prefixes."""
        starts = tuple(prefixes)
        with self._lock:
            return {
                name: count
                for name, (count, _) in self._counters.items()
                if name.startswith(starts)
            }

    def purge(self, *, older_than: float | None = None) -> int:
        """Delete originals, records and counters.

        Args:
            older_than: Delete entries last used more than this many seconds ago. Defaults to
                deleting everything.

        Returns:
            The number of originals deleted.
        """
        with self._lock:
            before = len(self._originals)
            if older_than is None:
                self._originals, self._records = _LRUTexts(), _LRUTexts()
                self._counters.clear()
            else:
                self._expire(time.time() - older_than)
            return before - len(self._originals)

    def _expire(self, before: float) -> None:
        """Delete everything last used before that time."""
        self._originals.expire(before)
        self._records.expire(before)
        stale = [name for name, (_, used) in self._counters.items() if used < before]
        for name in stale:
            del self._counters[name]

    def close(self) -> None:
        """Do nothing: the store has no open resources."""

    def __reduce__(self) -> tuple[Any, ...]:
        with _pickled_lock:
            _pickled_stores[self._pickle_id] = self
        settings = {
            "namespace": self.namespace,
            "max_entries": self._max_entries,
            "max_bytes": self._max_bytes,
            "max_age_seconds": self._max_age,
        }
        return _unpickle, (type(self), self._pickle_id, settings)

    def _evict(self, texts: _LRUTexts, current: Mapping[str, str], now: float) -> None:
        """Apply the limits, sparing the entries of the current call."""
        if self._max_age is not None:
            texts.expire(now - self._max_age)
        while self._exceeds_limits(texts) and texts.oldest_key() not in current:
            texts.drop_oldest()

    def _exceeds_limits(self, texts: _LRUTexts) -> bool:
        if self._max_entries is not None and len(texts) > self._max_entries:
            return True
        return self._max_bytes is not None and texts.bytes > self._max_bytes


class _LRUTexts:
    """Texts by key, in the order of their last use."""

    def __init__(self) -> None:
        self.bytes = 0
        self._entries: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> str | None:
        """Return the text under the key without marking it as used."""
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def put(self, key: str, text: str, now: float) -> None:
        """Save the text, or mark it as used now."""
        if key not in self._entries:
            self.bytes += sys.getsizeof(text)
        self._entries[key] = (text, now)
        self._entries.move_to_end(key)

    def oldest_key(self) -> str:
        """Return the key of the least recently used text."""
        return next(iter(self._entries))

    def drop_oldest(self) -> None:
        """Drop the least recently used text."""
        _, (text, _) = self._entries.popitem(last=False)
        self.bytes -= sys.getsizeof(text)

    def expire(self, before: float) -> None:
        """Drop the texts last used before that time."""
        while self._entries and self._entries[self.oldest_key()][1] < before:
            self.drop_oldest()


_pickled_stores: WeakValueDictionary[str, MemoryStore] = WeakValueDictionary()
"""The stores of this process that were pickled or unpickled, by their ids in pickles."""

_pickled_lock = ForkSafeLock()


def _unpickle(
    create: Callable[..., MemoryStore], pickle_id: str, settings: dict[str, Any]
) -> MemoryStore:
    """Return this process's store with that id, or a new, empty store."""
    with _pickled_lock:
        store = _pickled_stores.get(pickle_id)
        if store is None:
            _log.warning(
                "an unpickled MemoryStore is empty, because the pickled store is not in this "
                "process: use SQLiteStore to share originals between processes"
            )
            store = create(**settings)
            store._pickle_id = pickle_id
            _pickled_stores[pickle_id] = store
        return store
