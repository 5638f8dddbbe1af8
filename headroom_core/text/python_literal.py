"""Lists and dicts as Python writes them, where they say no more than JSON does: what `str()` makes of a tool's result.

A parsed value is the same as of JSON, see `exact_json`.
"""

from __future__ import annotations

import json
import re

from headroom_core.text import exact_json
from headroom_core.text.exact_json import Value, is_number

_STRING = re.compile(r"""('[^'\\]*(?:\\.[^'\\]*)*(?:'|\Z)|"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z))""")
"""A string, or one that does not end, so that its end is looked for once."""

_ESCAPE = re.compile(r"\\(?:\\|'|x(?P<x>[0-9a-f]{2})|U(?P<U>[0-9a-f]{8}))")
"""The escapes that JSON has not, and the one that could be taken for the beginning of another."""

_WORDS = {"True": "true", "False": "false", "None": "null"}


def parse(text: str) -> Value:
    """Return the value of a list or dict that Python wrote on one line.

    Raises:
        ValueError: the text is not what `repr` gives for strings, numbers, booleans, None, lists and dicts of them.
        RecursionError: the value is nested too deeply.

    Example:
        >>> parse("[{'name': 'Elbe', 'km': 1094.0, 'dry': False}]")
        [{'name': 'Elbe', 'km': ('1094.0',), 'dry': False}]
    """
    as_json = _as_json(text)
    if repr(json.loads(as_json)) != text:
        raise ValueError("Python writes this in another way")
    return exact_json.parse(as_json)


def dumps(value: Value) -> str:
    """Return a parsed value as Python writes it.

    Example:
        >>> dumps(parse("[{'name': 'Elbe', 'dry': False}]"))
        "[{'name': 'Elbe', 'dry': False}]"
    """
    if type(value) is dict:
        return "{" + ", ".join([f"{key!r}: {dumps(item)}" for key, item in value.items()]) + "}"
    if type(value) is list:
        return "[" + ", ".join([dumps(item) for item in value]) + "]"
    return str(value[0]) if is_number(value) else repr(value)


def _as_json(text: str) -> str:
    if '"' in text or "\\" in text:
        pieces = _STRING.split(text)
        # Python never writes a line's end inside a string as it is.
        pieces[1::2] = _escaped_as_json("\n".join([string[1:-1] for string in pieces[1::2]])).split(
            "\n"
        )
    else:
        pieces = text.split("'")
    pieces[::2] = _words_as_json("'".join(pieces[::2])).split("'")
    return '"'.join(pieces)


def _escaped_as_json(text: str) -> str:
    return _ESCAPE.sub(_escape_as_json, text.replace('"', '\\"'))


def _escape_as_json(found: re.Match[str]) -> str:
    if found["x"]:
        return f"\\u00{found['x']}"
    return chr(int(found["U"], 16)) if found["U"] else found[0].replace("\\'", "'")


def _words_as_json(text: str) -> str:
    for word, json_word in _WORDS.items():
        text = text.replace(word, json_word)
    return text
