"""A private SQLite file, shared by the threads and processes of its owner."""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar

from headroom_core._internal import fork
from headroom_core._internal.private_files import (
    locked_folder,
    make_private,
    make_private_folder,
)
from headroom_core._internal.waiting import waiting
from headroom_core.errors import StorageError
from headroom_core.stores.sqlite_header import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    HeaderError,
    check_header,
    is_vacant,
)

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

_MAX_ATTEMPTS = 10
"""An operation is repeated if the file was replaced meanwhile; more than this is no accident."""

# Set before the journal mode, so that they are in the header of the file and not in its log.
_IDENTITY = f"""
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {SCHEMA_VERSION};
"""

# WAL lets readers work while a process writes, and `secure_delete` overwrites deleted texts. The
# log is written back every 4,096 pages (16 MiB) instead of every 1,000, because originals are
# large, and is cut to that size afterwards.
_PRAGMAS = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA secure_delete = ON;
    PRAGMA wal_autocheckpoint = 4096;
    PRAGMA journal_size_limit = 16777216;
"""

# Advice by a fragment of SQLite's error message.
_ADVICE = {
    "locked": "another process is holding it for longer than the timeout; end that process, or "
    "give a longer timeout",
    "full": "the disk or the quota is full; free some space, or purge the store",
    "not a database": "it is not a SQLite file, or its beginning is damaged; move it away, or name "
    "another file with HEADROOM_STORE_URL",
    "malformed": "it is damaged; move it away, and originals are saved again when they are next "
    "compressed",
}
_DEFAULT_ADVICE = (
    "check that the file and its folder are readable and writable, or name another file with "
    "HEADROOM_STORE_URL"
)
_FAILURES = (HeaderError, sqlite3.Error, OSError, UnicodeError, OverflowError)
_FULL_DISK_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


class SQLiteFile:
    """A SQLite file that opens on first use, is created if missing, and survives replacement.

    The file has mode 0600 from its first byte, and folders created for it 0700; an existing file
    of the store that others can read is made private, and a file of another program is not
    touched. One connection serves all threads, one at a time, because an operation takes a
    fraction of a millisecond. No connection survives in a forked child. If the file is deleted,
    replaced or cut off while it is open, the operation is repeated on the file that is there now.

    Args:
        path: Path of the file.
        schema: SQL statements that create the tables if they do not exist.
        timeout: Seconds to wait for another process that is writing. The operations of a request
            share them.
        on_open: Called with each new connection, and with whether the file is new as well.

    Attributes:
        path: Path of the file.
        changes_by_others: How often somebody else may have written to the file since it was used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        schema: str,
        *,
        timeout: float,
        on_open: Callable[[sqlite3.Connection, bool], None] = lambda connection, is_new: None,
    ) -> None:
        self.path = Path(path).expanduser().resolve()
        self._schema = schema
        self._timeout = timeout
        self._on_open = on_open
        self._connection: sqlite3.Connection | None = None
        self._milliseconds = 0
        self._identity: tuple[int, int] | None = None
        self._bytes = 0
        self.changes_by_others = 0
        self._modified: tuple[int, int] | None = None
        self._has_erased = True
        self._lock = Lock()
        fork.watch(self)

    def run(self, operation: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Call `work` with the connection and return its result.

        Args:
            operation: Name of the operation, for error messages.
            work: Function to call. It is called again if the file was replaced meanwhile.

        Raises:
            StorageError: The file cannot be read or written.
        """
        with waiting(self._timeout) as seconds, self._locked(operation, seconds):
            try:
                for _ in range(_MAX_ATTEMPTS):
                    connection = self._connect(seconds)
                    if not self._has_erased:
                        self._erase(connection, wait=False)
                    result = work(connection)
                    if self._is_in_place():
                        self._note_state()
                        return result
            except _FAILURES as error:
                self._disconnect()
                raise self.error(operation, _advice(error)) from error
        raise self.error(
            operation, "it is deleted or replaced again and again; find the process that does this"
        )

    def rewrite(
        self, operation: str, copy: Callable[[sqlite3.Connection, sqlite3.Connection], _T]
    ) -> _T:
        """Replace the file by a smaller one, for which there need be no free space on the disk.

        The new file is made in memory. A crash while it is written loses the texts in it.

        Args:
            operation: Name of the operation, for error messages.
            copy: Function that copies what is to be kept from a connection to another.

        Raises:
            StorageError: The file cannot be read or written, or it is open in another process.
        """
        with self._locked(operation, self._timeout):
            self._disconnect()
            try:
                check_header(self.path)
                with (
                    closing(self._open_alone()) as source,
                    closing(sqlite3.connect(":memory:", isolation_level=None)) as target,
                ):
                    target.executescript(_IDENTITY + self._schema)
                    result = copy(source, target)
                    contents = target.serialize()
                with locked_folder(self.path.parent, self._timeout):
                    self.path.unlink()
                    self._delete_sidecars()
                    self._install(lambda path: path.write_bytes(contents))
                return result
            except _FAILURES as error:
                raise self.error(operation, _advice(error)) from error

    def try_at_once(self, connection: sqlite3.Connection, write: Callable[[], object]) -> None:
        """Write in a transaction, if no other process is writing.

        For times of last use: a replay must neither fail nor wait for want of them.
        """
        connection.execute("PRAGMA busy_timeout = 0")
        with suppress(sqlite3.OperationalError), transaction(connection):
            write()
        connection.execute(f"PRAGMA busy_timeout = {self._milliseconds}")

    def erase(self) -> bool:
        """Remove deleted texts from the file and from its log.

        Returns:
            Whether none remains. Otherwise another process is reading the file: they are removed
            when it ends, or with the next operation after that.
        """
        erased = self.run("purge", lambda connection: self._erase(connection, wait=True))
        if not erased:
            # The process that closes the file last removes the log, if no connection is left.
            self.close()
        return erased

    def error(self, operation: str, message: str, **details: object) -> StorageError:
        """Return an error that names the file and the operation."""
        return StorageError(
            f"store {self.path}: {message}",
            {"path": str(self.path), "operation": operation, **details},
        )

    def close(self) -> None:
        """Close the file. The next use opens it again."""
        with self._lock:
            self._disconnect()

    def before_fork(self) -> None:
        """Close the file and hold the lock, since SQLite's connections must not cross a fork."""
        self._lock.acquire()
        self._disconnect()

    def after_fork(self) -> None:
        """Release the lock."""
        self._lock.release()

    @contextmanager
    def _locked(self, operation: str, seconds: float) -> Iterator[None]:
        """Hold the lock, for which other threads may be waiting as well."""
        if not self._lock.acquire(timeout=seconds):
            raise self.error(operation, _ADVICE["locked"])
        try:
            yield
        finally:
            self._lock.release()

    def _connect(self, seconds: float) -> sqlite3.Connection:
        """Return the open connection, or open the file, creating it if missing.

        Args:
            seconds: Seconds for which its statements may wait for other processes.
        """
        connection = self._connection
        if connection is None or not self._is_in_place() or self._was_cut_off():
            self._disconnect()
            connection = self._connection = self._reopen(seconds)
        milliseconds = math.ceil(seconds * 10) * 100
        if milliseconds != self._milliseconds:
            connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
            self._milliseconds = milliseconds
        if self._modified != self._modification_times():
            # SQLite notices what other connections write, but no damage to pages that it caches.
            connection.execute("PRAGMA shrink_memory")
            self.changes_by_others += 1
        return connection

    def _reopen(self, seconds: float) -> sqlite3.Connection:
        is_new = is_vacant(self.path)
        if is_new:
            self._create(seconds)
        self._remove_unfinished()
        version = check_header(self.path)
        # Read before opening: a file replaced in between then looks foreign and is opened again.
        # Read afterwards, it would be mistaken for the open file.
        self._identity = _file_identity(self.path)
        for path in (self.path, *self._sidecars()):
            make_private(path)
        self._milliseconds = 0
        connection = self._open(self.path, seconds, is_old=version < SCHEMA_VERSION)
        self._on_open(connection, is_new)
        return connection

    def _is_in_place(self) -> bool:
        """Return whether the path still leads to the open file."""
        try:
            return _file_identity(self.path) == self._identity
        except FileNotFoundError:
            return False

    def _was_cut_off(self) -> bool:
        """Return whether the file has become smaller since the last operation."""
        return self.path.stat().st_size < self._bytes

    def _note_state(self) -> None:
        self._bytes = self.path.stat().st_size
        self._modified = self._modification_times()

    def _modification_times(self) -> tuple[int, int]:
        log, _ = self._sidecars()
        try:
            of_log = log.stat().st_mtime_ns
        except FileNotFoundError:
            of_log = 0
        return self.path.stat().st_mtime_ns, of_log

    def _open(self, path: Path, seconds: float, *, is_old: bool) -> sqlite3.Connection:
        script = (_IDENTITY if is_old else "") + self._schema + _PRAGMAS
        return _open_connection(path, seconds, script)

    def _open_alone(self) -> sqlite3.Connection:
        # In this order: a file that is locked first needs no index of its log on the disk.
        script = "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"
        return _open_connection(self.path, self._timeout, script)

    def _disconnect(self) -> None:
        self._modified = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _erase(self, connection: sqlite3.Connection, *, wait: bool) -> bool:
        if not wait:
            connection.execute("PRAGMA busy_timeout = 0")
        # A script, because `execute` would take a single step of the vacuum, which frees one page.
        connection.executescript("PRAGMA incremental_vacuum")
        is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.execute(f"PRAGMA busy_timeout = {self._milliseconds}")
        self._has_erased = not is_busy
        return self._has_erased

    def _create(self, seconds: float) -> None:
        folder = self.path.parent
        make_private_folder(folder)
        with locked_folder(folder, seconds):
            if is_vacant(self.path):
                # The log of a deleted file must not be replayed into the new file.
                self._delete_sidecars()
                self._install(lambda path: self._open(path, seconds, is_old=True).close())

    def _install(self, write: Callable[[Path], object]) -> None:
        """Write a file under a temporary name, and rename it when it is complete."""
        # mkstemp creates the file with mode 0600.
        handle, name = tempfile.mkstemp(prefix=self._temporary_prefix, dir=self.path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            temporary.replace(self.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @property
    def _temporary_prefix(self) -> str:
        return f".{self.path.name}.new-"

    def _remove_unfinished(self) -> None:
        """Remove the files that killed processes left while they created this one."""
        folder = self.path.parent
        # What cannot be removed, now or ever, must not keep the store from its file.
        with suppress(OSError):
            with os.scandir(folder) as entries:
                names = [
                    entry.name for entry in entries if entry.name.startswith(self._temporary_prefix)
                ]
            if names:
                # While this process holds the lock, no other is creating the file.
                with locked_folder(folder, 0.0):
                    for name in names:
                        with suppress(OSError):
                            (folder / name).unlink()

    def _delete_sidecars(self) -> None:
        for path in self._sidecars():
            path.unlink(missing_ok=True)

    def _sidecars(self) -> tuple[Path, Path]:
        """Return the paths of SQLite's write-ahead log and of its index."""
        name = self.path.name
        return self.path.with_name(f"{name}-wal"), self.path.with_name(f"{name}-shm")


def is_for_want_of_space(error: StorageError) -> bool:
    """Return whether an operation may have failed because the disk is full."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0)
    return (code & 0xFF) in _FULL_DISK_CODES


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit everything in the block, or nothing if it raises."""
    # IMMEDIATE waits for other writers here; a deferred transaction could fail at its first write.
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


def _open_connection(path: Path, seconds: float, script: str) -> sqlite3.Connection:
    """Open an existing file, and run a script with the connection."""
    # mode=rw, because a file that SQLite creates is readable by others.
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=seconds,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.executescript(script)
    except BaseException:
        connection.close()
        raise
    return connection


def _file_identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _advice(error: Exception) -> str:
    message = str(error)
    if isinstance(error, HeaderError):
        return message
    if isinstance(error, UnicodeError):
        return _ADVICE["malformed"]
    for fragment, advice in _ADVICE.items():
        if fragment in message:
            return advice
    return f"{message}; {_DEFAULT_ADVICE}"
