"""Dialects: somebody's messages in, a draft out, and back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from headroom_core._internal.plugins import entry_points_of, load_plugin
from headroom_core.dialects.anthropic import AnthropicDialect
from headroom_core.dialects.base import Dialect, MessageReader
from headroom_core.dialects.google import GoogleDialect
from headroom_core.dialects.openai import OpenAIDialect
from headroom_core.errors import ConfigurationError

__all__ = ["AnthropicDialect", "Dialect", "GoogleDialect", "OpenAIDialect", "dialect_for"]

GROUP = "headroom.dialects"
"""The entry points of installed packages' dialects, each named after the package whose messages it reads."""

_FALLBACK: Dialect = OpenAIDialect()
_DIALECTS: tuple[Dialect, ...] = (GoogleDialect(), AnthropicDialect(), _FALLBACK)


def dialect_for(messages: Sequence[Any], name: str | Dialect | None = None) -> Dialect:
    """Return the dialect that reads the messages.

    A dialect that an installed package adds reads the messages of the package that it is named after, and is loaded
    when the first of them comes; dicts are read by the dialects here.

    Args:
        messages: the conversation, looked at only when no name is given.
        name: the name of a dialect, or a dialect itself.

    Raises:
        ConfigurationError: no dialect has that name, or an installed one cannot be loaded.

    Example:
        >>> dialect_for([{"role": "tool", "tool_call_id": "c1", "content": "42"}]).name
        'openai'
        >>> dialect_for([], "anthropic").name
        'anthropic'
    """
    if name is None:
        dialects = (*filter(None, map(_installed, dict.fromkeys(map(type, messages)))), *_DIALECTS)
        return next((dialect for dialect in dialects if dialect.matches(messages)), _FALLBACK)
    # In this order, because looking for a protocol takes as long as reading ten messages.
    if not isinstance(name, str) and isinstance(name, (MessageReader, Dialect)):
        return name
    for dialect in _DIALECTS:
        if dialect.name == name:
            return dialect
    known = ", ".join(dialect.name for dialect in _DIALECTS)
    raise ConfigurationError(
        f"dialect = {name!r}: no such dialect; the dialects are {known}", {"dialect": name}
    )


@lru_cache(maxsize=1024)
def _installed(cls: type[Any]) -> Dialect | None:
    """Return the dialect that an installed package adds for messages of a class."""
    packages = dict.fromkeys(base.__module__.partition(".")[0] for base in cls.__mro__)
    if list(packages) == ["builtins"]:
        return None  # Most messages are dicts, and looking for entry points takes milliseconds.
    found = next(
        (
            entry_points_of(GROUP)[package]
            for package in packages
            if package in entry_points_of(GROUP)
        ),
        None,
    )
    return None if found is None else load_plugin(found, Dialect, "name, matches, parse and render")
