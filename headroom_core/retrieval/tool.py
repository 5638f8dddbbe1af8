"""The tool with which a model asks for originals: its schema, and the answer to its calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from headroom_core.errors import ConfigurationError, HeadroomError, ValidationError
from headroom_core.markers import RETRIEVE_TOOL, is_retrieve_tool
from headroom_core.retrieval.originals import invalid_argument, retrieve
from headroom_core.retrieval.pages import DEFAULT_LIMIT
from headroom_core.stores import Store

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
        raise invalid_argument(name, value) from None
