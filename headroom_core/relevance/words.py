"""The words of a text, as a search would look for them in code, logs and data."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby
from operator import add
from unicodedata import category, normalize

_TOKEN = r"\w{rest}*(?:[-.:/@+]+\w{rest}*)*"
_ASCII_TOKEN = re.compile(_TOKEN.format(rest=r"\w"))
_CASED_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PART = re.compile(r"[a-z]+|\d+")
# Scripts without spaces between words: Chinese and Japanese, Thai and its neighbours; Korean, whose words bear endings.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_SEGMENT = re.compile(rf"([{_UNSPACED}]+)|(\d+)|([^\W\d_{_UNSPACED}](?:[^\d_.:/@+{_UNSPACED}-])*)")
_REMEMBERED_CHARACTERS = 64


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case: whole tokens, and the parts that they are made of.

    Parts end where the case changes, at digits, at punctuation and where another script begins. Where a script
    puts no spaces between words, every two neighbouring characters are one. Letters that only look different,
    full-width ones or an accent written apart, are the same.

    Example:
        >>> split_words("getUserName failed: HTTP_502")
        ['getusername', 'get', 'user', 'name', 'failed', 'http_502', 'http', '502']
        >>> split_words("東京都")
        ['東京都', '東京', '京都']
    """
    found: list[str] = []
    for token in split_tokens(text):
        found += _remembered(token) if len(token) <= _REMEMBERED_CHARACTERS else split_token(token)
    return found


def split_tokens(text: str) -> list[str]:
    """Return the whole tokens of a text, as they stand there."""
    return (
        _ASCII_TOKEN.findall(text)
        if text.isascii()
        else _any_token().findall(normalize("NFKC", text))
    )


def normalize_text(text: str) -> str:
    """Return the text in lower case and in the letters in which its words are told."""
    return text.lower() if text.isascii() else normalize("NFKC", text).lower()


def split_token(token: str) -> list[str]:
    """Return the words of a token, each once."""
    lower = token.lower()
    if not token.isascii():
        return list(dict.fromkeys([lower, *_segments(token)]))
    parts = _PART.findall(token) if lower == token else map(str.lower, _CASED_PART.findall(token))
    return list(dict.fromkeys([lower, *parts]))


_remembered = lru_cache(1 << 16)(split_token)


def _segments(token: str) -> list[str]:
    found: list[str] = []
    for unspaced, digits, letters in _SEGMENT.findall(token):
        if len(unspaced) > 1:
            found += map(add, unspaced, unspaced[1:])
        elif letters.isascii() and letters:
            found += [letters.lower(), *map(str.lower, _CASED_PART.findall(letters))]
        else:
            found.append(unspaced or digits or letters.lower())
    return found


@lru_cache(maxsize=1)
def _any_token() -> re.Pattern[str]:
    """Return what finds tokens in any script, where marks that stand above, below or beside a letter belong to it.

    Python takes these marks for the end of a word. They are gathered when they are first needed: 20 ms.
    """
    marks = [code for code in range(0x300, 0x10000) if category(chr(code)) in ("Mn", "Mc")]
    runs = [
        [code for _, code in run]
        for _, run in groupby(enumerate(marks), lambda pair: pair[1] - pair[0])
    ]
    inside = "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)
    return re.compile(_TOKEN.format(rest=rf"[\w{inside}]"))
