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

_SCHEMA = "".join(
    f"""
    CREATE TABLE IF NOT EXISTS headroom_{table} (
        namespace TEXT NOT NULL, key {key} NOT NULL, used REAL NOT NULL, {value} NOT NULL, UNIQUE (namespace, key)
    );
    CREATE INDEX IF NOT EXISTS headroom_{table}_used ON headroom_{table} (namespace, used);
    """
    for table, key, value in (
        ("originals", "TEXT", "text BLOB"),
        ("records", "TEXT", "text BLOB"),
        ("tallies", "BLOB", "count INTEGER"),
    )
)
_Key = TypeVar("_Key", bound="str | bytes")

_HOUR = 3600.0
_KEYS_AT_ONCE = 500


class SQLiteStore:
    """Keeps originals, records and counters in a SQLite file, for as long as the file lives.

    Threads and processes may share the file, which is readable by its owner alone, and which is made when it is
    first used or should it be deleted while in use. What `put_many` and `record` have returned from survives the
    end of the process, however it ends; a power cut may take the last moments.

    The limits are off by default, hold for each namespace, and are applied when something new is kept: what was
    replayed longest ago goes first, but nothing that the same call brings in or replays. Records have the same
    limits, by their own last use; one that outlives its originals does no harm, because whoever replays it puts
    the originals again. Times of last use are exact with `max_entries`, and else up to an hour late, so that
    a replay normally writes nothing.

    Copies of what holds a store have the same one. A pickle holds where the file is, and what comes back uses it.

    Args:
        path: the file.
        namespace: whose originals and records these are; those of other namespaces are neither seen nor changed.
        max_entries: originals to keep at most, and as many records.
        max_age_seconds: seconds after their last replay at which they go.
        timeout: seconds to wait for another process that is writing.

    Every method raises `StorageError` when the file cannot be read or written; `details` holds the path and the
    operation, and the message says what to do.

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
        self._late = (
            0.0 if max_entries is not None else min(_HOUR, (max_age_seconds or 10 * _HOUR) / 10)
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> SQLiteStore:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        limits: dict[str, Any] = {
            "max_entries": self._max_entries,
            "max_age_seconds": self._max_age,
        }
        settings = {"namespace": self.namespace, "timeout": self._timeout, **limits}
        return partial(type(self), **settings), (self._file.path,)

    @property
    def durable(self) -> bool:
        """Whether nothing goes but by an age of a day or more."""
        return is_durable(self._max_age, self._max_entries)

    def put_many(self, originals: Mapping[str, str]) -> None:
        """Keep the texts under their keys before it returns.

        A text that is kept already is compared by its length alone: that it belongs to its key, which is a hash,
        was proved when it came, and is again whenever it is read.
        """
        self._file.run("put_many", lambda connection: self._put(connection, originals, time.time()))

    def _put(
        self, connection: sqlite3.Connection, originals: Mapping[str, str], now: float
    ) -> None:
        known = self._select(connection, "originals", "length(text)", originals)
        for key, (length, _) in known.items():
            if not _fits(originals[key], length):
                raise self._file.error(
                    "put_many", f"another text is kept under the key {key}; purge the store"
                )
        missing = originals.keys() - known.keys()
        for key in missing:
            require_matching_key(key, originals[key])
        # Stale ones are put again rather than touched: another process may evict them at this moment.
        due = [key for key in originals if key in missing or self._stale(known[key], now)]
        rows = [(key, _encoded(originals[key])) for key in due]
        if missing:
            with transaction(connection):
                self._insert(connection, "originals", rows, now)
                self._evict(connection, "originals", now)
        elif rows:
            _at_best(lambda: self._insert(connection, "originals", rows, now), connection)

    def get(self, key: str) -> str | None:
        """Return the text kept under the key, proved to be the one that was put, or None."""
        found = self._file.run(
            "get", lambda connection: self._select(connection, "originals", "text", [key])
        )
        return require_matching_key(key, _decoded(found[key][0])) if key in found else None

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        """Remember what blocks became, and return what stands now: among all processes, the first writer wins."""
        return self._file.run(
            "record", lambda connection: self._record(connection, records, time.time())
        )

    def _record(
        self, connection: sqlite3.Connection, records: Mapping[str, str], now: float
    ) -> dict[str, str]:
        known = self._recall(connection, records, now)
        missing = [(key, _encoded(text)) for key, text in records.items() if key not in known]
        if missing:
            with transaction(connection):
                keys = [key for key, _ in missing]
                first = self._select(connection, "records", "text", keys)
                self._insert(
                    connection, "records", [row for row in missing if row[0] not in first], now
                )
                self._evict(connection, "records", now)
            known |= {
                key: _decoded(first[key][0]) if key in first else records[key] for key in keys
            }
        return known

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """Return those of the records that are known."""
        wanted = list(keys)
        return self._file.run(
            "recall", lambda connection: self._recall(connection, wanted, time.time())
        )

    def _recall(
        self, connection: sqlite3.Connection, keys: Iterable[str], now: float
    ) -> dict[str, str]:
        known = self._select(connection, "records", "text", keys)
        if stale := [key for key, row in known.items() if self._stale(row, now)]:
            touch = "UPDATE headroom_records SET used = ? WHERE namespace = ? AND key = ?"
            rows = [(now, self.namespace, key) for key in stale]
            _at_best(lambda: connection.executemany(touch, rows), connection)
        return {key: _decoded(blob) for key, (blob, _) in known.items()}

    def add(self, tallies: Mapping[str, int]) -> dict[str, int]:
        """Add to counters, each of which never falls below 0, and return what they are now."""
        more = {_encoded(name): count for name, count in tallies.items()}
        counts = self._file.run("add", lambda connection: self._add(connection, more, time.time()))
        return {name: counts.get(_encoded(name), 0) for name in tallies}

    def _add(
        self, connection: sqlite3.Connection, more: Mapping[bytes, int], now: float
    ) -> dict[bytes, int]:
        with transaction(connection):
            connection.executemany(
                "INSERT INTO headroom_tallies (namespace, key, used, count) VALUES (:namespace, :key, :now, "
                "max(0, :more)) ON CONFLICT (namespace, key) DO UPDATE SET used = :now, count = max(0, count + :more)",
                (
                    {"namespace": self.namespace, "key": key, "now": now, "more": count}
                    for key, count in more.items()
                ),
            )
            found = self._select(connection, "tallies", "count", more)
            gone = [(self.namespace, key) for key, (count, _) in found.items() if not count]
            connection.executemany(
                "DELETE FROM headroom_tallies WHERE namespace = ? AND key = ?", gone
            )
            self._limit(connection, "tallies", MAX_COUNTERS, now)
        return {key: count for key, (count, _) in found.items()}

    def counters(self, prefixes: Iterable[str]) -> dict[str, int]:
        """Return the counters whose names begin with any of the prefixes."""
        beginnings = [_encoded(prefix) for prefix in prefixes]
        counts = self._file.run("tallies", lambda connection: self._tallies(connection, beginnings))
        return {_decoded(key): count for key, count in counts.items()}

    def _tallies(
        self, connection: sqlite3.Connection, prefixes: Iterable[bytes]
    ) -> dict[bytes, int]:
        statement = (
            "SELECT key, count FROM headroom_tallies WHERE namespace = ? AND key >= ? AND key < ?"
        )
        found: dict[bytes, int] = {}
        for prefix in prefixes:
            found.update(connection.execute(statement, (self.namespace, prefix, _behind(prefix))))
        return found

    def purge(self, *, older_than: float | None = None) -> int:
        """Forget what was last used more than that many seconds ago; None: everything. Return how many originals.

        The space goes back to the system, and nothing of the texts stays in the file.
        """
        before = float("inf") if older_than is None else time.time() - older_than
        return self._file.run("purge", lambda connection: self._purge(connection, before))

    def _purge(self, connection: sqlite3.Connection, before: float) -> int:
        with transaction(connection):
            self._expire(connection, "records", before)
            self._expire(connection, "tallies", before)
            forgotten = self._expire(connection, "originals", before)
        # A script, because `execute` takes one step of the first statement, which frees one page.
        connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")
        return forgotten

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._file.close()

    # Statements. Tables and columns are this module's own words; every value is a parameter.

    def _select(
        self, connection: sqlite3.Connection, table: str, column: str, keys: Iterable[_Key]
    ) -> dict[_Key, tuple[Any, float]]:
        """Return the column, and the time of last use, of those keys that are there."""
        found: dict[_Key, tuple[Any, float]] = {}
        for batch in _batches(keys):
            marks = ",".join("?" * len(batch))
            statement = f"SELECT key, {column}, used FROM headroom_{table} WHERE namespace = ? AND key IN ({marks})"
            for key, value, used in connection.execute(statement, (self.namespace, *batch)):
                found[key] = (value, used)
        return found

    def _insert(
        self, connection: sqlite3.Connection, table: str, rows: list[tuple[str, bytes]], now: float
    ) -> None:
        connection.executemany(
            f"INSERT INTO headroom_{table} (namespace, key, used, text) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (namespace, key) DO UPDATE SET used = excluded.used",
            ((self.namespace, key, now, blob) for key, blob in rows),
        )

    def _stale(self, row: tuple[Any, float], now: float) -> bool:
        return row[1] <= now - self._late

    def _evict(self, connection: sqlite3.Connection, table: str, now: float) -> None:
        if self._max_age is not None:
            self._expire(connection, table, now - self._max_age)
        if self._max_entries is not None:
            self._limit(connection, table, self._max_entries, now)

    def _limit(self, connection: sqlite3.Connection, table: str, most: int, now: float) -> None:
        beyond = f"SELECT rowid FROM headroom_{table} WHERE namespace = ? ORDER BY used DESC LIMIT -1 OFFSET ?"
        connection.execute(
            f"DELETE FROM headroom_{table} WHERE used < ? AND rowid IN ({beyond})",
            (now, self.namespace, most),
        )

    def _expire(self, connection: sqlite3.Connection, table: str, before: float) -> int:
        statement = f"DELETE FROM headroom_{table} WHERE namespace = ? AND used < ?"
        return connection.execute(statement, (self.namespace, before)).rowcount


def _at_best(note: Callable[[], object], connection: sqlite3.Connection) -> None:
    """Note a use. A replay has all that it needs already, so it does not fail where this does."""
    try:
        with transaction(connection):
            note()
    except sqlite3.OperationalError:
        return


def _behind(prefix: bytes) -> bytes:
    """Return the first key behind all that begin with the prefix; no byte of UTF-8 is the last possible one."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else b"\xff"


def _batches(keys: Iterable[_Key]) -> Iterator[list[_Key]]:
    rest = iter(keys)
    while batch := list(islice(rest, _KEYS_AT_ONCE)):
        yield batch


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _fits(text: str, size: int) -> bool:
    """Return whether a text may take that many bytes, told without encoding it."""
    return size == len(text) if text.isascii() else len(text) < size <= 4 * len(text)


def _decoded(blob: Any) -> str:
    try:
        return str(blob, "utf-8", "surrogatepass")
    except (TypeError, UnicodeDecodeError) as error:
        raise StorageError(
            "a kept text is damaged; purge the store, and it is kept again when it is next compressed"
        ) from error
