"""Strings that hold data: their text stands unescaped between two signs, with its tables.

{"statusCode":200,"body":[string:
[table 300 rows: id,status]
…
[end of string]}
"""

from __future__ import annotations

import re

from headroom_core.text.spelling import COMPACT, Spelling

STRING_START, STRING_END = "[string", "[end of string]"
"""What a string begins and ends with; no string with the end in it is opened."""

MIN_STRING_CHARACTERS = 200
"""Shorter strings stay strings."""

_SIGN = re.compile(
    rf"\[string(?:, (?P<language>Python|ASCII))?:\n|\n(?P<end>{re.escape(STRING_END)})"
)


def string_start(is_python: bool, spelling: Spelling) -> str:
    """Return the sign at which a string begins.

    Args:
        is_python: Whether it is a string of Python.
        spelling: The spelling of the JSON that it is in.
    """
    if is_python:
        return "[string, Python:\n"
    return "[string, ASCII:\n" if spelling.is_ascii else "[string:\n"


def close_strings(text: str) -> str:
    """Write the strings in a text, whose tables are decoded, as strings again.

    Example:
        >>> close_strings('{"body":[string:\\n[1]\\n[end of string]}')
        '{"body":"[1]"}'
    """
    if STRING_END not in text:
        return text
    open_strings: list[tuple[str | None, list[str]]] = []
    pieces: list[str] = []
    position = 0
    for match in _SIGN.finditer(text):
        if match["end"] and not open_strings:
            continue
        pieces.append(text[position : match.start()])
        position = match.end()
        if match["end"]:
            language, outer = open_strings.pop()
            pieces = [*outer, _quote("".join(pieces), language)]
        else:
            open_strings.append((match["language"], pieces))
            pieces = []
    if open_strings:
        raise ValueError("a string is cut off: its end is missing")
    return "".join([*pieces, text[position:]])


def _quote(text: str, language: str | None) -> str:
    if language == "Python":
        return repr(text)
    return Spelling(is_ascii=True).quote(text) if language else COMPACT.quote(text)
