"""Dialects, which read the messages of one format into drafts and write them back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from headroom_core._internal.plugins import entry_points_of, load_plugin
from headroom_core.dialects.access import as_items, get_field
from headroom_core.dialects.anthropic import AnthropicDialect
from headroom_core.dialects.base import Dialect, MessageReader
from headroom_core.dialects.bedrock import BedrockDialect
from headroom_core.dialects.cohere import CohereDialect
from headroom_core.dialects.google import GoogleDialect
from headroom_core.dialects.openai import OpenAIDialect
from headroom_core.dialects.responses import ResponsesDialect
from headroom_core.errors import ConfigurationError

__all__ = [
    "AnthropicDialect",
    "BedrockDialect",
    "CohereDialect",
    "Dialect",
    "GoogleDialect",
    "OpenAIDialect",
    "ResponsesDialect",
    "dialect_for",
]

GROUP = "headroom.dialects"
"""Entry points of dialects, each named after the package whose messages it reads."""

_FALLBACK: Dialect = OpenAIDialect()
_CHAT_DIALECTS: tuple[Dialect, ...] = (CohereDialect(), ResponsesDialect())
"""Dialects that read chat completions like the fallback, and more."""

_SIGNED_DIALECTS: tuple[Dialect, ...] = (
    GoogleDialect(),
    BedrockDialect(),
    *_CHAT_DIALECTS,
    AnthropicDialect(),
)
_DIALECTS: tuple[Dialect, ...] = (*_SIGNED_DIALECTS, _FALLBACK)

_CHAT_ROLES = ("developer", "tool", "function")
"""Roles that only chat completions and the formats that extend them have."""


def dialect_for(messages: Sequence[Any], name: str | Dialect | None = None) -> Dialect:
    """Return the dialect that reads the messages.

    The first message with a sign of a format decides, so a conversation keeps its dialect as it
    grows. Messages without a sign are read alike by every dialect that may still be found. The
    dialect of an installed package reads messages of the package that it is named after, and
    is loaded at the first of them. Dicts are read by the dialects of this library.

    Args:
        messages: The conversation. It only matters if no name is given.
        name: The name of a dialect, or a dialect itself.

    Raises:
        ConfigurationError: No dialect has that name, or an installed one cannot be loaded.

    Example:
        >>> dialect_for([{"role": "tool", "tool_call_id": "c1", "content": "42"}]).name
        'openai'
        >>> dialect_for([], "anthropic").name
        'anthropic'
    """
    if name is None:
        return _detect(messages)
    # Strings first, because checking for a protocol takes as long as reading ten messages.
    if not isinstance(name, str) and isinstance(name, (MessageReader, Dialect)):
        return name
    for dialect in _DIALECTS:
        if dialect.name == name:
            return dialect
    known = ", ".join(dialect.name for dialect in _DIALECTS)
    raise ConfigurationError(
        f"dialect must be one of {known}, or a dialect object, got {name!r}", {"dialect": name}
    )


def _detect(messages: Sequence[Any]) -> Dialect:
    candidates = _SIGNED_DIALECTS
    for message in messages:
        # Most messages are dicts, which no installed package reads.
        installed = None if type(message) is dict else _load_installed(message.__class__)
        if installed is not None and installed.matches((message,)):
            return installed
        for dialect in candidates:
            if dialect.matches((message,)):
                return dialect
        candidates = _exclude(candidates, message)
    return _FALLBACK


def _exclude(candidates: tuple[Dialect, ...], message: Any) -> tuple[Dialect, ...]:
    """Return the dialects that a message without a sign of them leaves in question."""
    if candidates is _CHAT_DIALECTS:
        return candidates
    # The role may be of any type, also one without a hash.
    role = get_field(message, "role")
    if role in _CHAT_ROLES or get_field(message, "tool_calls"):
        return _CHAT_DIALECTS
    excluded: tuple[str, ...] = ()
    if role is not None:
        excluded = ("google",)
    if any(get_field(part, "type") is not None for part in as_items(get_field(message, "content"))):
        excluded = ("google", "bedrock")
    return tuple(dialect for dialect in candidates if dialect.name not in excluded)


@lru_cache(maxsize=1024)
def _load_installed(cls: type[Any]) -> Dialect | None:
    """Return the dialect that an installed package adds for messages of a class."""
    packages = dict.fromkeys(base.__module__.partition(".")[0] for base in cls.__mro__)
    if list(packages) == ["builtins"]:
        return None  # Most messages are dicts, and looking for entry points takes milliseconds.
    entry_points = entry_points_of(GROUP)
    for package in packages:
        if package in entry_points:
            dialect: Dialect = load_plugin(
                entry_points[package], Dialect, "name, matches, parse and render"
            )
            return dialect
    return None
