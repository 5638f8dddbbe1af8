"""The retrieve tool: its declaration for models, and the answers to their calls.

Models read every string here, error messages included: each word costs tokens or changes behaviour.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from headroom_core.errors import ConfigurationError, HeadroomError, ValidationError
from headroom_core.markers import RETRIEVE_TOOL
from headroom_core.retrieval.originals import KEY, invalid_argument, normalize_key, retrieve
from headroom_core.stores import Store, check_store

# Every request pays for the declaration. Markers carry a working call and errors say what is
# expected, so it says no more than which parameters there are, and how a row or a line is named.
_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "key": {"type": "string"},
        "where": {"type": "string"},
        "query": {"type": "string"},
        "lines": {"type": "string"},
        "limit": {"type": "integer"},
        "page": {"type": "integer"},
    },
    "required": ["key"],
}
_DESCRIPTION = "Reads what a headroom marker left out: rows where # == 3, or lines 1-5"

_NOT_GIVEN = (
    "this key is not of this conversation; ask for keys of markers that it was given, or go on "
    "without it"
)

_MAX_QUOTED_NAME_CHARS = 40


def retrieve_tool(provider: Literal["openai", "anthropic", "google"] = "openai") -> dict[str, Any]:
    """Return the declaration of the retrieve tool, for the `tools` parameter of a provider.

    Args:
        provider: Provider whose format to use.

    Raises:
        ConfigurationError: The provider is not one of the three.

    Example:
        >>> retrieve_tool("anthropic")["name"]
        'headroom_retrieve'
    """
    # A deep copy, because callers may edit their declarations.
    parameters = json.loads(json.dumps(_PARAMETERS))
    declaration = {"name": RETRIEVE_TOOL, "description": _DESCRIPTION}
    if provider == "openai":
        return {"type": "function", "function": {**declaration, "parameters": parameters}}
    if provider == "anthropic":
        return {**declaration, "input_schema": parameters}
    if provider == "google":
        return {"function_declarations": [{**declaration, "parameters": parameters}]}
    raise ConfigurationError(
        f"provider = {provider!r}: expected 'openai', 'anthropic' or 'google'",
        {"provider": provider},
    )


def handle_retrieve_call(
    arguments: str | Mapping[str, Any],
    *,
    allowed: Iterable[str] | None = None,
    store: Store | None = None,
) -> str:
    """Return the answer to a model's call of the retrieve tool.

    Args:
        arguments: Arguments of the call, as JSON or as a mapping.
        allowed: Keys that the conversation was given, such as `CompressResult.ccr_hashes`. A text
            that reaches the model may imitate a marker with a key of another conversation, which
            is refused then. Defaults to all keys of the store's namespace.
        store: Store that keeps the originals. Defaults to the default store.

    Returns:
        The text that was requested, or the reason why there is none. The model is never answered
        with an exception.

    Raises:
        ConfigurationError: `store` is not a store.

    Example:
        >>> handle_retrieve_call('{"key": "7"}')
        "headroom_retrieve: '7' is no key: keys are 24 hexadecimal digits"
    """
    check_store(store)  # Whoever calls this has to know; the model could only repeat its call.
    try:
        refusal = None if allowed is None else refuse_retrieve_call(arguments, allowed)
        if refusal is not None:
            return refusal
        result = retrieve(**_parse_arguments(arguments), store=store)
    except HeadroomError as error:
        return f"{RETRIEVE_TOOL}: {error.message}"
    return result.text if result.found else f"{RETRIEVE_TOOL}: {result.reason}"


def refuse_retrieve_call(arguments: str | Mapping[str, Any], allowed: Iterable[str]) -> str | None:
    """Return the answer to a call whose key is not allowed, or None if it is.

    A call without a key that can exist is answered by `handle_retrieve_call`, which says why.

    Args:
        arguments: Arguments of the call, as JSON or as a mapping.
        allowed: Keys that the conversation was given.
    """
    try:
        key = normalize_key(_parse_arguments(arguments)["key"])
    except ValidationError:
        return None
    if not KEY.fullmatch(key) or key in set(allowed):
        return None
    return f"{RETRIEVE_TOOL}: {_NOT_GIVEN}"


def _parse_arguments(arguments: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `retrieve` that a model intended."""
    if isinstance(arguments, str):
        arguments = _parse_json(arguments)
    if not isinstance(arguments, Mapping):
        raise ValidationError(
            """the arguments must be a JSON object such as {"key": "…", "lines": "120-180"}"""
        )
    properties = _PARAMETERS["properties"]
    for name in arguments:
        if name not in properties:
            quoted = repr(str(name)[:_MAX_QUOTED_NAME_CHARS])
            raise ValidationError(
                f"no parameter is named {quoted}; there are {', '.join(properties)}"
            )
    if not arguments.get("key"):
        raise ValidationError("key is missing: give the 24 hexadecimal digits of the marker")
    # Some models fill in every parameter: those they do not use with null or an empty string.
    return {
        name: _convert_argument(name, value)
        for name, value in arguments.items()
        if value not in (None, "")
    }


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _convert_argument(name: str, value: Any) -> Any:
    """Convert a value to the type that `retrieve` takes.

    Models write numbers as strings, and a single line as a number.
    """
    try:
        if name in ("limit", "page"):
            return int(value)
        if name == "lines" and isinstance(value, int):
            return str(value)
    except (TypeError, ValueError, OverflowError):
        raise invalid_argument(name, value) from None
    return value
