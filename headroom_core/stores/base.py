"""The store protocols, and the rules that every store shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, Self, runtime_checkable

from headroom_core.errors import StorageError
from headroom_core.markers import content_key

MAX_COUNTERS = 4096
"""Maximum number of counters that a store keeps per namespace."""

DEFAULT_MAX_AGE_SECONDS = 2_592_000.0
"""Seconds after their last use at which originals and records expire: 30 days."""

_DURABLE_SECONDS = 86_400.0
"""Minimum age limit of a durable store: no provider's prompt cache keeps a prefix for a day."""


@runtime_checkable
class Store(Protocol):
    """A store of originals and of records.

    An original is a text that was shortened or dropped, saved under its `content_key`. A record
    remembers how a block was sent, so the block is sent the same way again.

    Every method is thread-safe and raises `StorageError` if it cannot read or write. Objects that
    compress are copied and pickled together with their store, so a store that must not be
    duplicated defines `__deepcopy__` and `__reduce__`.
    """

    def put_many(self, originals: Mapping[str, str]) -> None:
        """Save the texts under their keys, byte for byte, before returning.

        Saving a text again marks it as recently used.
        """
        ...

    def get(self, key: str) -> str | None:
        """Return the text saved under the key, or None if there is none."""
        ...

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        """Save the records that are new, and return the stored record of every key.

        Existing records are never overwritten: the first writer wins, and later writers receive
        its record.
        """
        ...

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the existing records of these keys."""
        ...

    def purge(self, *, older_than: float | None = None) -> int:
        """Delete originals, records and counters.

        Args:
            older_than: Delete entries last used more than this many seconds ago. Defaults to
                deleting everything.

        Returns:
            The number of originals deleted.
        """
        ...

    def close(self) -> None:
        """Release open resources. The next use of the store acquires them again."""
        ...


@runtime_checkable
class CounterStore(Protocol):
    """A store that can also count by name, which learning from retrievals requires.

    A counter exists while it is above 0. A store keeps `MAX_COUNTERS` of them and drops the least
    recently added to; `purge` deletes counters as well. A store without these methods works, but
    nothing is learned from retrievals.
    """

    @property
    def durable(self) -> bool:
        """Whether a record outlives its last use by a day or more, however much else is stored.

        Nothing is learned in a store that is not durable: it could forget how a block was sent,
        and the block would then be sent differently.
        """
        ...

    def add(self, increments: Mapping[str, int]) -> dict[str, int]:
        """Add to counters, none of which falls below 0, and return their new values.

        Concurrent processes lose no increment. Adding 0 marks a counter as recently used.
        """
        ...

    def counters(self, prefixes: Iterable[str]) -> dict[str, int]:
        """Return the counters whose names start with any of the prefixes, case-sensitively."""
        ...


def may_evict(store: Store) -> bool:
    """Return whether a store may evict what was used less than a day ago."""
    return not (isinstance(store, CounterStore) and store.durable)


def is_durable(max_age_seconds: float | None, *other_limits: float | None) -> bool:
    """Return whether a store with these limits keeps records for a day or more.

    Args:
        max_age_seconds: Age limit in seconds, or None if there is none.
        other_limits: Limits of number or size. Any of them can evict a record of any age.
    """
    has_long_age = max_age_seconds is None or max_age_seconds >= _DURABLE_SECONDS
    return has_long_age and all(limit is None for limit in other_limits)


def require_matching_key(key: str, text: str) -> str:
    """Return the text after checking that the key is its `content_key`.

    Raises:
        StorageError: The key belongs to another text: the caller confused keys, or the stored
            text is damaged.
    """
    if content_key(text) != key:
        raise StorageError(
            "a text does not belong to its key: make keys with content_key; if the text was read "
            "from the store, the store is damaged: purge it, and originals are saved again when "
            "they are next compressed",
            {"key": key, "characters": len(text)},
        )
    return text


class TenantStore:
    """What stores share that keep the texts of several tenants apart.

    A subclass enters its namespace at construction, and enters another on a copy of itself.
    """

    namespace: str
    _tenants: dict[str, Self]

    def _enter(self, namespace: str) -> None:
        """Set everything that belongs to a namespace alone."""
        raise NotImplementedError

    def in_namespace(self, namespace: str) -> Self:
        """Return the store of another tenant that belongs to this one, with the same limits.

        Raises:
            ConfigurationError: It is no name of a tenant.
        """
        if namespace == self.namespace:
            return self
        tenant = object.__new__(type(self))
        tenant.__dict__.update(self.__dict__)
        tenant._enter(namespace)
        # Of threads that get here together, all use the store of the first.
        self._tenants.setdefault(self.namespace, self)
        return self._tenants.setdefault(namespace, tenant)
