"""The retrieve tool in a request, in the form in which the model's `bind_tools` writes tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headroom_core import ConfigurationError
from headroom_core.adapters import (
    RetrieveChoice,
    allows_tool_choice,
    declares_retrieval,
    forbid_tool_calls,
    has_strict_tools,
)


def offers_retrieval(retrieve: RetrieveChoice, kwargs: Mapping[str, Any]) -> bool:
    """Return whether the retrieve tool is offered in a request.

    It is not if the answer has a fixed format, that is with structured output or a forced tool.

    Args:
        retrieve: The setting. With "auto" it is offered beside tools of the caller.
        kwargs: The caller's arguments besides the messages.
    """
    if not (kwargs.get("tools") if retrieve == "auto" else retrieve):
        return False
    return not kwargs.get("ls_structured_output_format") and allows_tool_choice(kwargs)


def add_tools(
    model: Any, kwargs: Mapping[str, Any], tools: Sequence[Any]
) -> tuple[dict[str, Any], list[Any]]:
    """Add tools to those of the caller.

    Args:
        model: The model, or a runnable around one, that is called.
        kwargs: The caller's arguments besides the messages.
        tools: The tools to add, if the retrieve tool is not among the caller's.

    Returns:
        The arguments to send, and the declarations that were added.

    Raises:
        ConfigurationError: The model's `bind_tools` does not bind a list of tools.
    """
    own = list(kwargs.get("tools") or ())
    if not tools or declares_retrieval(own):
        return dict(kwargs), []
    # A provider that parses structured answers accepts no tools but strict ones.
    settings = {"strict": True} if has_strict_tools(own) else {}
    bound = _bind(model, tools, **settings)
    added = bound.get("tools")
    if not isinstance(added, list):
        kind = type(model).__name__
        raise ConfigurationError(
            f"retrieve = True: bind_tools of {kind} binds no list of tools to which the retrieve "
            "tool could be added; use retrieve=False, or HeadroomMiddleware in an agent",
            {"retrieve": True, "model": kind},
        )
    return {**bound, **kwargs, "tools": [*own, *added]}, added


def forbid_calls(model: Any, tools: Sequence[Any]) -> dict[str, Any]:
    """Return the arguments with which the model calls no tool; empty if it has no such choice."""
    try:
        # Many models take "none" for the name of a tool, but all know "auto", whose form shows
        # how the provider writes a choice.
        choice = forbid_tool_calls(_bind(model, tools, tool_choice="auto").get("tool_choice"))
    except (TypeError, ValueError):
        return {}
    return {} if choice is None else {"tool_choice": choice}


def _bind(model: Any, tools: Sequence[Any], **settings: Any) -> dict[str, Any]:
    """Return the arguments that the model's `bind_tools` adds to a request."""
    return dict(getattr(model.bind_tools(tools, **settings), "kwargs", {}))
