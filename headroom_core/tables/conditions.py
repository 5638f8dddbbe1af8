"""The words of a condition on rows: names of fields and values, as `retrieve` reads them.

The writer of markers and the parser of `where` share this module, so that each example in a marker
is read as it was meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from json import dumps as dumps_ascii
from typing import Any

from headroom_core.text.constructors import unwrap_source
from headroom_core.text.exact_json import Value, has_split_pair, is_number, to_plain
from headroom_core.text.python_literal import SOURCE_SIGN

NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d{1,6})?", re.ASCII)
"""A number as JSON writes it, and with a plus sign. Not `007` or `1.`, which are text.

The exponent is bounded: numbers of a million digits take seconds.
"""

NAME = re.compile(r"(?:[^\s'\"()\[\],.=<>!&|]|&(?!&)|\|(?!\|))+")
"""A word of a name without quotes. Not quotes, brackets, commas and signs of comparisons.

Dots separate the keys of a path.
"""

QUOTED = r"\"(?:[^\"\\]|\\.|\"\")*\"|'(?:[^'\\]|\\.|'')*'"
"""Pattern of a string in either quote. A backslash escapes; a doubled quote is one quote."""

CONSTANTS: dict[str, list[object]] = {
    "true": [True],
    "false": [False],
    "null": [None],
    "none": [None],
    "nan": [math.nan, "nan", "NaN"],
    "inf": [math.inf, "inf", "Infinity"],
    "-inf": [-math.inf, "-inf", "-Infinity"],
}
"""What words without quotes mean: the values and, where JSON lacks them, their spellings."""
CONSTANTS |= {"infinity": CONSTANTS["inf"], "-infinity": CONSTANTS["-inf"]}

_KEYWORDS = frozenset("and or not in is contains startswith endswith".split()) | CONSTANTS.keys()

# A key that is read alike without quotes. Must not match the signs `#` and `^` alone.
_PLAIN_KEY = re.compile(r"@|[@$#]?[^\W\d][\w-]*")

_ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U(00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})"
    r"|([\\\"'bfnrt/]))"
)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def write_condition(path: tuple[str, ...], value: Value) -> str:
    r"""Return a condition that holds for the rows with a value, in a single line.

    It has no double quotes, so that it can stand between them in a marker.

    Args:
        path: The keys that lead to the field; empty if the row is the value itself.
        value: The parsed value.

    Returns:
        The condition, or an empty string if the value is null, a list or an object, or cannot be
        written in a condition.

    Example:
        >>> write_condition(("owner", "last name"), "O'Brien")
        "owner.'last name' == 'O''Brien'"
        >>> write_condition(("_source", "@timestamp"), ("1704067200",))
        '_source.@timestamp == 1704067200'
    """
    if isinstance(value, bool):
        literal = "true" if value else "false"
    elif isinstance(value, str) and not has_split_pair(value):
        literal = _write_string(value)
    elif is_number(value) and NUMBER.fullmatch(value[0]):
        literal = value[0]
    else:
        return ""
    return "" if any(map(has_split_pair, path)) else f"{write_path(path)} == {literal}"


def write_path(path: Iterable[str | int]) -> str:
    """Return a path as a condition names it: keys joined by dots, in quotes where they need them.

    Example:
        >>> write_path(("failure", "#text")), write_path(("http.status", "in")), write_path(())
        ('failure.#text', "'http.status'.'in'", 'value')
        >>> write_path(("results", 2, "rows"))
        'results[2].rows'
    """
    steps = [f"[{key}]" if isinstance(key, int) else f".{_write_key(key)}" for key in path]
    return "".join(steps).removeprefix(".") or "value"


def _write_key(key: str) -> str:
    is_plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _KEYWORDS
    return key if is_plain else _write_string(key)


def _write_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', "\\u0022").replace("'", "''")
    if not escaped.isprintable():
        escaped = "".join(
            character if character.isprintable() else _escape(character) for character in escaped
        )
    return f"'{escaped}'"


def _escape(character: str) -> str:
    """Return the escape of a character, in a form that JSON reads alike."""
    return dumps_ascii(character)[1:-1]


def read_string(literal: str) -> str:
    r"""Return the text of a string in quotes.

    A backslash that begins no escape stands for itself.

    Example:
        >>> read_string("'O''Brien'"), read_string(r"'a\tb \d \u00e9'")
        ("O'Brien", 'a\tb \\d é')
    """
    text = _ESCAPE.sub(_read_escape, _undouble(literal))
    if "\\u" not in literal:
        return text
    # Two escapes may be the halves of a surrogate pair, which is one character.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def read_readings(literal: str) -> list[str]:
    r"""Return the text of a string in quotes, and the text without escapes if it is another.

    Tables show a backslash as it is, so `'C:\temp'` may be copied from one.

    Example:
        >>> read_readings(r"'C:\temp'")
        ['C:\temp', 'C:\\temp']
    """
    return list(dict.fromkeys([read_string(literal), _undouble(literal)]))


def read_values(literal: str) -> list[Any]:
    r"""Return the values that a string in quotes may mean: its readings, and what a source holds.

    Tables show a value of Python that JSON lacks as a backslash and its source.

    Example:
        >>> read_values(r"'\\Decimal(1.5)'")
        ['\\Decimal(1.5)', '\\\\Decimal(1.5)', 1.5, '\\Decimal(1.5)']
    """
    texts = read_readings(literal)
    sources = [text[1:] for text in texts if text[:1] == SOURCE_SIGN and len(text) > 1]
    return [*texts, *[to_plain(unwrap_source(source)) for source in sources]]


def _undouble(literal: str) -> str:
    """Return what is between the quotes of a string, with single quotes for doubled ones."""
    mark = literal[0]
    return literal[1:-1].replace(2 * mark, mark)


def _read_escape(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    return chr(int(code, 16)) if code else _ESCAPED.get(escape[4], escape[4])
