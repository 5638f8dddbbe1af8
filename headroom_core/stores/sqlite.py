"""A store in one SQLite file."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from headroom_core._internal.checks import check_namespace
from headroom_core.errors import StorageError
from headroom_core.stores.base import (
    DEFAULT_MAX_AGE_SECONDS,
    MAX_COUNTERS,
    TenantStore,
    is_durable,
    require_matching_key,
)
from headroom_core.stores.sqlite_file import SQLiteFile, is_for_want_of_space, transaction
from headroom_core.stores.sqlite_tables import SCHEMA, Table, decode, encode

_log = logging.getLogger(__name__)

_HOUR = 3600.0
_DAY = 86_400.0

_MAX_PROVED = 100_000
"""Maximum number of originals that are remembered as intact."""


class SQLiteStore(TenantStore):
    """A store of originals, records and counters in a SQLite file.

    Threads and processes may share the file. It is created when it is first used, and again if it
    is deleted while in use; only its owner can read it. Everything that `put_many` and `record`
    saved survives the end of the process, however it ends; a power failure may lose the last
    moments.

    The limits apply to each namespace, and are enforced when something new is saved, that of age
    also when the file is opened: the least recently used entries are evicted first, and entries
    that the same call adds or uses never. Records are limited like originals, by their own last
    use; a record that outlives its originals is harmless, because replaying it saves them again.
    Times of last use are exact with `max_entries`, and otherwise up to an hour late, so a replay
    normally writes nothing.

    Copies are the same store. A pickle contains the path, and the unpickled store uses that file.

    Every method raises `StorageError` if the file cannot be read or written. The message says how
    to fix it, and `details` contains the path and the operation.

    Args:
        path: Path of the file.
        namespace: Tenant whose originals and records the store contains. Those of other
            namespaces are neither visible nor affected; `in_namespace` gives their stores.
        max_entries: Maximum number of originals, and of records. Defaults to no limit.
        max_age_seconds: Seconds after their last use at which entries expire. Defaults to 30 days;
            None keeps them for ever.
        timeout: Seconds to wait for another process that is writing. The operations of one request
            share them.

    Example:
        >>> import tempfile
        >>> from headroom_core.markers import content_key
        >>> folder = tempfile.TemporaryDirectory()
        >>> store = SQLiteStore(f"{folder.name}/originals.db")
        >>> store.put_many({content_key("hello"): "hello"})
        >>> store.get(content_key("hello"))
        'hello'
        >>> store.close()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        namespace: str = "default",
        max_entries: int | None = None,
        max_age_seconds: float | None = DEFAULT_MAX_AGE_SECONDS,
        timeout: float = 1.0,
    ) -> None:
        self._enter(namespace)
        self._tenants = {}
        self._file = SQLiteFile(path, SCHEMA, timeout=timeout, on_open=self._prepare)
        self._timeout = timeout
        self._max_entries = max_entries
        self._max_age = max_age_seconds
        self._use_precision = _use_precision(max_entries, max_age_seconds)

    def _enter(self, namespace: str) -> None:
        check_namespace(namespace)
        self.namespace = namespace
        self._originals = Table("originals", namespace)
        self._records = Table("records", namespace)
        self._counters = Table("tallies", namespace)
        # The originals that were compared with a given text since the file was last changed.
        self._proved: set[str] = set()
        self._proved_at = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> SQLiteStore:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        settings: dict[str, Any] = {
            "namespace": self.namespace,
            "timeout": self._timeout,
            "max_entries": self._max_entries,
            "max_age_seconds": self._max_age,
        }
        return partial(type(self), **settings), (self._file.path,)

    @property
    def durable(self) -> bool:
        """Whether only an age limit of a day or more can evict a record."""
        return is_durable(self._max_age, self._max_entries)

    def _prepare(self, connection: sqlite3.Connection, is_new: bool) -> None:
        age = self._max_age
        if is_new:
            until = "until they are purged"
            if age is not None:
                until = f"for {_in_words(age)} after their last use"
            _log.info("originals of what is left out are kept in %s, %s", self._file.path, until)
        elif age is not None:
            before = time.time() - age
            for tenant in [*self._tenants.values()] or (self,):
                self._file.try_at_once(connection, partial(tenant._expire, connection, before))

    def put_many(self, originals: Mapping[str, str]) -> None:
        """Save the texts under their keys before returning.

        A text that is saved already is compared, and mended if the stored one is damaged.

        Raises:
            StorageError: A key was not made from its text, or the file cannot be written.
        """
        self._file.run("put_many", lambda connection: self._put(connection, originals, time.time()))

    def _put(
        self, connection: sqlite3.Connection, originals: Mapping[str, str], now: float
    ) -> None:
        if self._proved_at != self._file.changes_by_others or len(self._proved) > _MAX_PROVED:
            self._proved.clear()
            self._proved_at = self._file.changes_by_others
        known = self._originals.select(connection, originals, length=True)
        missing = [key for key in originals if key not in known]
        damaged = [
            key
            for key, (length, _) in known.items()
            if not self._is_intact(connection, key, originals[key], length)
        ]
        for key in (*missing, *damaged):
            require_matching_key(key, originals[key])
        # Stale originals are saved again instead of being marked as used: another process may be
        # evicting them at this moment.
        stale = [key for key, (_, used) in known.items() if self._is_stale(used, now)]
        rows = [(key, encode(originals[key])) for key in {*missing, *damaged, *stale}]
        if missing or damaged:
            with transaction(connection):
                self._originals.delete(connection, damaged)
                self._originals.insert(connection, rows, now)
                self._evict(self._originals, connection, now)
        elif rows:
            self._file.try_at_once(
                connection, lambda: self._originals.insert(connection, rows, now)
            )
        self._proved.update(originals)

    def _is_intact(self, connection: sqlite3.Connection, key: str, text: str, length: Any) -> bool:
        """Return whether the stored original is the text."""
        if not (isinstance(length, int) and _may_have_length(text, length)):
            return False
        return key in self._proved or self._originals.has(connection, key, encode(text))

    def get(self, key: str) -> str | None:
        """Return the text saved under the key, or None if there is none.

        Raises:
            StorageError: The text is damaged, or the file cannot be read.
        """
        rows = self._file.run("get", lambda connection: self._originals.select(connection, [key]))
        if key not in rows:
            return None
        blob, _ = rows[key]
        return require_matching_key(key, decode(blob))

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        """Save the records that are new, and return the stored record of every key.

        The first writer among all processes wins.
        """
        return self._file.run(
            "record", lambda connection: self._record(connection, records, time.time())
        )

    def _record(
        self, connection: sqlite3.Connection, records: Mapping[str, str], now: float
    ) -> dict[str, str]:
        known = self._recall(connection, records, now)
        missing = [key for key in records if key not in known]
        if not missing:
            return known
        with transaction(connection):
            # Selected again, because another process may have written since the recall.
            earlier = self._records.select(connection, missing)
            new = [(key, encode(records[key])) for key in missing if key not in earlier]
            self._records.insert(connection, new, now)
            self._evict(self._records, connection, now)
        for key in missing:
            known[key] = _decode_record(earlier[key][0]) if key in earlier else records[key]
        return known

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the existing records of these keys. One that cannot be read is an empty text."""
        requested = list(keys)
        return self._file.run(
            "recall", lambda connection: self._recall(connection, requested, time.time())
        )

    def _recall(
        self, connection: sqlite3.Connection, keys: Iterable[str], now: float
    ) -> dict[str, str]:
        known = self._records.select(connection, keys)
        stale = [key for key, (_, used) in known.items() if self._is_stale(used, now)]
        if stale:
            self._file.try_at_once(connection, lambda: self._records.touch(connection, stale, now))
        return {key: _decode_record(blob) for key, (blob, _) in known.items()}

    def add(self, increments: Mapping[str, int]) -> dict[str, int]:
        """Add to counters, none of which falls below 0, and return their new values."""
        encoded = {encode(name): increment for name, increment in increments.items()}
        counts = self._file.run(
            "add", lambda connection: self._add(connection, encoded, time.time())
        )
        return {name: counts.get(encode(name), 0) for name in increments}

    def _add(
        self, connection: sqlite3.Connection, increments: Mapping[bytes, int], now: float
    ) -> dict[bytes, int]:
        with transaction(connection):
            self._counters.add(connection, increments.items(), now)
            found = self._counters.select(connection, increments)
            counts = {key: count for key, (count, _) in found.items()}
            self._counters.delete(connection, [key for key, count in counts.items() if count == 0])
            self._counters.limit(connection, MAX_COUNTERS, now)
        return counts

    def counters(self, prefixes: Iterable[str]) -> dict[str, int]:
        """Return the counters whose names start with any of the prefixes."""
        ranges = [(start, _upper_bound(start)) for start in map(encode, prefixes)]

        def select(connection: sqlite3.Connection) -> dict[bytes, Any]:
            counts: dict[bytes, Any] = {}
            for start, end in ranges:
                counts |= self._counters.select_range(connection, start, end)
            return counts

        counts = self._file.run("counters", select)
        return {decode(name): count for name, count in counts.items() if isinstance(count, int)}

    def purge(self, *, older_than: float | None = None) -> int:
        """Delete originals, records and counters, and shrink the file.

        No part of a deleted text remains in the file or in its log. It works on a full disk as
        well, if no other process has the file open.

        Args:
            older_than: Delete entries last used more than this many seconds ago. Defaults to
                deleting everything.

        Returns:
            The number of originals deleted.

        Raises:
            StorageError: The file cannot be written; or the entries are deleted (`details` has
                their number as `deleted`), but another process is reading the file, so that their
                texts can only be removed when it ends.
        """
        before = float("inf") if older_than is None else time.time() - older_than
        deleted = 0
        try:
            deleted = self._file.run(
                "purge", lambda connection: self._delete_old(connection, before)
            )
            is_erased = self._file.erase()
        except StorageError as error:
            if not is_for_want_of_space(error):
                raise
            # SQLite can delete nothing on a full disk, because its log has to grow for that.
            deleted += self._file.rewrite(
                "purge", lambda source, target: self._copy_recent(source, target, before)
            )
            is_erased = True
        if not is_erased:
            raise self._file.error(
                "purge",
                f"{deleted} originals are deleted, but their texts stay in its log (-wal) as long "
                "as another process reads the file; end that process, and they are removed when it "
                "closes the file or with the next operation",
                deleted=deleted,
            )
        return deleted

    def _delete_old(self, connection: sqlite3.Connection, before: float) -> int:
        with transaction(connection):
            return self._expire(connection, before)

    def _expire(self, connection: sqlite3.Connection, before: float) -> int:
        """Delete everything last used before that time, and return the number of originals."""
        self._records.expire(connection, before)
        self._counters.expire(connection, before)
        return self._originals.expire(connection, before)

    def _copy_recent(
        self, source: sqlite3.Connection, target: sqlite3.Connection, before: float
    ) -> int:
        """Copy all but what is to be deleted, and return the number of originals that are."""
        self._records.copy_recent(source, target, before)
        self._counters.copy_recent(source, target, before)
        return self._originals.copy_recent(source, target, before)

    def close(self) -> None:
        """Close the file. The next use opens it again."""
        self._file.close()

    def _is_stale(self, used: Any, now: float) -> bool:
        """Return whether a time of last use must be written again.

        It is too old, or lies in the future, because the clock was set back or it is damaged.
        """
        return not isinstance(used, float) or not 0 <= now - used < self._use_precision

    def _evict(self, table: Table, connection: sqlite3.Connection, now: float) -> None:
        if self._max_age is not None:
            table.expire(connection, now - self._max_age)
        if self._max_entries is not None:
            table.limit(connection, self._max_entries, now)


def _use_precision(max_entries: int | None, max_age_seconds: float | None) -> float:
    """Return the number of seconds by which a stored time of last use may be late.

    Eviction by number needs the exact order of use. Eviction by age tolerates a tenth of the age.
    """
    if max_entries is not None:
        return 0.0
    if not max_age_seconds:
        return _HOUR
    return min(_HOUR, max_age_seconds / 10)


def _in_words(seconds: float) -> str:
    """Return a length of time, rounded to days or hours.

    Example:
        >>> _in_words(2_592_000), _in_words(5400)
        ('30 days', '1.5 hours')
    """
    return f"{seconds / _DAY:.3g} days" if seconds >= _DAY else f"{seconds / _HOUR:.3g} hours"


def _decode_record(blob: Any) -> str:
    try:
        return decode(blob)
    except StorageError:
        return ""


def _upper_bound(prefix: bytes) -> bytes:
    """Return the smallest key greater than every key that starts with the prefix.

    Incrementing the last byte cannot overflow, and nothing sorts above 0xFF: UTF-8 never uses
    that byte.
    """
    if not prefix:
        return b"\xff"
    return prefix[:-1] + bytes([prefix[-1] + 1])


def _may_have_length(text: str, byte_length: int) -> bool:
    """Return whether the text may be that many bytes long, without encoding it."""
    if text.isascii():
        return byte_length == len(text)
    return len(text) < byte_length <= 4 * len(text)
