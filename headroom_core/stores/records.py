"""What was sent: the records of a store, and the memory that holds while the store fails."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeVar
from weakref import WeakKeyDictionary

from headroom_core._internal.guard import Failure, attempt
from headroom_core.errors import HeadroomError, StorageError
from headroom_core.markers import content_key
from headroom_core.stores.base import Store
from headroom_core.stores.memory import MemoryStore

_T = TypeVar("_T")

_MAX_BYTES = 32 * 2**20
"""Maximum memory for the records of a store, and for originals that it could not save."""

_CHECKSUM_DIGITS = 8

_memories: WeakKeyDictionary[Store, MemoryStore] = WeakKeyDictionary()
"""The records that this process sent, and the originals that a store could not save.

What was sent must be sent again, whatever is asked or learnt meanwhile, and whether the store works
or not. This is no cache, so its size is fixed, and `clear_caches` leaves it alone.
"""


def _memory_of(store: Store) -> MemoryStore | None:
    """Return the memory of a store, or None if the store has no hash or no weak references."""
    with suppress(TypeError):
        memory = _memories.get(store)
        if memory is None:
            new = MemoryStore(max_bytes=_MAX_BYTES, max_age_seconds=None)
            memory = _memories.setdefault(store, new)
        return memory
    return None


class Records:
    """The records in a store, each with a checksum, and those that this process sent.

    A record that is damaged counts as missing. It cannot be overwritten, because the first writer
    of a record wins, so its replacement is kept under a key of its own.

    Every method raises `StorageError` whatever the store raises.

    Args:
        store: Store of the records.

    Attributes:
        stored: Keys of the records that were found in the store.
        damaged: Keys of the damaged records that were found in it.

    Example:
        >>> store = MemoryStore()
        >>> Records(store).record({"a": "sent first"})
        {'a': 'sent first'}
        >>> Records(store).record({"a": "sent later"})
        {'a': 'sent first'}
    """

    def __init__(self, store: Store) -> None:
        self.stored: set[str] = set()
        self.damaged: set[str] = set()
        self._known: set[str] = set()
        self._store = store
        self._memory = _memory_of(store)

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the existing records of these keys. Those that this process sent take precedence.

        Raises:
            StorageError: The store cannot be read, and not all of the records are remembered.
        """
        requested = list(keys)
        remembered = self.remembered(requested)
        # All are asked for: the store marks them as used.
        try:
            lines = call_store(lambda: self._store.recall(requested))
        except HeadroomError:
            if len(remembered) < len(set(requested)):
                raise
            return remembered
        texts = self._unseal(lines, remembered)
        self.stored |= texts.keys()
        return texts | remembered

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        """Save the records that are new, and return the stored record of every key."""
        names = {self._name(key): key for key in records}
        sealed = {name: _seal(name, records[key]) for name, key in names.items()}
        lines = call_store(lambda: self._store.record(sealed))
        stored = {names[name]: _unseal(name, line) for name, line in lines.items() if name in names}
        return {key: stored.get(key) or text for key, text in records.items()}

    def remember(self, records: Mapping[str, str]) -> bool:
        """Keep records in the memory of this process, and return whether that is possible."""
        if self._memory is not None:
            new = {key: text for key, text in records.items() if key not in self._known}
            if new:
                self._memory.record(new)
                self._known |= new.keys()
        return self._memory is not None

    def remembered(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the records of these keys that this process sent."""
        found = self._memory.recall(keys) if self._memory is not None else {}
        self._known |= found.keys()
        return found

    def _unseal(self, lines: Mapping[str, str], remembered: Mapping[str, str]) -> dict[str, str]:
        """Return records without their checksums, and replacements of damaged ones."""
        texts: dict[str, str] = {}
        replacements: dict[str, str] = {}
        for key, line in lines.items():
            # The checksum of what is known need not be computed.
            known = remembered.get(key)
            text = known if known == line[_CHECKSUM_DIGITS:] else _unseal(key, line)
            if text is None:
                replacements[_replacement(key)] = key
            else:
                texts[key] = text
        if replacements:
            self.damaged.update(replacements.values())
            for name, line in call_store(lambda: self._store.recall(replacements)).items():
                text = _unseal(name, line)
                if text is not None:
                    texts[replacements[name]] = text
        return texts

    def _name(self, key: str) -> str:
        return _replacement(key) if key in self.damaged else key


def keep_unsaved(store: Store, originals: Mapping[str, str]) -> None:
    """Keep originals in memory that a store could not save, so that this process finds them."""
    memory = _memory_of(store)
    if memory is not None:
        memory.put_many(originals)


def find_unsaved(store: Store, key: str) -> str | None:
    """Return an original that a store could not save, or None."""
    memory = _memory_of(store)
    return None if memory is None else memory.get(key)


def are_saved(store: Store, originals: Mapping[str, str]) -> bool | None:
    """Return whether a store has all of some originals, or None if it does not say."""
    outcome = attempt(lambda: [store.get(key) for key in originals])
    return None if isinstance(outcome, Failure) else outcome.value == [*originals.values()]


def call_store(work: Callable[[], _T]) -> _T:
    """Return what a call of a store returns.

    Raises:
        StorageError: The store raised anything.
    """
    try:
        return work()
    except HeadroomError:
        raise
    except Exception as error:
        # A store of the user's may raise anything, and its message may quote texts.
        raise StorageError(f"the store raised {type(error).__name__}") from error


def _seal(key: str, text: str) -> str:
    return f"{_checksum(key, text)}{text}"


def _unseal(key: str, line: str) -> str | None:
    """Return a record without its checksum, or None if it is damaged."""
    checksum, text = line[:_CHECKSUM_DIGITS], line[_CHECKSUM_DIGITS:]
    return text if checksum == _checksum(key, text) else None


def _checksum(key: str, text: str) -> str:
    data = f"{key}\n{text}".encode("utf-8", "surrogatepass")
    return f"{zlib.crc32(data):0{_CHECKSUM_DIGITS}x}"


def _replacement(key: str) -> str:
    return content_key(f"replacement of {key}")
