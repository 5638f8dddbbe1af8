"""The environment, read here and nowhere else.

| variable | meaning |
|---|---|
| `HEADROOM_STORE_URL` | where originals and records are kept: `sqlite:///path/to/file.db` or `memory://` |
| `HEADROOM_MODELS` | a JSON file of limits and prices of models, laid over those that are built in |
| `XDG_STATE_HOME` | the user's state folder, in which the default store lies; `~/.local/state` when not set |
| `LOCALAPPDATA` | the same on Windows |
| `HEADROOM_CACHE_MB` | megabytes of memory that the caches of a process may take; 176 when not set |
| `TIKTOKEN_CACHE_DIR`, `DATA_GYM_CACHE_DIR` | where tiktoken keeps vocabularies |
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def store_url() -> str:
    """Return the URL of the default store.

    Returns:
        The value of `HEADROOM_STORE_URL`, else a SQLite file under the user's state folder.
    """
    return os.environ.get("HEADROOM_STORE_URL") or f"sqlite:///{state_folder() / 'headroom.db'}"


def models_file() -> str | None:
    """Return the file of limits and prices that `HEADROOM_MODELS` names, None when it is not set."""
    return os.environ.get("HEADROOM_MODELS") or None


def cache_megabytes() -> str | None:
    """Return the size of a process's caches that `HEADROOM_CACHE_MB` sets, None when it is not set."""
    return os.environ.get("HEADROOM_CACHE_MB") or None


def state_folder() -> Path:
    """Return the folder of this user in which Headroom keeps its state."""
    if home := os.environ.get("XDG_STATE_HOME"):
        return Path(home) / "headroom"
    if local := os.environ.get("LOCALAPPDATA"):
        return Path(local) / "headroom"
    return Path.home() / ".local" / "state" / "headroom"


def tiktoken_cache_folders() -> list[Path]:
    """Return the folders in which tiktoken may already have a vocabulary, the chosen one first."""
    chosen = (os.environ.get(name) for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"))
    return [Path(folder) for folder in chosen if folder]


@contextmanager
def tiktoken_cache(folder: Path) -> Iterator[None]:
    """Let tiktoken, which reads its folder from the environment, find vocabularies in this one.

    The environment belongs to the whole process: hold a lock around it.
    """
    name = "TIKTOKEN_CACHE_DIR"
    before = os.environ.get(name)
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
