"""A store in this process's memory."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from headroom_core._internal.fork import ForkSafeLock
from headroom_core.errors import StorageError
from headroom_core.stores.base import MAX_COUNTERS, is_durable, require_matching_key

_log = logging.getLogger(__name__)


class _Shelf:
    """Texts by key, what was used longest ago first."""

    def __init__(self) -> None:
        self.texts: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self.bytes = 0

    def put(self, key: str, text: str, now: float) -> None:
        if key not in self.texts:
            self.bytes += sys.getsizeof(text)
        self.texts[key] = (text, now)
        self.texts.move_to_end(key)

    def drop_oldest(self) -> None:
        _, (text, _) = self.texts.popitem(last=False)
        self.bytes -= sys.getsizeof(text)

    def oldest(self) -> tuple[str, float]:
        """Return the key and the time of what was used longest ago."""
        key = next(iter(self.texts))
        return key, self.texts[key][1]


class MemoryStore:
    """Keeps originals, records and counters in memory, until the process ends.

    For tests, for one-off scripts, and where nothing may be written to a disk: its markers resolve in
    this process alone. The limits are off by default, and hold for originals and for records alike; what was
    used longest ago goes first, and what a call brings in is never evicted by that same call. Copied or pickled, it is
    itself in this process; in another one it is empty, which a warning tells, and what is kept there stays there.

    Args:
        namespace: whose store it is. Nothing is shared between two memory stores in any case.
        max_entries: originals to keep at most, and as many records.
        max_bytes: bytes of memory for originals at most, and as many for records.
        max_age_seconds: seconds after their last use at which they go, when the next one is kept.

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
        max_age_seconds: float | None = None,
    ) -> None:
        self._name = os.urandom(16).hex()
        self.namespace = namespace
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_age = max_age_seconds
        self._originals = _Shelf()
        self._records = _Shelf()
        self._tallies: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = ForkSafeLock()

    @property
    def durable(self) -> bool:
        """Whether nothing goes but by an age of a day or more."""
        return is_durable(self._max_age, self._max_entries, self._max_bytes)

    def put_many(self, originals: Mapping[str, str]) -> None:
        """Keep the texts under their keys.

        Raises:
            StorageError: a key was not made from its text, or another text is kept under it.
        """
        now = time.time()
        with self._lock:
            for key, text in originals.items():
                self._put(key, text, now)
            self._evict(self._originals, originals, now)

    def _put(self, key: str, text: str, now: float) -> None:
        kept = self._originals.texts.get(key)
        if kept is None:
            require_matching_key(key, text)
        elif kept[0] != text:
            raise StorageError("another text is kept under this key; purge the store", {"key": key})
        self._originals.put(key, text if kept is None else kept[0], now)

    def get(self, key: str) -> str | None:
        """Return the text kept under the key, or None."""
        with self._lock:
            kept = self._originals.texts.get(key)
        return None if kept is None else kept[0]

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        """Remember what blocks became, and return what stands now: the first writer wins."""
        now = time.time()
        with self._lock:
            known = self._known(records, now)
            for key in records.keys() - known.keys():
                self._records.put(key, records[key], now)
            self._evict(self._records, records, now)
        return {**records, **known}

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """Return those of the records that are known."""
        with self._lock:
            return self._known(keys, time.time())

    def _known(self, keys: Iterable[str], now: float) -> dict[str, str]:
        texts = self._records.texts
        known = {key: texts[key][0] for key in keys if key in texts}
        for key, text in known.items():
            self._records.put(key, text, now)
        return known

    def add(self, tallies: Mapping[str, int]) -> dict[str, int]:
        """Add to counters, each of which never falls below 0, and return what they are now."""
        now = time.time()
        with self._lock:
            counts = {
                name: max(0, self._tallies.pop(name, (0, 0.0))[0] + more)
                for name, more in tallies.items()
            }
            self._tallies.update((name, (count, now)) for name, count in counts.items() if count)
            while len(self._tallies) > MAX_COUNTERS:
                self._tallies.popitem(last=False)
        return counts

    def counters(self, prefixes: Iterable[str]) -> dict[str, int]:
        """Return the counters whose names begin with any of the prefixes."""
        beginnings = tuple(prefixes)
        with self._lock:
            return {
                name: count
                for name, (count, _) in self._tallies.items()
                if name.startswith(beginnings)
            }

    def purge(self, *, older_than: float | None = None) -> int:
        """Forget what was last used more than that many seconds ago; None: everything. Return how many originals."""
        with self._lock:
            before = len(self._originals.texts)
            if older_than is None:
                self._originals, self._records = _Shelf(), _Shelf()
                self._tallies.clear()
            else:
                self._forget(time.time() - older_than)
            return before - len(self._originals.texts)

    def _forget(self, before: float) -> None:
        for shelf in (self._originals, self._records):
            self._expire(shelf, before)
        for name in [name for name, (_, used) in self._tallies.items() if used < before]:
            del self._tallies[name]

    def close(self) -> None:
        """Do nothing: memory is all that it holds."""

    def __reduce__(self) -> tuple[Any, ...]:
        with _turn:
            _here[self._name] = self
        limits = {
            "max_entries": self._max_entries,
            "max_bytes": self._max_bytes,
            "max_age_seconds": self._max_age,
        }
        return _named, (type(self), self._name, {"namespace": self.namespace, **limits})

    def _evict(self, shelf: _Shelf, current: Mapping[str, str], now: float) -> None:
        if self._max_age is not None:
            self._expire(shelf, now - self._max_age)
        while self._over(shelf) and shelf.oldest()[0] not in current:
            shelf.drop_oldest()

    def _over(self, shelf: _Shelf) -> bool:
        return (self._max_entries is not None and len(shelf.texts) > self._max_entries) or (
            self._max_bytes is not None and shelf.bytes > self._max_bytes
        )

    @staticmethod
    def _expire(shelf: _Shelf, before: float) -> None:
        while shelf.texts and shelf.oldest()[1] < before:
            shelf.drop_oldest()


_here: WeakValueDictionary[str, MemoryStore] = WeakValueDictionary()
"""The stores of this process that were pickled, or came back, by the names that they have in pickles."""
_turn = ForkSafeLock()


def _named(cls: type[MemoryStore], name: str, settings: dict[str, Any]) -> MemoryStore:
    with _turn:
        if (store := _here.get(name)) is None:
            _log.warning(
                "the MemoryStore that was pickled is not here, this one is empty: give SQLiteStore to share originals"
            )
            store = cls(**settings)
            store._name = name
            _here[name] = store
        return store
