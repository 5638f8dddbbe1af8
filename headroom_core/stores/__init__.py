"""Where originals, and the record of what blocks became, are kept."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from headroom_core.environment import store_url
from headroom_core.errors import ConfigurationError
from headroom_core.stores.base import CounterStore, Store
from headroom_core.stores.memory import MemoryStore

if TYPE_CHECKING:
    from headroom_core.stores.sqlite import SQLiteStore

__all__ = [
    "CounterStore",
    "MemoryStore",
    "SQLiteStore",
    "Store",
    "default_store",
    "open_store",
    "shared_store",
]

_SQLITE = "sqlite:///"
_IN_MEMORY = ("memory://", "sqlite://", "sqlite:///:memory:")

_shared: dict[tuple[str, int | None, float | None], Store] = {}


def __getattr__(name: str) -> Any:
    # sqlite3 takes several milliseconds to import, which a process that stores nothing need not spend.
    if name == "SQLiteStore":
        return import_module(f"{__name__}.sqlite").SQLiteStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def open_store(
    url: str,
    *,
    namespace: str = "default",
    max_entries: int | None = None,
    max_age_seconds: float | None = None,
) -> Store:
    """Return the store that a URL names. It opens its file when it is first used.

    Args:
        url: `sqlite:///relative/file.db`, `sqlite:////absolute/file.db`, or `memory://` for a new store in memory.
        namespace: whose originals and records it sees; tenants with different ones never see each other's.
        max_entries: originals to keep at most, and as many records. None: no limit.
        max_age_seconds: seconds after their last replay at which they are forgotten. None: never.

    Raises:
        ConfigurationError: the URL is of no known kind.

    Example:
        >>> open_store("memory://").get("2cf24dba5fb0a30e26e83b2a") is None
        True
    """
    if url in _IN_MEMORY:
        return MemoryStore(
            namespace=namespace, max_entries=max_entries, max_age_seconds=max_age_seconds
        )
    path = url.removeprefix(_SQLITE)
    if path in ("", url) or "?" in path:
        raise ConfigurationError(
            f"store_url = {url!r}: expected sqlite:///file.db, sqlite:////absolute/file.db or memory://",
            {"store_url": url},
        )
    store: Store = __getattr__("SQLiteStore")(
        path, namespace=namespace, max_entries=max_entries, max_age_seconds=max_age_seconds
    )
    return store


def shared_store(
    url: str | None = None, max_entries: int | None = None, max_age_seconds: float | None = None
) -> Store:
    """Return this process's store at a URL, the same object for the same arguments.

    Args:
        url: as for `open_store`. None: `HEADROOM_STORE_URL`, else a file under the user's state folder.
        max_entries: as for `open_store`.
        max_age_seconds: as for `open_store`.
    """
    wanted = (url or store_url(), max_entries, max_age_seconds)
    # A store opens its file when it is first used, so one that loses this race has cost nothing.
    return _shared.get(wanted) or _shared.setdefault(
        wanted, open_store(wanted[0], max_entries=max_entries, max_age_seconds=max_age_seconds)
    )


def default_store() -> Store:
    """Return this process's store at `HEADROOM_STORE_URL`, else in a file under the user's state folder."""
    return shared_store()
