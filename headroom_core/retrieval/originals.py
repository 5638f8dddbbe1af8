"""Bring back what was left out: `retrieve()`, and the tool with which a model asks for it."""

from __future__ import annotations

import asyncio
import json
import re
import reprlib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from headroom_core._internal.guard import attempt
from headroom_core.errors import ConfigurationError, HeadroomError, StorageError, ValidationError
from headroom_core.insight import ToolIntelligence
from headroom_core.markers import RETRIEVE_TOOL, is_retrieve_tool
from headroom_core.results import RetrievalResult
from headroom_core.retrieval.pages import DEFAULT_LIMIT, PageRequest, read_page
from headroom_core.retrieval.where import parse_where
from headroom_core.stores import Store, default_store

_KEY = re.compile(r"[0-9a-f]{24}")
_UNKNOWN = (
    "no original is kept under this key: it was never stored here, or it was evicted; "
    "asking again will not help, go on without it"
)

_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "key": {"type": "string", "description": "The key in the marker: 24 hexadecimal digits."},
        "where": {
            "type": "string",
            "description": "Only the rows that match, for example: status == 'failed' and amount > 100. "
            "By their number, as a table shows it: # in [3, 4]. Fields as in the table (nested ones as owner.login, in "
            "lists too: labels.name; a row that is a bare value is .), strings in quotes; == != < <= > >= in contains "
            "startswith endswith, and or not, parentheses.",
        },
        "query": {
            "type": "string",
            "description": "Only the rows or lines that best match these words.",
        },
        "lines": {
            "type": "string",
            "description": "Only these lines of the original text, counted from 1, for example: 120-180 or 1-5,90. "
            "Not the rows of a table: those have numbers for where.",
        },
        "limit": {
            "type": "integer",
            "description": f"Rows or lines a page, {DEFAULT_LIMIT} unless given.",
        },
        "page": {"type": "integer", "description": "The page, counted from 1."},
    },
    "required": ["key"],
}
_DESCRIPTION = (
    "Returns what a [headroom: … left out …] marker stands for. The original is intact; ask for the part that is "
    "needed with where, query or lines, or leave them out to read it from its start, page by page."
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
        attempt(lambda: _count(ask, store))
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
            raise _unreadable(name, value)
    if given["lines"] and (given["where"] or given["query"]):
        raise ValidationError("lines stands alone: give where and query, or lines", given)


def _is_allowed(name: str, value: Any) -> bool:
    if value is None:
        return name not in ("key", "page")
    if name in ("limit", "page"):
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return isinstance(value, str)


def _unreadable(name: str, value: Any) -> ValidationError:
    try:
        shown = reprlib.repr(value)
    except ValueError:  # Python does not write out integers of more than 4,300 digits
        shown = "a number of thousands of digits"
    return ValidationError(f"{name} = {shown}: expected {_WAYS_OUT[name]}", {name: value})


def retrieve_tool(provider: Literal["openai", "anthropic", "google"] = "openai") -> dict[str, Any]:
    """Return the schema of the tool that brings originals back, for a provider's `tools` parameter.

    Raises:
        ConfigurationError: the provider is none of the three.

    Example:
        >>> retrieve_tool("anthropic")["name"]
        'headroom_retrieve'
    """
    parameters = json.loads(json.dumps(_PARAMETERS))
    declared = {"name": RETRIEVE_TOOL, "description": _DESCRIPTION}
    if provider == "openai":
        return {"type": "function", "function": {**declared, "parameters": parameters}}
    if provider == "anthropic":
        return {**declared, "input_schema": parameters}
    if provider == "google":
        return {"function_declarations": [{**declared, "parameters": parameters}]}
    raise ConfigurationError(
        f"provider = {provider!r}: expected 'openai', 'anthropic' or 'google'",
        {"provider": provider},
    )


_DECLARING = (
    "function",
    "tools",
    "toolConfig",
    "toolSpec",
    "tool_spec",
    "function_declarations",
    "functionDeclarations",
)
"""The keys under which providers' declarations of tools hold the name, or further declarations."""


def declares_retrieval(tools: Any) -> bool:
    """Return whether the retrieve tool is among tools, as one or another provider declares them.

    Args:
        tools: declarations, each a mapping or an object of pydantic; what else there is declares nothing.

    Example:
        >>> declares_retrieval([{"name": "orders"}, retrieve_tool("google")])
        True
        >>> declares_retrieval([{"name": "orders", "description": "Call headroom_retrieve for more."}])
        False
    """
    if isinstance(tools, BaseModel):
        tools = dict(tools)
    if isinstance(tools, Mapping):
        name = tools.get("name")
        named = isinstance(name, str) and is_retrieve_tool(name)
        return named or any(declares_retrieval(tools.get(key)) for key in _DECLARING)
    return isinstance(tools, (list, tuple)) and any(map(declares_retrieval, tools))


def handle_retrieve_call(arguments: str | Mapping[str, Any], *, store: Store | None = None) -> str:
    """Return the answer to a model's call of the tool: what it asked for, or why not.

    Args:
        arguments: the call's arguments, as the JSON text or the dictionary that the provider gives.
        store: where originals are kept; None: the default store.

    Example:
        >>> handle_retrieve_call('{"id": 7}')
        "headroom_retrieve: no parameter is named 'id'; there are key, where, query, lines, limit, page"
    """
    try:
        found = retrieve(**_arguments(arguments), store=store)
    except HeadroomError as error:
        return f"{RETRIEVE_TOOL}: {error.message}"
    return found.text if found.found else f"{RETRIEVE_TOOL}: {found.reason}"


def _arguments(given: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `retrieve` that a model meant."""
    if isinstance(given, str):
        given = _parsed(given)
    if not isinstance(given, Mapping):
        raise ValidationError(
            """the arguments must be a JSON object such as {"key": "…", "lines": "120-180"}"""
        )
    properties = _PARAMETERS["properties"]
    if unknown := [name for name in given if name not in properties]:
        raise ValidationError(
            f"no parameter is named {str(unknown[0])[:40]!r}; there are {', '.join(properties)}"
        )
    if not given.get("key"):
        raise ValidationError("key is missing: give the 24 hexadecimal digits of the marker")
    return {name: _meant(name, value) for name, value in given.items() if value not in (None, "")}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _meant(name: str, value: Any) -> Any:
    """Return a value as `retrieve` takes it: models write numbers as strings, and one line as a number."""
    convert = (
        int
        if name in ("limit", "page")
        else str
        if name == "lines" and isinstance(value, int)
        else None
    )
    try:
        return convert(value) if convert else value
    except (TypeError, ValueError, OverflowError):
        raise _unreadable(name, value) from None
