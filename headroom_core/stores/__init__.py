"""Stores of originals, and of the records of how blocks were sent."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from headroom_core._internal.checks import check_namespace
from headroom_core.environment import store_url
from headroom_core.errors import ConfigurationError, StorageError
from headroom_core.stores.base import DEFAULT_MAX_AGE_SECONDS, CounterStore, Store
from headroom_core.stores.memory import MemoryStore

if TYPE_CHECKING:
    from headroom_core.stores.sqlite import SQLiteStore

__all__ = [
    "CounterStore",
    "MemoryStore",
    "SQLiteStore",
    "Store",
    "check_store",
    "default_store",
    "in_namespace",
    "open_store",
    "shared_store",
    "store_or_default",
]

_shared_stores: dict[tuple[str, int | None, float | None], Store] = {}


def __getattr__(name: str) -> Any:
    # Importing sqlite3 takes several milliseconds, so it waits for the first store in a file.
    if name == "SQLiteStore":
        return import_module(f"{__name__}.sqlite").SQLiteStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def open_store(
    url: str,
    *,
    namespace: str | None = None,
    max_entries: int | None = None,
    max_age_seconds: float | None = DEFAULT_MAX_AGE_SECONDS,
) -> Store:
    """Open the store at a URL. A file is opened, and created if missing, when it is first used.

    Args:
        url: `sqlite:///relative/file.db`, `sqlite:////absolute/file.db`, or `memory://` for a new
            store in memory. `?namespace=tenant` may follow, percent-encoded where needed.
        namespace: Tenant whose originals and records the store contains. Tenants with different
            namespaces never see each other's. Defaults to the one in the URL, or else "default".
        max_entries: Maximum number of originals, and of records. Defaults to no limit.
        max_age_seconds: Seconds after their last use at which originals and records expire.
            Defaults to 30 days; None keeps them for ever.

    Raises:
        ConfigurationError: The URL names no known kind of store, or has another option.

    Example:
        >>> open_store("memory://?namespace=acme").namespace
        'acme'
    """
    address, mark, query = url.partition("?")
    scheme, separator, location = address.partition("://")
    in_url = _read_namespace(query) if mark else "default"
    if in_url is None:
        raise ConfigurationError(
            f"store_url = {url!r}: the only option is namespace, given once, as in "
            f"{address}?namespace=tenant",
            {"store_url": url},
        )
    store = None
    if separator and scheme in _OPENERS:
        store = _OPENERS[scheme](
            location,
            namespace=in_url if namespace is None else namespace,
            max_entries=max_entries,
            max_age_seconds=max_age_seconds,
        )
    if store is None:
        raise ConfigurationError(
            f"store_url = {url!r}: expected sqlite:///file.db, sqlite:////absolute/file.db or "
            "memory://, and then ?namespace=tenant if there are tenants",
            {"store_url": url},
        )
    return store


def _read_namespace(query: str) -> str | None:
    """Return the namespace that the options of a URL name, or None if they are not allowed."""
    try:
        (option,) = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:  # Malformed, or not exactly one option.
        return None
    name, namespace = option
    return namespace if name == "namespace" and namespace else None


def _open_memory(location: str, **settings: Any) -> Store | None:
    return None if location else MemoryStore(**settings)


def _open_sqlite(location: str, **settings: Any) -> Store | None:
    if location in ("", "/:memory:"):  # SQLAlchemy's URLs of a database in memory
        return MemoryStore(**settings)
    path = location.removeprefix("/")
    if path in ("", location):  # A path needs the third slash.
        return None
    try:
        store_class = __getattr__("SQLiteStore")
    except (OSError, ImportError) as error:
        raise StorageError(
            f"store {path}: SQLite cannot be loaded ({type(error).__name__}); free some file "
            "descriptors, or give memory:// as HEADROOM_STORE_URL",
            {"path": path},
        ) from error
    store: Store = store_class(path, **settings)
    return store


_OPENERS: dict[str, Callable[..., Store | None]] = {
    "memory": _open_memory,
    "sqlite": _open_sqlite,
}
"""Opener of each URL scheme. An opener returns None if the URL is malformed."""


def shared_store(
    url: str | None = None,
    max_entries: int | None = None,
    max_age_seconds: float | None = DEFAULT_MAX_AGE_SECONDS,
    *,
    namespace: str | None = None,
) -> Store:
    """Return the store that this process shares for these arguments, opening it the first time.

    Args:
        url: As for `open_store`. Defaults to `HEADROOM_STORE_URL` if that is set, and to a file
            in the user's state folder otherwise.
        max_entries: As for `open_store`.
        max_age_seconds: As for `open_store`.
        namespace: As for `open_store`. The stores of all tenants at a URL share its file.

    Raises:
        ConfigurationError: The URL names no known kind of store, or there is no URL and no home
            folder.
    """
    key = (url or _default_url(), max_entries, max_age_seconds)
    store = _shared_stores.get(key)
    if store is None:
        opened = open_store(key[0], max_entries=max_entries, max_age_seconds=max_age_seconds)
        # Of threads that get here together, all use the store of the first. The others are
        # discarded at no cost, because a store opens its file only when it is used.
        store = _shared_stores.setdefault(key, opened)
    return in_namespace(store, namespace)


def in_namespace(store: Store, namespace: str | None) -> Store:
    """Return the store of a tenant that belongs to another store.

    Args:
        store: A store. The ones of this package have a method `in_namespace`, and others may have.
        namespace: Name of the tenant. None for that of the store itself.

    Raises:
        ConfigurationError: The name is not allowed, or the store has no such method.

    Example:
        >>> acme = in_namespace(MemoryStore(), "acme")
        >>> acme.namespace, in_namespace(acme, None) is acme
        ('acme', True)
    """
    if namespace is None:
        return store
    check_namespace(namespace)
    switch = getattr(store, "in_namespace", None)
    if not callable(switch):
        raise ConfigurationError(
            f"namespace = {namespace!r}: {type(store).__name__} has no method in_namespace(name); "
            "give a store that is already in that namespace, and no namespace",
            {"namespace": namespace},
        )
    tenant: Store = switch(namespace)
    check_store(tenant, f"in_namespace({namespace!r})")
    return tenant


def _default_url() -> str:
    try:
        return store_url()
    except RuntimeError as error:
        raise ConfigurationError(
            "there is no home folder to keep originals in: name a file or memory:// with "
            "HEADROOM_STORE_URL"
        ) from error


def default_store(namespace: str | None = None) -> Store:
    """Return the shared store at `HEADROOM_STORE_URL`, or in the user's state folder if not set.

    Args:
        namespace: Tenant whose originals and records it contains. Defaults to the one in the URL,
            or else "default".
    """
    return shared_store(namespace=namespace)


def check_store(store: object, name: str = "store") -> None:
    """Check that an argument is a store, or None.

    Args:
        store: Argument to check.
        name: Name of the argument, for the message.

    Raises:
        ConfigurationError: It is neither.

    Example:
        >>> check_store("memory://")
        Traceback (most recent call last):
        ...
        headroom_core.errors.ConfigurationError: store must be a Store, got str; open one with ...
    """
    # A class has the methods of its objects, so the type check alone would let it pass.
    if isinstance(store, type):
        raise ConfigurationError(
            f"{name} must be a Store, got the class {store.__name__}; give an object of it",
            {name: store.__name__},
        )
    if store is not None and not isinstance(store, Store):
        kind = type(store).__name__
        raise ConfigurationError(
            f"{name} must be a Store, got {kind}; open one with open_store(url)", {name: kind}
        )


def store_or_default(store: Store | None, namespace: str | None = None) -> Store:
    """Return the store that a caller gave, or the default store, in a namespace if one is given.

    Raises:
        ConfigurationError: The caller gave something else, or the store has no namespaces.
    """
    check_store(store)
    return in_namespace(default_store() if store is None else store, namespace)
