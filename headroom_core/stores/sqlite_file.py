"""A private SQLite file, shared by the threads and processes of its owner."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TypeVar

from headroom_core._internal import fork
from headroom_core.errors import StorageError

if sys.platform != "win32":
    import fcntl

_T = TypeVar("_T")

_MAX_ATTEMPTS = 10
"""An operation is repeated if the file was replaced meanwhile; more than this is no accident."""

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
    "not a database": "it is not a SQLite file; move it away, or name another file with "
    "HEADROOM_STORE_URL",
    "malformed": "it is damaged; move it away, and originals are saved again when they are next "
    "compressed",
}
_DEFAULT_ADVICE = (
    "check that the file and its folder are readable and writable, or name another file with "
    "HEADROOM_STORE_URL"
)


class SQLiteFile:
    """A SQLite file that opens on first use, is created if missing, and survives replacement.

    The file has mode 0600 from its first byte, and a folder created for it 0700; an existing file
    that others can read is made private. One connection serves all threads, one at a time, because
    an operation takes a fraction of a millisecond. No connection survives in a forked child. If
    the file is deleted or replaced while it is open, the operation is repeated on the file that is
    there now.

    Args:
        path: Path of the file.
        schema: SQL statements that create the tables if they do not exist.
        timeout: Seconds to wait for another process that is writing.
    """

    def __init__(self, path: str | os.PathLike[str], schema: str, *, timeout: float) -> None:
        self.path = Path(path).expanduser().resolve()
        self._schema = schema
        self._timeout = timeout
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
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
        with self._lock:
            try:
                for _ in range(_MAX_ATTEMPTS):
                    result = work(self._connect())
                    if self._is_in_place():
                        return result
            except (sqlite3.Error, OSError) as error:
                self._disconnect()
                raise self.error(operation, _advice(error)) from error
        raise self.error(
            operation, "it is deleted or replaced again and again; find the process that does this"
        )

    def error(self, operation: str, message: str) -> StorageError:
        """Return an error that names the file and the operation."""
        return StorageError(
            f"store {self.path}: {message}", {"path": str(self.path), "operation": operation}
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

    def _connect(self) -> sqlite3.Connection:
        """Return the open connection, or open the file, creating it if missing."""
        if self._connection is not None and self._is_in_place():
            return self._connection
        self._disconnect()
        if not self.path.exists():
            self._create()
        self._make_private()
        # Read before opening: a file replaced in between then looks foreign and is opened again.
        # Read afterwards, it would be mistaken for the open file.
        self._identity = _file_identity(self.path)
        self._connection = self._open(self.path)
        return self._connection

    def _is_in_place(self) -> bool:
        """Return whether the path still leads to the open file."""
        try:
            return _file_identity(self.path) == self._identity
        except FileNotFoundError:
            return False

    def _open(self, path: Path) -> sqlite3.Connection:
        # mode=rw, because a file that SQLite creates is readable by others.
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # Set only where it is off, because setting it waits for any writer.
            if connection.execute("PRAGMA auto_vacuum").fetchone() == (0,):
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.executescript(_PRAGMAS + self._schema)
        except BaseException:
            connection.close()
            raise
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _create(self) -> None:
        """Create the file under a temporary name, and rename it when it is complete."""
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _lock_folder(folder):
            if self.path.exists():
                return
            # The log of a deleted file must not be replayed into the new file.
            for leftover in self._sidecars():
                leftover.unlink(missing_ok=True)
            # mkstemp creates the file with mode 0600.
            handle, name = tempfile.mkstemp(prefix=f".{self.path.name}-", dir=folder)
            os.close(handle)
            temporary = Path(name)
            try:
                self._open(temporary).close()
                temporary.rename(self.path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def _make_private(self) -> None:
        for path in (self.path, *self._sidecars()):
            try:
                if stat.S_IMODE(path.stat().st_mode) & 0o077:
                    path.chmod(0o600)
            except FileNotFoundError:
                continue

    def _sidecars(self) -> tuple[Path, Path]:
        """Return the paths of SQLite's write-ahead log and of its index."""
        name = self.path.name
        return self.path.with_name(f"{name}-wal"), self.path.with_name(f"{name}-shm")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit everything in the block, or nothing if it raises."""
    # IMMEDIATE waits for other writers here; a deferred transaction could fail at its first write.
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


def _file_identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _advice(error: Exception) -> str:
    message = str(error)
    for fragment, advice in _ADVICE.items():
        if fragment in message:
            return advice
    return f"{message}; {_DEFAULT_ADVICE}"


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """Keep other processes from creating the file at the same time, where the system can."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
