"""The header of a SQLite file, by which a store tells its own files from those of others.

SQLite reads it as that of an immutable file, so it neither writes to the file nor creates files
beside it. Nothing else may open the file: on POSIX systems, whoever closes a file gives up all
locks that the process has on it, and only SQLite waits with that until it needs none. Without the
locks of a store, another process would delete the log that the store is still writing to.
"""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

APPLICATION_ID = 0x48_64_72_6D
"""Identifies a store's file: "Hdrm"."""

SCHEMA_VERSION = 2
"""Version of the tables. Files of version 1 have the same tables, but no identifier."""

_FIRST_TABLES = {"headroom_originals", "headroom_records"}
_OUR_TABLES = {*_FIRST_TABLES, "headroom_tallies"}

_MOVE_AWAY = "move it away, or name another file with HEADROOM_STORE_URL"


class HeaderError(Exception):
    """Error of a file that a store must not or cannot use. The message says what to do."""


def is_vacant(path: Path) -> bool:
    """Return whether there is no file at the path, or an empty one, which is nobody's."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    # A device or a pipe has a size of 0, too, and must not be replaced.
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def check_header(path: Path) -> int:
    """Return the version of the tables of a store's file, without touching the file.

    Raises:
        HeaderError: It is no store's file, it is damaged, or a newer version of the library has
            made it.
        sqlite3.Error: It is no SQLite file, or it cannot be read.
        OSError: It is gone.
    """
    # Opening a pipe would wait for whoever writes to it.
    if not stat.S_ISREG(path.stat().st_mode):
        raise HeaderError("it is no regular file; name another file with HEADROOM_STORE_URL")
    uri = f"{path.as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        # Without this, a file whose pages are still in its log, and a damaged one, are errors of
        # SQLite here.
        database.execute("PRAGMA writable_schema = ON")
        application = _read_number(database, "application_id")
        version = _read_number(database, "user_version")
        if application == 0 and version == 0 and _has_only_our_tables(database):
            version = 1
        elif application != APPLICATION_ID:
            raise HeaderError(f"it is a database of another program; {_MOVE_AWAY}")
        if version > SCHEMA_VERSION:
            raise HeaderError(
                f"a newer version of headroom has made it (schema {version}; this version reads up "
                f"to {SCHEMA_VERSION}); upgrade headroom, or name another file with "
                "HEADROOM_STORE_URL"
            )
        (encoding,) = database.execute("PRAGMA encoding").fetchone()
    if encoding != "UTF-8":
        raise HeaderError(
            "its text encoding is not UTF-8, as its beginning is damaged or another program has "
            f"made it; {_MOVE_AWAY}"
        )
    return version


def _read_number(database: sqlite3.Connection, name: str) -> int:
    """Return a number of 32 bits in the header."""
    (number,) = database.execute(f"PRAGMA {name}").fetchone()
    return int(number) & 0xFFFF_FFFF


def _has_only_our_tables(database: sqlite3.Connection) -> bool:
    rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = {name for (name,) in rows if not str(name).startswith("sqlite_")}
    return names >= _FIRST_TABLES and names <= _OUR_TABLES
