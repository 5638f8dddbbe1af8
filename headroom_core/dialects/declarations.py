"""Declarations of tools, in the format of any provider: their texts, and what they offer."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from headroom_core.markers import is_retrieve_tool

_DECLARATION_KEYS = (
    "function",
    "tools",
    "toolConfig",
    "toolSpec",
    "tool_spec",
    "function_declarations",
    "functionDeclarations",
)
"""Keys under which providers' declarations have the name of a tool, or further declarations."""


def declares_retrieval(tools: Any) -> bool:
    """Return whether the retrieve tool is among declared tools, in the format of any provider.

    Args:
        tools: Declarations, each a mapping or a pydantic object. Other values declare nothing.

    Example:
        >>> declares_retrieval([{"name": "orders"}, {"name": "headroom_retrieve"}])
        True
        >>> declares_retrieval([{"name": "orders", "description": "See headroom_retrieve."}])
        False
    """
    return any(map(is_retrieve_tool, declared_names(tools)))


def declared_names(tools: Any) -> Iterator[str]:
    """Yield the names of declared tools, in the format of any provider.

    Args:
        tools: Declarations, each a mapping or a pydantic object. Other values declare nothing.

    Example:
        >>> list(declared_names([{"type": "function", "function": {"name": "orders"}}]))
        ['orders']
    """
    if isinstance(tools, BaseModel):
        tools = dict(tools)
    if isinstance(tools, Mapping):
        name = tools.get("name")
        if name is None and tools.keys().isdisjoint(_DECLARATION_KEYS):
            # Tools of the provider itself may have a type alone, such as `apply_patch`.
            name = tools.get("type")
        if isinstance(name, str):
            yield name
        for key in _DECLARATION_KEYS:
            yield from declared_names(tools.get(key))
    elif isinstance(tools, (list, tuple)):
        for tool in tools:
            yield from declared_names(tool)


def declaration_texts(tools: Iterable[Any]) -> list[str]:
    """Return each declaration of a tool as the text that stands for it in token counts.

    Providers do not publish how they write declarations for their models. JSON with spaces, as
    `json.dumps` writes it, has about as many tokens, or a few more.

    Args:
        tools: Declarations in the format of any provider, as mappings or pydantic objects; classes
            of pydantic; or functions, of which signature and docstring count.

    Example:
        >>> declaration_texts([{"name": "orders", "input_schema": {"type": "object"}}])
        ['{"name": "orders", "input_schema": {"type": "object"}}']
    """
    return [_write(tool) for tool in tools]


def _write(tool: Any) -> str:
    try:
        return json.dumps(_as_value(tool), ensure_ascii=False, default=_as_value, skipkeys=True)
    except (TypeError, ValueError, RecursionError):
        return str(tool)


def _as_value(tool: Any) -> Any:
    """Return an object as a value that JSON has, or as a text."""
    if isinstance(tool, Mapping):
        return dict(tool)
    if isinstance(tool, type) and issubclass(tool, BaseModel):
        return {"name": tool.__name__, "parameters": tool.model_json_schema()}
    if isinstance(tool, BaseModel):
        with suppress(ValueError, TypeError):
            return tool.model_dump(mode="json", exclude_none=True)
    if callable(tool):
        return _describe_function(tool)
    return str(tool)


def _describe_function(function: Any) -> dict[str, str]:
    signature = ""
    with suppress(ValueError, TypeError):
        signature = str(inspect.signature(function))
    name = getattr(function, "__name__", type(function).__name__)
    return {"name": name, "signature": signature, "description": inspect.getdoc(function) or ""}
