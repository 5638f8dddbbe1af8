"""One private SQLite file, shared by the threads and processes of its owner."""

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

_ATTEMPTS = 10

_PRAGMAS = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA secure_delete = ON;
    PRAGMA wal_autocheckpoint = 4096;
    PRAGMA journal_size_limit = 16777216;
"""

_ADVICE = {
    "locked": "another process holds it for longer than the timeout; end that process, or give a longer timeout",
    "full": "the disk or the quota is full; free some space, or purge the store",
    "not a database": "it is not a SQLite file; move it away, or name another with HEADROOM_STORE_URL",
    "malformed": "it is damaged; move it away, and originals are kept again when they are next compressed",
}
_OTHERWISE = "see that the file and its folder can be read and written, or name another with HEADROOM_STORE_URL"


class SQLiteFile:
    """Opens the file when it is needed, makes it where it is missing, and turns what fails into `StorageError`.

    The file has mode 0600 from its first byte, and a folder made for it 0700; a file of this user that others
    may read is made private. One connection serves all threads, one at a time, since an operation takes a
    fraction of a millisecond. No connection lives on in a forked child. A file that was deleted or replaced
    while it was open is noticed, and the operation done again on what is there now.

    Args:
        path: the file.
        schema: the statements that make the tables, where they are not there.
        timeout: seconds to wait for another process that is writing.
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
        """Return what the work makes of the connection; it may be called again when the file was replaced.

        Raises:
            StorageError: the file cannot be read or written.
        """
        with self._lock:
            try:
                for _ in range(_ATTEMPTS):
                    result = work(self._connected())
                    if self._in_place():
                        return result
            except (sqlite3.Error, OSError) as error:
                self._disconnect()
                raise self.error(operation, _advice(error)) from error
        raise self.error(
            operation, "it is deleted or replaced again and again; find out which process does that"
        )

    def error(self, operation: str, message: str) -> StorageError:
        """Return an error that names the file and the operation."""
        return StorageError(
            f"store {self.path}: {message}", {"path": str(self.path), "operation": operation}
        )

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            self._disconnect()

    def before_fork(self) -> None:
        """Close the file, and hold the lock: SQLite's connections and locks must not cross a fork."""
        self._lock.acquire()
        self._disconnect()

    def after_fork(self) -> None:
        """Let operations go on."""
        self._lock.release()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and self._in_place():
            return self._connection
        self._disconnect()
        if not self.path.exists():
            self._create()
        self._make_private()
        # Taken first: should the file be replaced in between, it is opened again rather than mistaken.
        self._identity = _identity(self.path)
        self._connection = self._connect(self.path)
        return self._connection

    def _in_place(self) -> bool:
        """Return whether the path still leads to the file that is open."""
        try:
            return _identity(self.path) == self._identity
        except FileNotFoundError:
            return False

    def _connect(self, path: Path) -> sqlite3.Connection:
        # mode=rw: were SQLite to make the file, others could read it.
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # Only where it is not set, since setting it waits for whoever writes.
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
        """Make the file under another name, and give it its own when it is complete."""
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(folder):
            if self.path.exists():
                return
            for leftover in self._sidecars():
                leftover.unlink(missing_ok=True)
            handle, name = tempfile.mkstemp(
                prefix=f".{self.path.name}-", dir=folder
            )  # with mode 0600
            os.close(handle)
            try:
                self._connect(Path(name)).close()
                Path(name).rename(self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def _make_private(self) -> None:
        for path in (self.path, *self._sidecars()):
            try:
                if stat.S_IMODE(path.stat().st_mode) & 0o077:
                    path.chmod(0o600)
            except FileNotFoundError:
                continue

    def _sidecars(self) -> tuple[Path, Path]:
        return self.path.with_name(f"{self.path.name}-wal"), self.path.with_name(
            f"{self.path.name}-shm"
        )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _advice(error: Exception) -> str:
    said = str(error)
    return next(
        (advice for sign, advice in _ADVICE.items() if sign in said), f"{said}; {_OTHERWISE}"
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from making a file in the folder meanwhile, where the system can."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
