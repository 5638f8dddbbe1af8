"""Declarations of tools, in the format of any provider: their texts, and what they offer."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, TypeAdapter

from headroom_core.markers import is_retrieve_tool

# What pydantic raises for types of arguments that have no schema: `PydanticUserError` is a
# `RuntimeError`.
_SCHEMA_ERRORS = (RuntimeError, NameError, TypeError, ValueError, AttributeError)

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
        tools: Declarations, or tools themselves. Other values declare nothing.

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
        tools: Declarations, each a mapping or a pydantic object, or tools themselves: functions,
            classes, and objects of frameworks with a name. Other values declare nothing.

    Example:
        >>> list(declared_names([print]))
        ['print']
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
    else:
        name = _name_of(tools)
        if name is not None:
            yield name


def _name_of(tool: Any) -> str | None:
    """Return the name of a tool object, a function or a class, None for any other value."""
    candidates = [getattr(getattr(tool, "metadata", None), "name", None)]
    if callable(tool):
        function = getattr(tool, "func", tool)
        candidates += [getattr(tool, name, None) for name in ("name", "__name__")]
        candidates += [getattr(function, "__name__", None), type(tool).__name__]
    return next((name for name in candidates if isinstance(name, str)), None)


def declaration_texts(tools: Iterable[Any]) -> list[str]:
    """Return each declaration of a tool as the text that stands for it in token counts.

    Providers do not publish how they write declarations for their models. JSON with spaces, as
    `json.dumps` writes it, has about as many tokens, or a few more.

    Args:
        tools: Declarations in the format of any provider, as mappings or pydantic objects; or tools
            themselves, of which the name, the description and the schema of the arguments count:
            classes of pydantic, functions, and objects of frameworks.

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
        return _declare(tool.__name__, inspect.getdoc(tool), tool.model_json_schema())
    holder: Any
    metadata = getattr(tool, "metadata", None)
    for holder, read_schema in ((metadata, "get_parameters_dict"), (tool, "get_input_jsonschema")):
        if callable(getattr(holder, read_schema, None)) and hasattr(holder, "description"):
            with suppress(*_SCHEMA_ERRORS):
                schema = getattr(holder, read_schema)()
                return _declare(str(_name_of(tool) or holder.name), holder.description, schema)
    if isinstance(tool, BaseModel):
        with suppress(ValueError, TypeError):
            return tool.model_dump(mode="json", exclude_none=True)
    return _describe_function(tool) if callable(tool) else str(tool)


def _declare(name: str, description: Any, parameters: Any) -> dict[str, Any]:
    return {"name": name, "description": description or "", "parameters": parameters}


def _describe_function(function: Any) -> dict[str, Any]:
    parameters: Any = ""
    with suppress(ValueError, TypeError):
        parameters = str(inspect.signature(function))
    with suppress(*_SCHEMA_ERRORS):
        parameters = TypeAdapter(function).json_schema()
    return _declare(str(_name_of(function)), inspect.getdoc(function), parameters)
