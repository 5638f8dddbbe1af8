"""Escaping text that looks like the header of a table, so that it is not taken for one."""

from __future__ import annotations

import re

# The beginning of every header. Escaped, it has equals signs behind the bracket, and each further
# escape adds one, so that any text comes back.
_BEGINNING = re.compile(r"\[(=*)table (?=\d)")
_ESCAPED = re.compile(r"\[=(=*)table (?=\d)")


def escape_headers(text: str) -> str:
    """Return a text in which nothing looks like the header of a table.

    Example:
        >>> escape_headers("[table 2 rows: id] and [=table 2 rows: id]")
        '[=table 2 rows: id] and [==table 2 rows: id]'
    """
    return _BEGINNING.sub(r"[=\1table ", text) if "table " in text else text


def unescape_headers(text: str) -> str:
    """Return the text that was escaped.

    Example:
        >>> unescape_headers("[=table 2 rows: id] and [==table 2 rows: id]")
        '[table 2 rows: id] and [=table 2 rows: id]'
    """
    return _ESCAPED.sub(r"[\1table ", text) if "[=" in text else text
