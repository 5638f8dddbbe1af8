"""The environment variables that Headroom reads. No other module reads the environment.

| variable | meaning |
|---|---|
| `HEADROOM_STORE_URL` | the default store: `sqlite:///file.db?namespace=acme`, `memory://` |
| `HEADROOM_MODELS` | JSON file of limits and prices of models, laid over the built-in catalog |
| `XDG_STATE_HOME` | the user's state folder, for the default store; defaults to `~/.local/state` |
| `LOCALAPPDATA` | the same on Windows |
| `HEADROOM_CACHE_MB` | megabytes that a process may take to cache texts and results; default 176 |
| `TIKTOKEN_CACHE_DIR`, `DATA_GYM_CACHE_DIR` | folders in which tiktoken caches vocabularies |
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TIKTOKEN_CACHE = "TIKTOKEN_CACHE_DIR"


def store_url() -> str:
    """Return the URL of the default store.

    Returns:
        The value of `HEADROOM_STORE_URL` if it is set, and otherwise the URL of a SQLite file in
        the user's state folder.
    """
    return os.environ.get("HEADROOM_STORE_URL") or f"sqlite:///{state_folder() / 'headroom.db'}"


def models_file() -> str | None:
    """Return the model catalog that `HEADROOM_MODELS` names, or None if it is not set."""
    return os.environ.get("HEADROOM_MODELS") or None


def cache_megabytes() -> str | None:
    """Return the megabytes that `HEADROOM_CACHE_MB` lets a process take to cache texts and results.

    Returns:
        The value as it is written, or None if it is not set. Caches without texts (token counts,
        decisions, and the words of texts) are bounded by their number of entries instead.
    """
    return os.environ.get("HEADROOM_CACHE_MB") or None


def state_folder() -> Path:
    """Return the folder in which Headroom keeps this user's state."""
    for variable in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        folder = os.environ.get(variable)
        if folder:
            return Path(folder) / "headroom"
    return Path.home() / ".local" / "state" / "headroom"


def tiktoken_cache_folders() -> list[Path]:
    """Return the folders in which tiktoken looks for vocabularies, in its order."""
    folders = [os.environ.get(name) for name in (_TIKTOKEN_CACHE, "DATA_GYM_CACHE_DIR")]
    return [Path(folder) for folder in folders if folder]


@contextmanager
def tiktoken_cache(folder: Path) -> Iterator[None]:
    """Make tiktoken read vocabularies from the folder, by setting its environment variable.

    The environment is shared by the whole process, so the caller must hold a lock.
    """
    previous = os.environ.get(_TIKTOKEN_CACHE)
    os.environ[_TIKTOKEN_CACHE] = str(folder)
    try:
        yield
    finally:
        if previous is None:
            del os.environ[_TIKTOKEN_CACHE]
        else:
            os.environ[_TIKTOKEN_CACHE] = previous
