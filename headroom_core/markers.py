"""Markers: the lines that stand where something was left out, and the keys of originals in them.

A marker says how much was left out, and the call of the retrieve tool that brings it back:

    [headroom: 953 of 1000 rows left out here; original intact: headroom_retrieve(key="3f9a…")]

A text with several gaps has one marker at its top, and at each gap a short mark without a key:

    [headroom: 12 lines from 40: debug, info]

Models read markers, so their wording is part of the results: the same omission always gives the
same bytes. A text that merely looks like one brings nothing back: keys are looked up, never
trusted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

RETRIEVE_TOOL = "headroom_retrieve"
"""Name of the tool that brings originals back; its results are never compressed."""

NOT_AVAILABLE = "original not available"
"""For parts of a text whose original is not stored. The model may never have seen them."""

NO_LONGER_AVAILABLE = "not available any more"
"""For messages that were a part of the conversation, and whose originals are not stored."""

_KEY_DIGITS = 24

# Any key that a call of the retrieve tool names. Digits are hexadecimal and lower case, as
# `content_key` writes them; quotes may be escaped, where a marker stands inside JSON.
_KEY_IN_CALL = re.compile(rf'{RETRIEVE_TOOL}\(key=\\*"([0-9a-f]{{{_KEY_DIGITS}}})\\*"')

_LINES_MARKER = re.compile(
    r"\[headroom: \d+(?: of \d+)? (?:commits|lines|parts|records|tags) left out[^\n]{0,2000}"
    + _KEY_IN_CALL.pattern
)

# Large strings are hashed in pieces, because the system takes longer to hand out one large piece
# of memory for the encoded text than the hash takes.
_HASH_CHUNK_CHARACTERS = 32_768


def is_retrieve_tool(name: str | None) -> bool:
    """Return whether a tool of this name brings originals back, also behind a server's prefix.

    Example:
        >>> is_retrieve_tool("headroom_retrieve"), is_retrieve_tool("mcp__store__headroom_retrieve")
        (True, True)
        >>> is_retrieve_tool("retrieve")
        False
    """
    if not name:
        return False
    return name == RETRIEVE_TOOL or name.endswith((f"__{RETRIEVE_TOOL}", f".{RETRIEVE_TOOL}"))


def pin_reason(tool: str | None) -> str | None:
    """Return why the results of a tool must not be changed, or None if they may be."""
    return f"results of {RETRIEVE_TOOL} are never changed" if is_retrieve_tool(tool) else None


def content_key(text: str) -> str:
    """Return the key of a text: the first 24 hexadecimal digits of its SHA-256 hash.

    Example:
        >>> content_key("hello")
        '2cf24dba5fb0a30e26e83b2a'
    """
    digest = hashlib.sha256()
    for start in range(0, len(text), _HASH_CHUNK_CHARACTERS):
        chunk = text[start : start + _HASH_CHUNK_CHARACTERS]
        digest.update(chunk.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:_KEY_DIGITS]


def retrieve_call(key: str, **arguments: str) -> str:
    """Return the call that brings an original back, as models read it in markers.

    Args:
        key: The key of the original.
        arguments: Further arguments of the call, such as `where` or `lines`.

    Example:
        >>> retrieve_call("2cf24dba5fb0a30e26e83b2a", lines="1-5")
        'headroom_retrieve(key="2cf24dba5fb0a30e26e83b2a", lines="1-5")'
    """
    written = [f'{name}="{value}"' for name, value in {"key": key, **arguments}.items()]
    return f"{RETRIEVE_TOOL}({', '.join(written)})"


def write_marker(
    omission: str,
    calls: Sequence[str] = (),
    *,
    label: str = "original intact",
    without: str = NOT_AVAILABLE,
) -> str:
    """Return a marker.

    Args:
        omission: The number and kind of the units that were left out.
        calls: The calls that bring the originals back, if they are stored.
        label: The words before the calls.
        without: The words if there are no calls.

    Example:
        >>> write_marker("3 of 9 rows left out here", [retrieve_call("2cf24dba5fb0a30e26e83b2a")])
        '[headroom: 3 of 9 rows left out here; original intact: headroom_retrieve(key="2cf24d...")]'
        >>> write_marker("3 of 9 rows left out here")
        '[headroom: 3 of 9 rows left out here; original not available]'
    """
    recovery = f"{label}: {', '.join(calls)}" if calls else without
    return f"[headroom: {omission}; {recovery}]"


def write_gap(count: int, first: int, names: str = "", *, unit: str = "line") -> str:
    """Return the short mark of a gap, in a text whose one marker names the original.

    Args:
        count: Number of the units that were left out here.
        first: Number of the first of them, counted from 1.
        names: What they are, as short as can be. Empty for nothing.
        unit: Word for one of them.

    Example:
        >>> write_gap(12, 40, "debug, info"), write_gap(1, 3)
        ('[headroom: 12 lines from 40: debug, info]', '[headroom: 1 line from 3]')
    """
    units = unit if count == 1 else f"{unit}s"
    return f"[headroom: {count} {units} from {first}{f': {names}' if names else ''}]"


def has_marker(text: str, key: str) -> bool:
    """Return whether a text has a marker that names an original.

    Args:
        text: The text.
        key: The key of the original. Empty if it is not stored, which the marker has to say.

    Example:
        >>> has_marker("[headroom: 3 of 9 rows left out here; original not available]", "")
        True
    """
    # With the end of a marker: the words alone may stand in the text that was shortened.
    return key in marker_keys(text) if key else f"; {NOT_AVAILABLE}]" in text


def has_lines_marker(text: str) -> bool:
    """Return whether a text has a marker of lines or the like, not of rows, with a key.

    Example:
        >>> marker = '[headroom: 3 of 9 lines left out here; …: headroom_retrieve(key="2cf24d…")]'
        >>> has_lines_marker(marker.replace("2cf24d…", "2cf24dba5fb0a30e26e83b2a"))
        True
    """
    return _LINES_MARKER.search(text) is not None


def marker_keys(text: str) -> list[str]:
    """Return the keys that markers in a text name, in order, each once.

    Example:
        >>> marker_keys('[headroom: …: headroom_retrieve(key="2cf24dba5fb0a30e26e83b2a")]')
        ['2cf24dba5fb0a30e26e83b2a']
    """
    return list(dict.fromkeys(_KEY_IN_CALL.findall(text)))
