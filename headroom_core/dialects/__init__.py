"""Dialects: somebody's messages in, a draft out, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headroom_core.dialects.anthropic import AnthropicDialect
from headroom_core.dialects.base import Dialect
from headroom_core.dialects.google import GoogleDialect
from headroom_core.dialects.openai import OpenAIDialect
from headroom_core.errors import ConfigurationError

__all__ = ["AnthropicDialect", "Dialect", "GoogleDialect", "OpenAIDialect", "dialect_for"]

_FALLBACK: Dialect = OpenAIDialect()
_DIALECTS: tuple[Dialect, ...] = (GoogleDialect(), AnthropicDialect(), _FALLBACK)


def dialect_for(messages: Sequence[Any], name: str | Dialect | None = None) -> Dialect:
    """Return the dialect that reads the messages.

    Args:
        messages: the conversation, looked at only when no name is given.
        name: the name of a dialect, or a dialect itself.

    Raises:
        ConfigurationError: no dialect has that name.

    Example:
        >>> dialect_for([{"role": "tool", "tool_call_id": "c1", "content": "42"}]).name
        'openai'
        >>> dialect_for([], "anthropic").name
        'anthropic'
    """
    if name is None:
        return next((dialect for dialect in _DIALECTS if dialect.matches(messages)), _FALLBACK)
    if isinstance(name, Dialect):
        return name
    for dialect in _DIALECTS:
        if dialect.name == name:
            return dialect
    known = ", ".join(dialect.name for dialect in _DIALECTS)
    raise ConfigurationError(f"dialect = {name!r}: no such dialect; the dialects are {known}", {"dialect": name})
