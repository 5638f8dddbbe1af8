"""The contract of a store: originals by key, and what blocks became."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from headroom_core.errors import StorageError
from headroom_core.markers import content_key


def require_matching_key(key: str, text: str) -> str:
    """Return the text, which must be the one that the key was made from.

    Raises:
        StorageError: it is not, so that what was kept is damaged, or the caller mixed up keys.
    """
    if content_key(text) != key:
        raise StorageError(
            "a text does not belong to its key: make keys with content_key; if it was read, the store is damaged: "
            "purge it, and the originals are kept again when they are next compressed",
            {"key": key, "characters": len(text)},
        )
    return text


@runtime_checkable
class Store(Protocol):
    """Keeps originals, and the record of what blocks became.

    Every method is safe to call from many threads. What cannot be read or written is a `StorageError`. What compresses
    is copied and pickled with its store: one of your own says with `__deepcopy__` and `__reduce__` how it is.
    """

    def put_many(self, originals: Mapping[str, str]) -> None:
        """Keep the texts under their keys, byte for byte, before it returns.

        A text that is kept already is marked as used again.
        """
        ...

    def get(self, key: str) -> str | None:
        """Return the text kept under the key, or None."""
        ...

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        """Remember what blocks became, and return what stands now.

        What is recorded already is not overwritten: the first writer wins, and its record is returned.
        """
        ...

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """Return those of the records that are known."""
        ...

    def purge(self, *, older_than: float | None = None) -> int:
        """Forget what was last used more than that many seconds ago; None: everything.

        Returns:
            The number of originals forgotten.
        """
        ...

    def close(self) -> None:
        """Release what the store holds open; it may be used again, and opens itself then."""
        ...


@runtime_checkable
class CounterStore(Protocol):
    """What a store also does from which something can be learnt: it counts, by name.

    A counter is there while it is above 0. A store keeps `MOST_TALLIES` of them and forgets those that were added
    to longest ago; `purge` forgets them too. One without these methods is a good store, and nothing is learnt.
    """

    @property
    def durable(self) -> bool:
        """Whether a record stays for about a day after its last use, whatever else is kept meanwhile.

        Nothing is learnt where it may not: a block that was sent would become something else.
        """
        ...

    def add(self, tallies: Mapping[str, int]) -> dict[str, int]:
        """Add to counters, each of which never falls below 0, and return what they are now.

        Many processes may add at once, and nothing is counted twice or missed. Adding 0 marks a counter as used.
        """
        ...

    def counters(self, prefixes: Iterable[str]) -> dict[str, int]:
        """Return the counters whose names begin with any of the prefixes, letter for letter."""
        ...


_DAY = 86_400.0


def is_durable(max_age_seconds: float | None, *other_limits: float | None) -> bool:
    """Return whether a store with these limits is lasting: no prompt cache remembers a conversation for a day."""
    old_enough = max_age_seconds is None or max_age_seconds >= _DAY
    return old_enough and all(limit is None for limit in other_limits)


MAX_COUNTERS = 4096
"""The most counters that a store keeps for one namespace."""
