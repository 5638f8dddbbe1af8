"""Folders and files that only their owner can read."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_POLL_SECONDS = 0.005


def make_private_folder(folder: Path) -> None:
    """Create a folder with its parents, readable by their owner alone whatever the umask is."""
    if folder.is_dir():
        return
    make_private_folder(folder.parent)
    # Another process may create it at the same time.
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)


def make_private(path: Path) -> None:
    """Take the rights of others on a file away, if there is such a file."""
    with suppress(FileNotFoundError):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)


@contextmanager
def locked_folder(folder: Path, seconds: float) -> Iterator[None]:
    """Keep other processes from creating files in a folder, where the system can.

    Args:
        folder: The folder.
        seconds: Maximum number of seconds to wait for another process that does the same.

    Raises:
        TimeoutError: The other process takes longer.
        OSError: The folder cannot be opened.
    """
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        end = time.monotonic() + seconds
        while not _try_lock(handle):
            if time.monotonic() > end:
                raise TimeoutError(f"{folder} is locked")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
