"""Offering the retrieve tool in a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from headroom_core.dialects.access import get_field
from headroom_core.errors import ConfigurationError

RetrieveChoice: TypeAlias = bool | Literal["auto"]
"""Whether a model can retrieve what was left out; "auto" where its requests offer tools."""

_OPEN_CHOICES = frozenset({"auto", "any", "required"})
"""Values of `tool_choice` that let the model pick the tool."""


def check_retrieve(value: object, *, sees_tools: bool = False) -> None:
    """Check a setting `retrieve`.

    Args:
        value: The setting.
        sees_tools: Whether the component sees which tools a request offers, as "auto" requires.

    Raises:
        ConfigurationError: It is not a boolean, nor an "auto" that is allowed.

    Example:
        >>> check_retrieve("auto", sees_tools=True)
        >>> check_retrieve("yes", sees_tools=True)
        Traceback (most recent call last):
        ...
        headroom_core.errors.ConfigurationError: retrieve = 'yes': must be True, False or 'auto'
    """
    rule = retrieve_rule(value, sees_tools=sees_tools)
    if rule:
        raise ConfigurationError(f"retrieve = {value!r:.80}: {rule}", {"retrieve": value})


def retrieve_rule(value: object, *, sees_tools: bool = False) -> str:
    """Return the rule that a setting `retrieve` breaks; empty if none. See `check_retrieve`."""
    is_auto = isinstance(value, str) and value == "auto"
    if isinstance(value, bool) or (is_auto and sees_tools):
        return ""
    if sees_tools:
        return "must be True, False or 'auto'"
    reason = "the tools of requests are not seen here; " if is_auto else ""
    return f"must be True or False: {reason}give True if the model can call headroom_retrieve"


def allows_tool_choice(request: Mapping[str, Any]) -> bool:
    """Return whether a request lets the model choose which tool it calls.

    It does not if it forces a tool, forbids tools, or asks for an answer in a fixed format without
    offering tools.

    Args:
        request: Parameters of the request besides its messages, as OpenAI or Anthropic name them.

    Example:
        >>> allows_tool_choice({"tools": [], "tool_choice": "auto"})
        True
        >>> allows_tool_choice({"tool_choice": {"type": "tool", "name": "orders"}})
        False
    """
    if "response_format" in request and not request.get("tools"):
        return False
    choice = request.get("tool_choice")
    if isinstance(choice, Mapping):
        # OpenAI and Anthropic write {"type": "any"}, Bedrock writes {"any": {}}.
        choice = choice.get("type") or next(iter(choice), None)
    return choice is None or choice in _OPEN_CHOICES


def forbid_tool_calls(auto_choice: Any) -> Any:
    """Return the `tool_choice` that forbids tool calls, None if its form is unknown.

    Args:
        auto_choice: The provider's way to write that the model may choose.

    Example:
        >>> forbid_tool_calls("auto"), forbid_tool_calls({"type": "auto"})
        ('none', {'type': 'none'})
    """
    if auto_choice == "auto":
        return "none"
    return {"type": "none"} if auto_choice == {"type": "auto"} else None


def has_strict_tools(tools: Iterable[Any]) -> bool:
    """Return whether any tool's declaration is strict, as OpenAI means it.

    Example:
        >>> has_strict_tools([{"type": "function", "function": {"name": "orders", "strict": True}}])
        True
    """
    return any(
        get_field(tool, "strict") or get_field(get_field(tool, "function"), "strict")
        for tool in tools
    )
