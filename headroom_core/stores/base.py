"""The contract of a store: originals by key, and what blocks became."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from headroom_core.errors import StorageError
from headroom_core.messages import content_key


def checked(key: str, text: str) -> str:
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

    Every method is safe to call from many threads. What cannot be read or written is a `StorageError`.
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
