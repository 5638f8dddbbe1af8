"""Lossless JSON parsing: number lexemes, key order and repeated keys are preserved.

A parsed value is a `str`, `bool`, `None`, `list` or `dict`. Two cases are tuples, a type that JSON
has no use for: a number is the tuple of its lexeme, `("1.10",)`, and an object that repeats a key
is the tuple of its pairs. Tuples keep `1`, `1.0` and `"1"` distinct under `==` and as keys of a
dict.
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from itertools import chain, islice
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, TypeVar

Value = Any
Number = tuple[str]

V = TypeVar("V")
R = TypeVar("R")

_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?"
NUMBER = re.compile(_NUMBER, re.ASCII)
"""Matches a number of JSON, if it matches as a whole. Must not match a number that JSON lacks, such
as `007`."""

NUMBER_LINES = re.compile(rf"{_NUMBER}(?:\n{_NUMBER})*", re.ASCII)
"""Matches numbers of JSON, joined by line breaks, if it matches as a whole: one match for many
numbers is much faster than one for each."""

# Of objects with more different keys than this share of them, each is converted for itself.
_MAX_SHAPES_SHARE = 0.1
# Deeper values in values are converted one by one.
_MAX_DEPTH_AT_ONCE = 20

# Half of a surrogate pair. Nearly all texts have none, and need no escapes for it.
_SURROGATE = re.compile("[\ud800-\udfff]")
# Two adjacent halves, each a code point of its own. Must not match a character outside the basic
# plane, which Python stores as a single code point.
_SPLIT_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def _wrap_number(lexeme: str) -> Number:
    return (lexeme,)


def _build_object(pairs: list[tuple[str, Value]]) -> Value:
    distinct = dict(pairs)
    return distinct if len(distinct) == len(pairs) else tuple(pairs)


_DECODER: Any = json.JSONDecoder(
    object_pairs_hook=_build_object,
    parse_float=_wrap_number,
    parse_int=_wrap_number,
    parse_constant=_wrap_number,
)
scan = _DECODER.scan_once
"""`scan(text, start)` returns the value that begins exactly at `start` and the index after it.

It raises `StopIteration` if no value begins there, and `json.JSONDecodeError` if the value is
malformed.
"""


def parse(text: str) -> Value:
    """Parse a JSON text.

    Raises:
        json.JSONDecodeError: If the text is not exactly one JSON value.
        RecursionError: If the value is nested too deeply.

    Example:
        >>> parse('{"price": 1.10, "tag": "a", "tag": "b"}')
        (('price', ('1.10',)), ('tag', 'a'), ('tag', 'b'))
    """
    return _DECODER.decode(text)


def is_number(value: Value) -> bool:
    """Return whether a parsed value is a number."""
    return type(value) is tuple and len(value) == 1


def has_split_pair(text: str) -> bool:
    """Return whether a text has a character in two halves, which escapes cannot express."""
    return not text.isascii() and _SPLIT_PAIR.search(text) is not None


def quote(text: str) -> str:
    """Return the text as a JSON string with as few escapes as possible."""
    # An escaped split pair would be read back as the single character that the pair encodes, so
    # such texts, like those without any surrogate, are written unescaped.
    if text.isascii() or not _SURROGATE.search(text) or has_split_pair(text):
        return encode_basestring(text)
    return encode_basestring_ascii(text)


def dumps(value: Value) -> str:
    """Serialize a parsed value as compact JSON.

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
    if value is None:
        return "null"
    return "true" if value else "false"


def fingerprint(value: Value) -> bytes:
    """Return bytes that are equal for two values only if the values are equal, key order included.

    Raises:
        ValueError: If the value is nested too deeply.
    """
    # Version 2 of the format has neither references nor interning: equal values give equal bytes.
    return marshal.dumps(value, 2)


def to_plain(value: Value) -> Any:
    """Convert a parsed value to ordinary Python types.

    A number becomes an `int`, or a `float` if that loses no digits, or a `Decimal`; a number that
    none of them can hold stays a string. If an object repeats a key, the last value wins.
    """
    kind = type(value)
    if kind is dict:
        # Without a call for each string, of which most values are.
        return {key: item if type(item) is str else to_plain(item) for key, item in value.items()}
    if kind is list:
        return [item if type(item) is str else to_plain(item) for item in value]
    if kind is not tuple:
        return value
    if len(value) == 1:
        return _to_plain_number(value[0])
    return {key: to_plain(item) for key, item in value}


