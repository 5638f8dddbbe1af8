"""`retrieve`: bring back an original that was left out, or a part of it."""

from __future__ import annotations

import asyncio
import re
import reprlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from headroom_core._internal.checks import is_int
from headroom_core._internal.collection import paused_collection
from headroom_core._internal.guard import attempt
from headroom_core._internal.waiting import shared_wait
from headroom_core.errors import StorageError, ValidationError
from headroom_core.insight import ToolIntelligence
from headroom_core.results import RetrievalResult
from headroom_core.retrieval.pages import DEFAULT_LIMIT, PageRequest, read_page
from headroom_core.retrieval.word_search import MAX_QUERY_CHARS
from headroom_core.stores import Store, store_or_default
from headroom_core.stores.records import call_store, find_unsaved

KEY = re.compile(r"[0-9a-f]{24}")
"""Matches a content key as markers spell it."""

# Quotes and spaces that models copy along with a key.
_AROUND_KEY = " \t\r\n'\"`"
_MAX_QUOTED_KEY_CHARS = 40

_LARGE = 500_000
"""Number of characters from which on a text is parsed without collecting garbage meanwhile."""

_UNKNOWN_KEY = (
    "no original is kept under this key: it was never stored here, or it was evicted; "
    "asking again will not help, go on without it"
)

_EXPECTED = {
    "key": "the 24 hexadecimal digits of a marker",
    "where": "an expression such as \"status == 'failed'\", or None",
    "query": "words to look for, or None",
    "lines": "numbers counted from 1, such as '120-180' or '1-5,90', or None",
    "limit": "a whole number, 1 or more, or None for everything",
    "page": "a whole number, 1 or more",
}
"""Accepted values of each argument. Models read them too, as answers to their calls."""


@shared_wait()
def retrieve(
    key: str,
    *,
    where: str | None = None,
    query: str | None = None,
    lines: str | None = None,
    limit: int | None = DEFAULT_LIMIT,
    page: int = 1,
    store: Store | None = None,
    namespace: str | None = None,
) -> RetrievalResult:
    """Return an original, or a part of it.

    Args:
        key: Key that a marker names.
        where: Condition on rows: `status == 'failed' and amount > 100`, or on the row number that
            tables show, `# in [3, 4]`; see `headroom_core.retrieval.where`. Defaults to all rows.
        query: Words to search for in rows, or in lines if there are no rows. The best matches come
            on the first page; each page is in the order of the original. With `where`, only the
            rows that meet the condition are searched.
        lines: Lines of the original text, counted from 1: `120-180`, `7`, `1-5,90-95`. Defaults to
            all lines.
        limit: Maximum number of rows or lines on a page; fewer if they are very long. None returns
            everything, and the original byte for byte if nothing else is given.
        page: Page to return, counted from 1.
        store: Store that keeps the originals. Defaults to the default store.
        namespace: Tenant of the store to whom the original belongs. Defaults to that of the store.

    Returns:
        The text below a line that describes it, and above a line that names the call for the next
        page if there is one; or the reason why nothing was found, which another call will not
        change.

    Raises:
        ValidationError: An argument is not valid; the message says which values are allowed.
        ConfigurationError: `store` is not a store, or it has no namespaces but one is given.

    Example:
        >>> from headroom_core.markers import content_key
        >>> from headroom_core.stores import MemoryStore
        >>> store = MemoryStore()
        >>> text = "ready\\nsteady\\ngo\\n"
        >>> store.put_many({content_key(text): text})
        >>> print(retrieve(content_key(text), lines="2-3", store=store).text)
        lines 2-3 of 3
        steady
        go
    """
    _check_arguments(key=key, where=where, query=query, lines=lines, limit=limit, page=page)
    key = normalize_key(key)
    if not KEY.fullmatch(key):
        quoted = repr(key[:_MAX_QUOTED_KEY_CHARS])
        return _not_found(f"{quoted} is no key: keys are 24 hexadecimal digits")
    text, reason = None, _UNKNOWN_KEY
    try:
        store = store_or_default(store, namespace)
        text = call_store(partial(store.get, key))
    except StorageError as error:
        reason = error.message
    if text is None and store is not None:
        text = find_unsaved(store, key)
    if text is None or store is None:
        return _not_found(reason)
    request = PageRequest(
        key=key,
        where=where,
        query=query and query[:MAX_QUERY_CHARS],
        lines=lines,
        limit=limit,
        page=page,
    )
    with paused_collection(len(text) >= _LARGE):
        answer = read_page(text, request)
    if answer.result.found and page == 1:
        # Later pages belong to the same request. A failure to count must not cost the answer.
        attempt(lambda: _count_retrieval(request, answer.fields, store))
    return answer.result


async def aretrieve(
    key: str,
    *,
    where: str | None = None,
    query: str | None = None,
    lines: str | None = None,
    limit: int | None = DEFAULT_LIMIT,
    page: int = 1,
    store: Store | None = None,
    namespace: str | None = None,
) -> RetrievalResult:
    """Return an original, or a part of it, without blocking the event loop.

    See `retrieve`, which this runs in a thread, for arguments, result and errors.
    """
    return await asyncio.to_thread(
        retrieve,
        key,
        where=where,
        query=query,
        lines=lines,
        limit=limit,
        page=page,
        store=store,
        namespace=namespace,
    )


def normalize_key(key: object) -> str:
    """Return a key as `content_key` writes it, without what models copy along with it."""
    return key.strip(_AROUND_KEY).lower() if isinstance(key, str) else ""


def invalid_argument(name: str, value: object) -> ValidationError:
    """Return the error for an argument of `retrieve` that is not valid."""
    try:
        shown = reprlib.repr(value)
    except ValueError:  # Python refuses to print integers of more than 4,300 digits.
        shown = "a number of thousands of digits"
    return ValidationError(f"{name} = {shown}: expected {_EXPECTED[name]}", {name: value})


def _not_found(reason: str) -> RetrievalResult:
    return RetrievalResult("", found=False, reason=reason)


def _count_retrieval(request: PageRequest, fields: Sequence[str], store: Store) -> None:
    """Record a retrieval; more of such content is kept next time.

    Args:
        request: The request.
        fields: Fields of the original that it names. Other names may be any text of the model's.
        store: The store.
    """
    by = "all"
    if request.lines:
        by = "lines"
    elif request.where:
        by = "where"
    elif request.query:
        by = "query"
    ToolIntelligence(store).retrieved(request.key, by=by, fields=fields)


def _check_arguments(**arguments: Any) -> None:
    for name, value in arguments.items():
        if not _is_allowed(name, value):
            raise invalid_argument(name, value)
    if arguments["lines"] and (arguments["where"] or arguments["query"]):
        raise ValidationError("lines stands alone: give where and query, or lines", arguments)


def _is_allowed(name: str, value: object) -> bool:
    if value is None:
        return name not in ("key", "page")
    if name in ("limit", "page"):
        return is_int(value, minimum=1)
    return isinstance(value, str)
