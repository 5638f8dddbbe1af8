"""The tables of a store's SQLite file, and the statements on them.

Statements are built from names of tables and columns, which this module alone chooses. Every value
is bound as a parameter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from headroom_core.errors import StorageError

# Counters are in the table `tallies`: existing files have it under that name.
_COLUMNS = {
    "originals": ("TEXT", "text BLOB"),
    "records": ("TEXT", "text BLOB"),
    "tallies": ("BLOB", "count INTEGER"),
}
"""Type of the key, and column of the value, of each table."""

SCHEMA = "".join(
    f"""
    CREATE TABLE IF NOT EXISTS headroom_{table} (
        namespace TEXT NOT NULL, key {key_type} NOT NULL, used REAL NOT NULL,
        {value_column} NOT NULL, UNIQUE (namespace, key)
    );
    CREATE INDEX IF NOT EXISTS headroom_{table}_used ON headroom_{table} (namespace, used);
    """
    for table, (key_type, value_column) in _COLUMNS.items()
)
"""Statements that create the tables if they do not exist."""

_Key = TypeVar("_Key", bound="str | bytes")

_MAX_KEYS_PER_QUERY = 500
"""SQLite before 3.32 takes at most 999 parameters in one statement."""


class Table:
    """The rows of a namespace in one of the tables: a value, and when it was last used, by key.

    Args:
        name: Name of the table: `originals`, `records` or `tallies`.
        namespace: Tenant whose rows they are.
    """

    def __init__(self, name: str, namespace: str) -> None:
        self._name = f"headroom_{name}"
        self._value = _COLUMNS[name][1].split()[0]
        self._namespace = namespace

    def select(
        self, connection: sqlite3.Connection, keys: Iterable[_Key], *, length: bool = False
    ) -> dict[_Key, tuple[Any, Any]]:
        """Return the value and the time of last use of each key that exists.

        Args:
            connection: Connection to the file.
            keys: Keys to look up.
            length: Return the length of each value in bytes instead of the value.
        """
        column = f"length({self._value})" if length else self._value
        rows: dict[_Key, tuple[Any, Any]] = {}
        for batch in _batches(keys):
            placeholders = ",".join("?" * len(batch))
            statement = (
                f"SELECT key, {column}, used FROM {self._name} "
                f"WHERE namespace = ? AND key IN ({placeholders})"
            )
            for key, value, used in connection.execute(statement, (self._namespace, *batch)):
                rows[key] = (value, used)
        return rows

    def has(self, connection: sqlite3.Connection, key: str, value: bytes) -> bool:
        """Return whether the value is stored under the key. SQLite compares it, without a copy."""
        statement = (
            f"SELECT count(*) FROM {self._name} "
            f"WHERE namespace = ? AND key = ? AND {self._value} = ?"
        )
        (count,) = connection.execute(statement, (self._namespace, key, value)).fetchone()
        return bool(count == 1)

    def select_range(
        self, connection: sqlite3.Connection, start: bytes, end: bytes
    ) -> dict[bytes, Any]:
        """Return the values of the keys from `start` up to, but without, `end`."""
        statement = (
            f"SELECT key, {self._value} FROM {self._name} "
            "WHERE namespace = ? AND key >= ? AND key < ?"
        )
        return dict(connection.execute(statement, (self._namespace, start, end)))

    def insert(
        self, connection: sqlite3.Connection, rows: Iterable[tuple[str, bytes]], now: float
    ) -> None:
        """Insert values by key. Those that exist are marked as used."""
        connection.executemany(
            f"INSERT INTO {self._name} (namespace, key, used, {self._value}) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (namespace, key) DO UPDATE SET used = excluded.used",
            [(self._namespace, key, now, value) for key, value in rows],
        )

    def add(
        self, connection: sqlite3.Connection, increments: Iterable[tuple[bytes, int]], now: float
    ) -> None:
        """Add to numbers, none of which falls below 0."""
        connection.executemany(
            f"INSERT INTO {self._name} (namespace, key, used, {self._value}) "
            "VALUES (:namespace, :key, :now, max(0, :increment)) "
            "ON CONFLICT (namespace, key) DO UPDATE "
            f"SET used = :now, {self._value} = max(0, {self._value} + :increment)",
            [
                {"namespace": self._namespace, "key": key, "now": now, "increment": increment}
                for key, increment in increments
            ],
        )

    def touch(self, connection: sqlite3.Connection, keys: Iterable[str], now: float) -> None:
        """Mark rows as used."""
        connection.executemany(
            f"UPDATE {self._name} SET used = ? WHERE namespace = ? AND key = ?",
            [(now, self._namespace, key) for key in keys],
        )

    def delete(self, connection: sqlite3.Connection, keys: Iterable[str | bytes]) -> None:
        """Delete the rows with these keys."""
        connection.executemany(
            f"DELETE FROM {self._name} WHERE namespace = ? AND key = ?",
            [(self._namespace, key) for key in keys],
        )

    def expire(self, connection: sqlite3.Connection, before: float) -> int:
        """Delete the rows last used before that time, and return their number."""
        statement = f"DELETE FROM {self._name} WHERE namespace = ? AND used < ?"
        return connection.execute(statement, (self._namespace, before)).rowcount

    def limit(self, connection: sqlite3.Connection, max_rows: int, now: float) -> None:
        """Delete the least recently used rows beyond the limit, but none used at this moment."""
        excess = (
            f"SELECT rowid FROM {self._name} WHERE namespace = ? "
            "ORDER BY used DESC LIMIT -1 OFFSET ?"
        )
        connection.execute(
            f"DELETE FROM {self._name} WHERE used < ? AND rowid IN ({excess})",
            (now, self._namespace, max_rows),
        )

    def copy_recent(
        self, source: sqlite3.Connection, target: sqlite3.Connection, before: float
    ) -> int:
        """Copy the rows of all namespaces but this one's from before that time.

        Returns:
            The number of rows that are not copied.
        """
        kept = f"FROM {self._name} WHERE NOT (namespace = ? AND used < ?)"
        rows = source.execute(f"SELECT * {kept}", (self._namespace, before))
        target.executemany(f"INSERT INTO {self._name} VALUES (?, ?, ?, ?)", rows)
        (all_rows,) = source.execute(f"SELECT count(*) FROM {self._name}").fetchone()
        (copied,) = target.execute(f"SELECT count(*) FROM {self._name}").fetchone()
        return int(all_rows - copied)


def encode(text: str) -> bytes:
    """Return a text as it is stored."""
    # Lone surrogates, which JSON can contain, must survive the round trip.
    return text.encode("utf-8", "surrogatepass")


def decode(blob: Any) -> str:
    """Return a stored text.

    Raises:
        StorageError: It is damaged.
    """
    try:
        return str(blob, "utf-8", "surrogatepass")
    except (TypeError, UnicodeDecodeError) as error:
        raise StorageError(
            "a stored text is damaged; purge the store, and originals are saved again when they "
            "are next compressed"
        ) from error


def _batches(keys: Iterable[_Key]) -> Iterator[list[_Key]]:
    remaining = iter(keys)
    batch = list(islice(remaining, _MAX_KEYS_PER_QUERY))
    while batch:
        yield batch
        batch = list(islice(remaining, _MAX_KEYS_PER_QUERY))