def group_by_keys(objects: Sequence[dict[str, V]]) -> dict[tuple[str, ...], list[dict[str, V]]]:
    """Return objects by their keys, in order, so that the values of a key can be taken together.

    Example:
        >>> group_by_keys([{"a": 1, "b": 2}, {"a": 3}, {"a": 4, "b": 5}])
        {('a', 'b'): [{'a': 1, 'b': 2}, {'a': 4, 'b': 5}], ('a',): [{'a': 3}]}
    """
    groups: dict[tuple[str, ...], list[dict[str, V]]] = {}
    for item in objects:
        groups.setdefault(tuple(item), []).append(item)
    return groups


def map_alike(
    objects: list[dict[str, V]], convert: Callable[[list[dict[str, V]]], list[R]]
) -> list[R] | None:
    """Return what a function makes of objects, called for all objects of the same keys at once.

    Returns:
        The results, or None if the objects are too different for this to pay.
    """
    shapes = set(map(tuple, objects))
    if len(shapes) == 1:
        return convert(objects)
    if len(shapes) > _MAX_SHAPES_SHARE * len(objects):
        return None
    results = {keys: iter(convert(alike)) for keys, alike in group_by_keys(objects).items()}
    return [next(results[keys]) for keys in map(tuple, objects)]


def to_plain_all(values: list[Value]) -> list[Any]:
    """Convert parsed values as `to_plain` does, all values of a field at once.

    Returns:
        The converted values; the given list itself if there is nothing to convert in it.

    Example:
        >>> to_plain_all(parse('[{"km": 1094, "tags": ["a"]}, {"km": 0.5, "tags": []}]'))
        [{'km': 1094, 'tags': ['a']}, {'km': 0.5, 'tags': []}]
    """
    return _to_plain_alike(values, _MAX_DEPTH_AT_ONCE)


def _to_plain_alike(values: list[Value], depth: int) -> list[Any]:
    """Convert values that are mostly alike, down to a depth of values in values."""
    kinds = set(map(type, values))
    if kinds.isdisjoint((tuple, list, dict)):
        return values
    if kinds == {tuple} and set(map(len, values)) == {1}:
        return _to_plain_numbers([lexeme for (lexeme,) in values])
    if depth and kinds == {list}:
        items = list(chain.from_iterable(values))
        converted = _to_plain_alike(items, depth - 1)
        rest = iter(converted)
        return values if converted is items else [[*islice(rest, len(value))] for value in values]
    plain = None
    if depth and kinds == {dict}:
        plain = map_alike(values, lambda objects: _to_plain_objects(objects, depth))
    return list(map(to_plain, values)) if plain is None else plain


def _to_plain_objects(objects: list[dict[str, Value]], depth: int) -> list[Any]:
    """Convert objects with the same keys."""
    plain = objects
    for key, column in zip(objects[0], zip(*map(dict.values, objects))):
        items = list(column)
        converted = _to_plain_alike(items, depth - 1)
        if converted is items:
            continue
        if plain is objects:
            plain = list(map(dict.copy, objects))
        for item, value in zip(plain, converted):
            item[key] = value
    return plain


def _to_plain_numbers(lexemes: list[str]) -> list[Any]:
    if "." in lexemes[0]:
        numbers = list(map(float, lexemes))
        if list(map(repr, numbers)) == lexemes:
            return numbers
    else:
        try:
            return list(map(int, lexemes))
        except ValueError:
            pass  # Some are not whole numbers, or have more digits than `int` reads.
    return list(map(_to_plain_number, lexemes))


def _to_plain_number(lexeme: str) -> int | float | Decimal | str:
    try:
        return int(lexeme)
    except ValueError:
        number = float(lexeme)
    try:
        exact = Decimal(lexeme)
    except InvalidOperation:
        return lexeme
    if not exact.is_finite() or Decimal(repr(number)) == exact:
        return number
    return exact


def from_plain(value: Any) -> Value:
    """Convert ordinary Python data to a parsed value.

    Raises:
        TypeError: If the data contains a type that JSON cannot represent.
        ValueError: If the data contains itself.
    """
    return parse(json.dumps(value, ensure_ascii=False, default=_encode_decimal))


def _encode_decimal(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(
        f"data of type {type(value).__name__} cannot be represented in JSON: "
        "use str, numbers, lists and dicts"
    )
