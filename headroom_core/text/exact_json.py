"""JSON that forgets nothing: number lexemes, key order and repeated keys stay as they were.

A parsed value is a `str`, `bool`, `None`, `list` or `dict`, and in two cases a tuple, which JSON itself
has no use for: a number is the tuple of its lexeme, `("1.10",)`, and an object that names a key twice is
the tuple of its pairs. Tuples keep `1`, `1.0` and `"1"` apart under `==` and as keys of a dict.
"""

from __future__ import annotations

import json
import marshal
import re
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

Value = Any
Number = tuple[str]

_SURROGATE = re.compile("[\ud800-\udfff]")
_APART = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def _number(lexeme: str) -> Number:
    return (lexeme,)


def _object(pairs: list[tuple[str, Value]]) -> Value:
    distinct = dict(pairs)
    return distinct if len(distinct) == len(pairs) else tuple(pairs)


_DECODER: Any = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_int=_number, parse_constant=_number
)
scan = _DECODER.scan_once
"""`scan(text, start)` returns the value that begins exactly there and the index after it.

It raises `StopIteration` where no value begins, and `json.JSONDecodeError` where one is broken.
"""


def parse(text: str) -> Value:
    """Return the value of a JSON text.

    Raises:
        json.JSONDecodeError: the text is not one JSON value.
        RecursionError: the value is nested too deeply.

    Example:
        >>> parse('{"price": 1.10, "tag": "a", "tag": "b"}')
        (('price', ('1.10',)), ('tag', 'a'), ('tag', 'b'))
    """
    return _DECODER.decode(text)


def is_number(value: Value) -> bool:
    """Return whether a parsed value is a number."""
    return type(value) is tuple and len(value) == 1


def quote(text: str) -> str:
    """Return the text as a JSON string, escaping no more than must be."""
    # Two halves of a character that stand apart would be read as the character if they were escaped.
    if text.isascii() or not _SURROGATE.search(text) or _APART.search(text):
        return encode_basestring(text)
    return encode_basestring_ascii(text)


def dumps(value: Value) -> str:
    """Return a parsed value as compact JSON.

    Example:
        >>> dumps(parse('[ 1.10, {"a": null} ]'))
        '[1.10,{"a":null}]'
    """
    kind = type(value)
    if kind is str:
        return quote(value)
    if kind is dict:
        return "{" + ",".join([f"{quote(key)}:{dumps(item)}" for key, item in value.items()]) + "}"
    if kind is list:
        return "[" + ",".join([dumps(item) for item in value]) + "]"
    if kind is tuple:
        if len(value) == 1:
            return str(value[0])
        return "{" + ",".join([f"{quote(key)}:{dumps(item)}" for key, item in value]) + "}"
    return "null" if value is None else "true" if value else "false"


def fingerprint(value: Value) -> bytes:
    """Return bytes that two values share only when they are the same, key order included.

    Raises:
        ValueError: the value is nested too deeply.
    """
    # Version 2 of the format writes neither references nor interning, so equal values give equal bytes.
    return marshal.dumps(value, 2)


def to_plain(value: Value) -> Any:
    """Return a parsed value in ordinary Python types.

    A number becomes an `int`, a `float` where that loses no digit, else a `Decimal`; one beyond all of them
    stays a string. Of a key that an
    object names twice, the last value stands.
    """
    kind = type(value)
    if kind is dict:
        return {key: to_plain(item) for key, item in value.items()}
    if kind is list:
        return [to_plain(item) for item in value]
    if kind is tuple:
        return (
            _plain_number(value[0])
            if len(value) == 1
            else {key: to_plain(item) for key, item in value}
        )
    return value


def _plain_number(lexeme: str) -> int | float | Decimal | str:
    try:
        return int(lexeme)
    except ValueError:
        number = float(lexeme)
    try:
        exact = Decimal(lexeme)
    except InvalidOperation:
        return lexeme
    return number if not exact.is_finite() or Decimal(repr(number)) == exact else exact


def from_plain(value: Any) -> Value:
    """Return ordinary Python data as a parsed value.

    Raises:
        TypeError: the data hold something that JSON cannot say.
        ValueError: the data contain themselves.
    """
    return parse(json.dumps(value, ensure_ascii=False, default=_decimal))


def _decimal(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(
        f"data of type {type(value).__name__} is not JSON: give str, numbers, lists and dicts"
    )
