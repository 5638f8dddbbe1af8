"""Values that nobody reads: base64, hexadecimal digits, vectors of numbers, minified code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MIN_OPAQUE_CHARACTERS = 1_000
"""Shorter values stay: a hash, a token or a short signature may be copied."""

_MIN_NUMBERS = 128
# A run of letters, digits and the signs of base64. It begins where no other run ends, which keeps
# the search linear. The second alternative is broken into lines, which strings may escape.
_RUN = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?=[A-Za-z0-9+/_-]{60})"
    rf"(?:[A-Za-z0-9+/_-]{{{MIN_OPAQUE_CHARACTERS},}}={{0,2}}"
    r"|(?:[A-Za-z0-9+/]{60,76}(?:\\n|\r?\n)){12,}[A-Za-z0-9+/]{0,76}={0,2})"
)
# Its characters as `x`, and all others as spaces. Most texts have no run as long as a line of it:
# looking for that many `x` is much faster than the search for a run.
_RUN_TABLE = re.sub(rb"[^A-Za-z0-9+/_-]", b" ", bytes(range(256)))
_RUN_TABLE = re.sub(rb"[^ ]", b"x", _RUN_TABLE)
_RUN_LINE = b"x" * 60
_DATA_URI = re.compile(r"data:([\w.+-]{1,40}/[\w.+-]{1,80})(?:;[\w=.-]{1,40}){0,3};base64,\Z")
_MAX_URI_START = 250
_HEXADECIMAL = re.compile(r"[0-9a-f]+|[0-9A-F]+")
# Kinds of characters of which encoded bytes have all. Must not match words, paths and sequences.
_BASE64_KINDS = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[0-9]"))
_MIN_DISTINCT = 24
_MIN_DISTINCT_HEXADECIMAL = 12
_NUMBER = r"-?\d{1,3}(?:\.\d+)?(?:[eE][-+]?\d+)?"
_VECTOR = re.compile(rf"\[\s*(?:{_NUMBER}\s*,\s*){{{_MIN_NUMBERS - 1},}}{_NUMBER}\s*\]")
# The coordinates of a vector have many digits, and both signs. Must not match measurements.
_MIN_MEAN_DIGITS = 8
_MIN_MINIFIED_CHARACTERS = 5_000
_MAX_SPACES_SHARE = 0.06
_MIN_SIGNS_SHARE = 0.05
# Data that is cut off has more keys of JSON than code.
_MAX_KEYS_SHARE = 0.005


class OpaqueValue(NamedTuple):
    """Value that nobody reads, at a place in a text.

    Attributes:
        start: Index of its first character.
        end: Index after its last character.
        kind: Its kind, with its size.
        is_list: Whether it is a list of numbers.
    """

    start: int
    end: int
    kind: str
    is_list: bool = False


def find_opaque_values(text: str) -> list[OpaqueValue]:
    """Find the encoded bytes and the vectors in a text, in order.

    Example:
        >>> from base64 import b64encode
        >>> image = b64encode(bytes(range(256)) * 9).decode()
        >>> find_opaque_values(f"![a map](data:image/png;base64,{image})")[0].kind
        'data URI of image/png, 3,094 characters'
    """
    if len(text) < MIN_OPAQUE_CHARACTERS:
        return []
    return sorted([*_find_encoded(text), *_find_vectors(text)])


def _find_encoded(text: str) -> Iterator[OpaqueValue]:
    if _RUN_LINE not in text.encode("latin-1", "replace").translate(_RUN_TABLE):
        return
    for match in _RUN.finditer(text):
        kind = _name_encoding(match[0])
        if not kind:
            continue
        start = match.start()
        uri = _DATA_URI.search(text, max(0, start - _MAX_URI_START), start)
        if uri:
            start, kind = uri.start(), f"data URI of {uri[1]}"
        yield OpaqueValue(start, match.end(), f"{kind}, {match.end() - start:,} characters")


def _name_encoding(run: str) -> str:
    """Return the encoding of a run, empty if it is something else."""
    distinct = len(set(run))
    if _HEXADECIMAL.fullmatch(run):
        return "hexadecimal" if distinct >= _MIN_DISTINCT_HEXADECIMAL else ""
    has_all = all(kind.search(run) for kind in _BASE64_KINDS)
    return "base64" if has_all and distinct >= _MIN_DISTINCT else ""


def _find_vectors(text: str) -> Iterator[OpaqueValue]:
    for match in _VECTOR.finditer(text):
        numbers = match[0].count(",") + 1
        if "-" in match[0] and len(match[0]) >= _MIN_MEAN_DIGITS * numbers:
            yield OpaqueValue(*match.span(), f"vector of {numbers:,} numbers", is_list=True)


def find_minified_lines(text: str) -> list[OpaqueValue]:
    """Find the lines of code without spaces, as tools write it for browsers."""
    found: list[OpaqueValue] = []
    start = 0
    for line in text.split("\n"):
        if len(line) >= _MIN_MINIFIED_CHARACTERS and _is_minified(line):
            kind = f"minified code, {len(line):,} characters"
            found.append(OpaqueValue(start, start + len(line), kind))
        start += len(line) + 1
    return found


def _is_minified(line: str) -> bool:
    signs = sum(map(line.count, "(){};=,:"))
    return (
        line.count(" ") <= _MAX_SPACES_SHARE * len(line)
        and signs >= _MIN_SIGNS_SHARE * len(line)
        and len(set(line)) >= _MIN_DISTINCT
        and line.count('":') <= _MAX_KEYS_SHARE * len(line)
    )
