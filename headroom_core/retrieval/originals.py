"""`retrieve()`: bring back an original, or part of it."""

from __future__ import annotations

import asyncio
import re
import reprlib
from typing import Any

from headroom_core._internal.guard import Edge
from headroom_core.errors import StorageError, ValidationError
from headroom_core.insight import ToolIntelligence
from headroom_core.results import RetrievalResult
from headroom_core.retrieval.pages import DEFAULT_LIMIT, PageRequest, read_page
from headroom_core.retrieval.where import parse_where
from headroom_core.stores import Store, default_store

_KEY = re.compile(r"[0-9a-f]{24}")
_UNKNOWN = (
    "no original is kept under this key: it was never stored here, or it was evicted; "
    "asking again will not help, go on without it"
)


def retrieve(
    key: str,
    *,
    where: str | None = None,
    query: str | None = None,
    lines: str | None = None,
    limit: int | None = DEFAULT_LIMIT,
    page: int = 1,
    store: Store | None = None,
) -> RetrievalResult:
    """Return an original, or the part of it that is wanted.

    Args:
        key: the key that a marker names.
        where: which rows: `status == 'failed' and amount > 100`, or by the number that tables show, `# in [3, 4]`;
            see `headroom_core.where`.
        query: the rows, or the lines where there are no rows, that share words with it. The best come on the first
            page; each page is in the order of the original. With `where`: among the rows that match.
        lines: which lines of the original text, counted from 1: `120-180`, `7`, `1-5,90-95`.
        limit: rows or lines a page; fewer where they are very long. None: everything, and the original byte for
            byte if nothing else is given.
        page: the page, counted from 1.
        store: where originals are kept; None: the default store.

    Returns:
        The text, headed by a line that says what it is and with a last line that says how to get the next page where
        there is one; or the reason why nothing was found, which asking again will not change.

    Raises:
        ValidationError: an argument cannot be read; the message says what is allowed.

    Example:
        >>> from headroom_core.markers import content_key
        >>> from headroom_core.stores import MemoryStore
        >>> store = MemoryStore()
        >>> store.put_many({content_key("ready\\nsteady\\ngo\\n"): "ready\\nsteady\\ngo\\n"})
        >>> print(retrieve(content_key("ready\\nsteady\\ngo\\n"), lines="2-3", store=store).text)
        lines 2-3 of 3
        steady
        go
    """
    _check(key=key, where=where, query=query, lines=lines, limit=limit, page=page)
    key = key.strip(" \t\r\n'\"`").lower()
    if not _KEY.fullmatch(key):
        return RetrievalResult(
            "", found=False, reason=f"{key[:40]!r} is no key: keys are 24 hexadecimal digits"
        )
    store = default_store() if store is None else store
    try:
        text = store.get(key)
    except StorageError as error:
        return RetrievalResult("", found=False, reason=error.message)
    if text is None:
        return RetrievalResult("", found=False, reason=_UNKNOWN)
    ask = PageRequest(key, where, query, lines, limit, page)
    found = read_page(text, ask)
    if found.found and page == 1:
        # Later pages belong to the same question; and an answer does not wait for a count that fails.
        Edge().attempt("", lambda: _count(ask, store))
    return found


def _count(ask: PageRequest, store: Store) -> None:
    """Count what was asked for, so that more of it is kept the next time."""
    by = "lines" if ask.lines else "where" if ask.where else "query" if ask.query else "all"
    paths = parse_where(ask.where).paths if ask.where else ()
    ToolIntelligence(store).retrieved(ask.key, by=by, fields=[".".join(path) for path in paths])


async def aretrieve(
    key: str,
    *,
    where: str | None = None,
    query: str | None = None,
    lines: str | None = None,
    limit: int | None = DEFAULT_LIMIT,
    page: int = 1,
    store: Store | None = None,
) -> RetrievalResult:
    """Do what `retrieve` does, in a thread of its own."""
    return await asyncio.to_thread(
        retrieve, key, where=where, query=query, lines=lines, limit=limit, page=page, store=store
    )


_WAYS_OUT = {
    "key": "the 24 hexadecimal digits of a marker",
    "where": "an expression such as \"status == 'failed'\", or None",
    "query": "words to look for, or None",
    "lines": "numbers counted from 1, such as '120-180' or '1-5,90', or None",
    "limit": "a whole number, 1 or more, or None for everything",
    "page": "a whole number, 1 or more",
}


def _check(**given: Any) -> None:
    for name, value in given.items():
        if not _is_allowed(name, value):
            raise invalid_argument(name, value)
    if given["lines"] and (given["where"] or given["query"]):
        raise ValidationError("lines stands alone: give where and query, or lines", given)


def _is_allowed(name: str, value: Any) -> bool:
    if value is None:
        return name not in ("key", "page")
    if name in ("limit", "page"):
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return isinstance(value, str)


def invalid_argument(name: str, value: Any) -> ValidationError:
    try:
        shown = reprlib.repr(value)
    except ValueError:  # Python does not write out integers of more than 4,300 digits
        shown = "a number of thousands of digits"
    return ValidationError(f"{name} = {shown}: expected {_WAYS_OUT[name]}", {name: value})
