"""The words of a text, as a search would look for them in code, logs and data."""

from __future__ import annotations

import re
from functools import lru_cache
from operator import add

_TOKEN = re.compile(r"\w+(?:[-.:/@+]+\w+)*")
_RUN = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
_REMEMBERED_CHARACTERS = 64


def words(text: str) -> list[str]:
    """Return the words of a text in lower case: whole tokens, and the parts that they are made of.

    Parts end where the case changes, at digits and at punctuation. Where a script puts no spaces between
    words, every two neighbouring characters are one.

    Example:
        >>> words("getUserName failed: HTTP_502")
        ['getusername', 'get', 'user', 'name', 'failed', 'http_502', 'http', '502']
        >>> words("東京都")
        ['東京都', '東京', '京都']
    """
    found: list[str] = []
    for token in _TOKEN.findall(text):
        found += _of_token(token) if len(token) <= _REMEMBERED_CHARACTERS else _split(token)
    return found


def _split(token: str) -> tuple[str, ...]:
    parts = [part for run in _RUN.findall(token) for part in (_PART.findall(run) if run.isascii() else _foreign(run))]
    return tuple(dict.fromkeys([token.lower(), *[part.lower() for part in parts]]))


def _foreign(run: str) -> list[str]:
    pairs = [pair for found in _IDEOGRAPHS.findall(run) for pair in map(add, found, found[1:])]
    return pairs or [run]


_of_token = lru_cache(1 << 16)(_split)
