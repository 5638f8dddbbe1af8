"""A store in one SQLite file."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from headroom_core.errors import StorageError
from headroom_core.stores.base import MAX_COUNTERS, is_durable, require_matching_key
from headroom_core.stores.sqlite_file import SQLiteFile, transaction

# Counters are in the table `tallies`: existing files have it under that name.
_SCHEMA = "".join(
    f"""
    CREATE TABLE IF NOT EXISTS headroom_{table} (
        namespace TEXT NOT NULL, key {key_type} NOT NULL, used REAL NOT NULL,
        {value_column} NOT NULL, UNIQUE (namespace, key)
    );
    CREATE INDEX IF NOT EXISTS headroom_{table}_used ON headroom_{table} (namespace, used);
    """
    for table, key_type, value_column in (
        ("originals", "TEXT", "text BLOB"),
        ("records", "TEXT", "text BLOB"),
        ("tallies", "BLOB", "count INTEGER"),
    )
)
_Key = TypeVar("_Key", bound="str | bytes")

_HOUR = 3600.0

_MAX_KEYS_PER_QUERY = 500
"""SQLite before 3.32 takes at most 999 parameters in one statement."""


class SQLiteStore:
    """A store of originals, records and counters in a SQLite file.

    Threads and processes may share the file. It is created when it is first used, and again if it
    is deleted while in use; only its owner can read it. Everything that `put_many` and `record`
    saved survives the end of the process, however it ends; a power failure may lose the last
    moments.

    The limits are off by default, apply to each namespace, and are enforced when something new is
    saved: the least recently used entries are evicted first, and entries that the same call adds
    or uses never. Records are limited like originals, by their own last use; a record that outlives
    its originals is harmless, because replaying it saves them again. Times of last use are exact
    with `max_entries`, and otherwise up to an hour late, so a replay normally writes nothing.

    Copies are the same store. A pickle contains the path, and the unpickled store uses that file.

    Every method raises `StorageError` if the file cannot be read or written. The message says how
    to fix it, and `details` contains the path and the operation.

    Args:
        path: Path of the file.
        namespace: Tenant whose originals and records the store contains. Those of other
            namespaces are neither visible nor affected.
        max_entries: Maximum number of originals, and of records. Defaults to no limit.
        max_age_seconds: Seconds after their last use at which entries expire. Defaults to no
            limit.
        timeout: Seconds to wait for another process that is writing.

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
        max_age_seconds: float | None = None,
        timeout: float = 5.0,
    ) -> None:
        self.namespace = namespace
        self._file = SQLiteFile(path, _SCHEMA, timeout=timeout)
        self._timeout = timeout
        self._max_entries = max_entries
        self._max_age = max_age_seconds
        self._use_precision = _use_precision(max_entries, max_age_seconds)

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

    def put_many(self, originals: Mapping[str, str]) -> None:
        """Save the texts under their keys before returning.

        A text that is saved already is compared by its length only: that it belongs to its key,
        which is a hash, was checked when it was saved, and is checked again whenever it is read.

        Raises:
            StorageError: A key was not made from its text or is taken by another text, or the
                file cannot be written.
        """
        self._file.run("put_many", lambda connection: self._put(connection, originals, time.time()))

    def _put(
        self, connection: sqlite3.Connection, originals: Mapping[str, str], now: float
    ) -> None:
        known = self._select(connection, "originals", "length(text)", originals)
        for key, (length, _) in known.items():
            if not _may_have_length(originals[key], length):
                raise self._file.error(
                    "put_many", f"another text is saved under the key {key}; purge the store"
                )
        missing = originals.keys() - known.keys()
        for key in missing:
            require_matching_key(key, originals[key])
        # Stale originals are saved again instead of being marked as used: another process may be
        # evicting them at this moment.
        due = [key for key in originals if key in missing or self._is_stale(known[key], now)]
        rows = [(key, _encode(originals[key])) for key in due]
        if missing:
            with transaction(connection):
                self._insert(connection, "originals", rows, now)
                self._evict(connection, "originals", now)
        elif rows:
            _try_in_transaction(
                connection, lambda: self._insert(connection, "originals", rows, now)
            )

    def get(self, key: str) -> str | None:
        """Return the text saved under the key, or None if there is none.

        Raises:
            StorageError: The text is damaged, or the file cannot be read.
        """
        rows = self._file.run(
            "get", lambda connection: self._select(connection, "originals", "text", [key])
        )
        if key not in rows:
            return None
        blob, _ = rows[key]
        return require_matching_key(key, _decode(blob))

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
            earlier = self._select(connection, "records", "text", missing)
            new = [(key, _encode(records[key])) for key in missing if key not in earlier]
            self._insert(connection, "records", new, now)
            self._evict(connection, "records", now)
        for key in missing:
            known[key] = _decode(earlier[key][0]) if key in earlier else records[key]
        return known

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the existing records of these keys."""
        requested = list(keys)
        return self._file.run(
            "recall", lambda connection: self._recall(connection, requested, time.time())
        )

    def _recall(
        self, connection: sqlite3.Connection, keys: Iterable[str], now: float
    ) -> dict[str, str]:
        known = self._select(connection, "records", "text", keys)
        stale = [key for key, row in known.items() if self._is_stale(row, now)]
        if stale:
            statement = "UPDATE headroom_records SET used = ? WHERE namespace = ? AND key = ?"
            rows = [(now, self.namespace, key) for key in stale]
            _try_in_transaction(connection, lambda: connection.executemany(statement, rows))
        return {key: _decode(blob) for key, (blob, _) in known.items()}

    def add(self, increments: Mapping[str, int]) -> dict[str, int]:
        """Add to counters, none of which falls below 0, and return their new values."""
        encoded = {_encode(name): increment for name, increment in increments.items()}
        counts = self._file.run(
            "add", lambda connection: self._add(connection, encoded, time.time())
        )
        return {name: counts.get(_encode(name), 0) for name in increments}

    def _add(
        self, connection: sqlite3.Connection, increments: Mapping[bytes, int], now: float
    ) -> dict[bytes, int]:
        statement = (
            "INSERT INTO headroom_tallies (namespace, key, used, count) "
            "VALUES (:namespace, :key, :now, max(0, :increment)) "
            "ON CONFLICT (namespace, key) DO UPDATE "
            "SET used = :now, count = max(0, count + :increment)"
        )
        rows = [
            {"namespace": self.namespace, "key": key, "now": now, "increment": increment}
            for key, increment in increments.items()
        ]
        with transaction(connection):
            connection.executemany(statement, rows)
            found = self._select(connection, "tallies", "count", increments)
            counts = {key: count for key, (count, _) in found.items()}
            zeros = [(self.namespace, key) for key, count in counts.items() if count == 0]
            connection.executemany(
                "DELETE FROM headroom_tallies WHERE namespace = ? AND key = ?", zeros
            )
            self._limit(connection, "tallies", MAX_COUNTERS, now)
        return counts

    def counters(self, prefixes: Iterable[str]) -> dict[str, int]:
        """Return the counters whose names start with any of the prefixes."""
        encoded = [_encode(prefix) for prefix in prefixes]
        counts = self._file.run(
            "counters", lambda connection: self._select_counters(connection, encoded)
        )
        return {_decode(name): count for name, count in counts.items()}

    def _select_counters(
        self, connection: sqlite3.Connection, prefixes: Iterable[bytes]
    ) -> dict[bytes, int]:
        statement = (
            "SELECT key, count FROM headroom_tallies WHERE namespace = ? AND key >= ? AND key < ?"
        )
        counts: dict[bytes, int] = {}
        for prefix in prefixes:
            bounds = (self.namespace, prefix, _upper_bound(prefix))
            counts.update(connection.execute(statement, bounds))
        return counts

    def purge(self, *, older_than: float | None = None) -> int:
        """Delete originals, records and counters, and shrink the file.

        No part of a deleted text remains in the file.

        Args:
            older_than: Delete entries last used more than this many seconds ago. Defaults to
                deleting everything.

        Returns:
            The number of originals deleted.
        """
        before = float("inf") if older_than is None else time.time() - older_than
        return self._file.run("purge", lambda connection: self._purge(connection, before))

    def _purge(self, connection: sqlite3.Connection, before: float) -> int:
        with transaction(connection):
            self._expire(connection, "records", before)
            self._expire(connection, "tallies", before)
            deleted = self._expire(connection, "originals", before)
        # A script, because `execute` would take a single step of the vacuum, which frees one page.
        connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted

    def close(self) -> None:
        """Close the file. The next use opens it again."""
        self._file.close()

    # The statements below are built from table and column names, which this module alone chooses.
    # Every value is bound as a parameter.

    def _select(
        self, connection: sqlite3.Connection, table: str, column: str, keys: Iterable[_Key]
    ) -> dict[_Key, tuple[Any, float]]:
        """Return the column and the time of last use of each key that exists."""
        rows: dict[_Key, tuple[Any, float]] = {}
        for batch in _batches(keys):
            placeholders = ",".join("?" * len(batch))
            statement = (
                f"SELECT key, {column}, used FROM headroom_{table} "
                f"WHERE namespace = ? AND key IN ({placeholders})"
            )
            for key, value, used in connection.execute(statement, (self.namespace, *batch)):
                rows[key] = (value, used)
        return rows

    def _insert(
        self, connection: sqlite3.Connection, table: str, rows: list[tuple[str, bytes]], now: float
    ) -> None:
        connection.executemany(
            f"INSERT INTO headroom_{table} (namespace, key, used, text) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (namespace, key) DO UPDATE SET used = excluded.used",
            [(self.namespace, key, now, blob) for key, blob in rows],
        )

    def _is_stale(self, row: tuple[Any, float], now: float) -> bool:
        """Return whether the time of last use is so old that it must be written again."""
        _, used = row
        return used <= now - self._use_precision

    def _evict(self, connection: sqlite3.Connection, table: str, now: float) -> None:
        if self._max_age is not None:
            self._expire(connection, table, now - self._max_age)
        if self._max_entries is not None:
            self._limit(connection, table, self._max_entries, now)

    def _limit(self, connection: sqlite3.Connection, table: str, max_rows: int, now: float) -> None:
        """Delete the least recently used rows beyond the limit, but none used at this moment."""
        excess = (
            f"SELECT rowid FROM headroom_{table} WHERE namespace = ? "
            "ORDER BY used DESC LIMIT -1 OFFSET ?"
        )
        connection.execute(
            f"DELETE FROM headroom_{table} WHERE used < ? AND rowid IN ({excess})",
            (now, self.namespace, max_rows),
        )

    def _expire(self, connection: sqlite3.Connection, table: str, before: float) -> int:
        """Delete the rows last used before that time, and return their number."""
        statement = f"DELETE FROM headroom_{table} WHERE namespace = ? AND used < ?"
        return connection.execute(statement, (self.namespace, before)).rowcount


def _use_precision(max_entries: int | None, max_age_seconds: float | None) -> float:
    """Return the number of seconds by which a stored time of last use may be late.

    Eviction by number needs the exact order of use. Eviction by age tolerates a tenth of the age.
    """
    if max_entries is not None:
        return 0.0
    if not max_age_seconds:
        return _HOUR
    return min(_HOUR, max_age_seconds / 10)


def _try_in_transaction(connection: sqlite3.Connection, write: Callable[[], object]) -> None:
    """Write times of last use if possible: a replay must not fail for want of them."""
    try:
        with transaction(connection):
            write()
    except sqlite3.OperationalError:
        return


def _upper_bound(prefix: bytes) -> bytes:
    """Return the smallest key greater than every key that starts with the prefix.

    Incrementing the last byte cannot overflow, and nothing sorts above 0xFF: UTF-8 never uses
    that byte.
    """
    if not prefix:
        return b"\xff"
    return prefix[:-1] + bytes([prefix[-1] + 1])


def _batches(keys: Iterable[_Key]) -> Iterator[list[_Key]]:
    remaining = iter(keys)
    batch = list(islice(remaining, _MAX_KEYS_PER_QUERY))
    while batch:
        yield batch
        batch = list(islice(remaining, _MAX_KEYS_PER_QUERY))


def _may_have_length(text: str, byte_length: int) -> bool:
    """Return whether the text may be that many bytes long, without encoding it."""
    if text.isascii():
        return byte_length == len(text)
    return len(text) < byte_length <= 4 * len(text)


def _encode(text: str) -> bytes:
    # Lone surrogates, which JSON can contain, must survive the round trip.
    return text.encode("utf-8", "surrogatepass")


def _decode(blob: Any) -> str:
    try:
        return str(blob, "utf-8", "surrogatepass")
    except (TypeError, UnicodeDecodeError) as error:
        raise StorageError(
            "a stored text is damaged; purge the store, and originals are saved again when they "
            "are next compressed"
        ) from error
