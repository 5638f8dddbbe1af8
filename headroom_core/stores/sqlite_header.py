"""The header of a SQLite file, by which a store tells its own files from those of others.

The header is read as bytes, because SQLite itself would write to a file that it opens.
"""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

APPLICATION_ID = 0x48_64_72_6D
"""Identifies a store's file: "Hdrm"."""

SCHEMA_VERSION = 2
"""Version of the tables. Files of version 1 have the same tables, but no identifier."""

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_UTF8 = (0, 1)  # 0 in a file without tables

_FIRST_TABLES = {"headroom_originals", "headroom_records"}
_OUR_TABLES = {*_FIRST_TABLES, "headroom_tallies"}

_MOVE_AWAY = "move it away, or name another file with HEADROOM_STORE_URL"


class HeaderError(Exception):
    """Error of a file that a store must not or cannot use. The message says what to do."""


class _Header(NamedTuple):
    """Numbers in the header of a SQLite file."""

    version: int
    encoding: int
    application: int


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
        OSError: It cannot be read.
    """
    # Opening a pipe would wait for whoever writes to it.
    if not stat.S_ISREG(path.stat().st_mode):
        raise HeaderError("it is no regular file; name another file with HEADROOM_STORE_URL")
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if not head.startswith(_MAGIC) or len(head) < _HEADER_BYTES:
        raise HeaderError(f"it is not a SQLite file, or its beginning is damaged; {_MOVE_AWAY}")
    header = _Header(*(int.from_bytes(head[at : at + 4], "big") for at in (60, 56, 68)))
    if header.application == APPLICATION_ID:
        version = header.version
    elif header.application == 0 and header.version == 0 and _has_only_our_tables(path):
        version = 1
    else:
        raise HeaderError(f"it is a database of another program; {_MOVE_AWAY}")
    if header.encoding not in _UTF8:
        raise HeaderError(
            "its text encoding is not UTF-8, as its beginning is damaged or another program has "
            f"made it; {_MOVE_AWAY}",
        )
    if version > SCHEMA_VERSION:
        raise HeaderError(
            f"a newer version of headroom has made it (schema {version}; this version reads up to "
            f"{SCHEMA_VERSION}); upgrade headroom, or name another file with HEADROOM_STORE_URL",
        )
    return version


def _has_only_our_tables(path: Path) -> bool:
    # `immutable` keeps SQLite from creating files beside this one.
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            names = {name for (name,) in rows if not str(name).startswith("sqlite_")}
    except (sqlite3.Error, UnicodeError):
        return False
    return names >= _FIRST_TABLES and names <= _OUR_TABLES
