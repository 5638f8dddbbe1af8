"""Python literals that contain only JSON-compatible data, such as a tool result passed to `str()`.

Parsed values have the same types as those of `exact_json`.
"""

from __future__ import annotations

import json
import re

from headroom_core.text import exact_json
from headroom_core.text.exact_json import Value, is_number

# A quoted string. The closing quote may be missing at the end of the text: without that
# alternative, every later quote would start another scan to the end, in quadratic time.
_STRING = re.compile(r"""('[^'\\]*(?:\\.[^'\\]*)*(?:'|\Z)|"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z))""")

# The escapes that JSON lacks. `\\` is listed first so that an escaped backslash is consumed as a
# whole and its second half is never taken for the start of another escape.
_ESCAPE = re.compile(r"\\(?:\\|'|x(?P<x>[0-9a-f]{2})|U(?P<U>[0-9a-f]{8}))")

_JSON_WORDS = {"True": "true", "False": "false", "None": "null"}


def parse(text: str) -> Value:
    """Parse the `repr` of a list or dict, which is a single line.

    Raises:
        ValueError: If the text is not the `repr` of strings, numbers, booleans, None, lists and
            dicts of them.
        RecursionError: If the value is nested too deeply.

    Example:
        >>> parse("[{'name': 'Elbe', 'km': 1094.0, 'dry': False}]")
        [{'name': 'Elbe', 'km': ('1094.0',), 'dry': False}]
    """
    as_json = _to_json(text)
    # The conversion is only textual. Comparing the round trip catches its mistakes.
    if repr(json.loads(as_json)) != text:
        raise ValueError("the text differs from Python's repr of the same data")
    return exact_json.parse(as_json)


def dumps(value: Value) -> str:
    """Serialize a parsed value as Python's `repr` would.

    Example:
        >>> dumps(parse("[{'name': 'Elbe', 'dry': False}]"))
        "[{'name': 'Elbe', 'dry': False}]"
    """
    if type(value) is dict:
        return "{" + ", ".join([f"{key!r}: {dumps(item)}" for key, item in value.items()]) + "}"
    if type(value) is list:
        return "[" + ", ".join([dumps(item) for item in value]) + "]"
    return str(value[0]) if is_number(value) else repr(value)


def _to_json(text: str) -> str:
    """Rewrite a literal as JSON: strings and escapes at odd pieces, bare words between them."""
    if '"' in text or "\\" in text:
        pieces = _STRING.split(text)
        strings = [string[1:-1] for string in pieces[1::2]]
        # A repr never contains a raw line break inside a string, so joining on it is safe, and
        # one substitution over everything is much faster than one for each string.
        pieces[1::2] = _convert_escapes("\n".join(strings)).split("\n")
    else:
        pieces = text.split("'")
    pieces[::2] = _convert_words("'".join(pieces[::2])).split("'")
    return '"'.join(pieces)


def _convert_escapes(text: str) -> str:
    return _ESCAPE.sub(_convert_escape, text.replace('"', '\\"'))


def _convert_escape(match: re.Match[str]) -> str:
    if match["x"]:
        return f"\\u00{match['x']}"
    if match["U"]:
        return chr(int(match["U"], 16))
    return match[0].replace("\\'", "'")


def _convert_words(text: str) -> str:
    for word, json_word in _JSON_WORDS.items():
        text = text.replace(word, json_word)
    return text
