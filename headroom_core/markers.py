"""Markers: the one-line notes that stand where something was left out, and the keys in them."""

from __future__ import annotations

import hashlib

_HASHED_AT_ONCE = 32_768

RETRIEVE_TOOL = "headroom_retrieve"
"""The name of the tool that brings originals back; what it returns is never compressed."""


def is_retrieve_tool(name: str | None) -> bool:
    """Return whether a tool of this name brings originals back, also behind a server's prefix.

    Example:
        >>> [is_retrieve_tool(name) for name in ("headroom_retrieve", "mcp__store__headroom_retrieve", "retrieve")]
        [True, True, False]
    """
    return name == RETRIEVE_TOOL or (name or "").endswith(
        (f"__{RETRIEVE_TOOL}", f".{RETRIEVE_TOOL}")
    )


def content_key(text: str) -> str:
    """Return the key under which a text is kept: a hash of its content, 24 hex digits.

    Example:
        >>> content_key("hello")
        '2cf24dba5fb0a30e26e83b2a'
    """
    digest = hashlib.sha256()
    # In pieces, because the system hands out one large piece of memory more slowly than it is hashed.
    for start in range(0, len(text), _HASHED_AT_ONCE):
        digest.update(text[start : start + _HASHED_AT_ONCE].encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:24]


def pin_reason(tool: str | None) -> str | None:
    """Return why what a tool of this name answered may not be changed, None when it may."""
    return f"what {RETRIEVE_TOOL} brought back is never changed" if is_retrieve_tool(tool) else None
