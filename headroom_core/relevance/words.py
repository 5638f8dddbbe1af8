"""Splits text into words, as a search in code, logs and data would look for them."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby
from operator import add
from unicodedata import category, normalize

from headroom_core._internal.caches import process_caches

# A token: letters, digits and underscores, joined by the punctuation inside identifiers, dates,
# paths and addresses. Punctuation at its end (a full stop, a colon) is not part of it.
_TOKEN = r"\w{rest}*(?:[-.:/@+]+\w{rest}*)*"
_ASCII_TOKEN = re.compile(_TOKEN.format(rest=r"\w"))

# Parts of a token in mixed case: `HTTPServer2` is HTTP, Server, 2.
_CASED_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# Parts of a token in lower case, where only digits and punctuation separate.
_PART = re.compile(r"[a-z]+|\d+")

# Scripts without spaces between words: Chinese and Japanese, Thai and its neighbours; and Korean,
# whose words carry endings.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)

# Unspaced scripts whose letters form syllables: Thai and Lao, Burmese, Khmer. Their letters are too
# few for a pair of them to tell words apart.
_SYLLABIC = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")

# Roughly a syllable: a vowel that is written before its consonant, the consonant with those stacked
# below it, its vowels and tones, and the silenced consonants of Burmese that close it.
_LEADING_VOWEL = "[\u0e40-\u0e44\u0ec0-\u0ec4]"
_STACKED = "[\u1039\u17d2]."
_MARK = (
    "[\u0e30-\u0e3a\u0e45\u0e47-\u0e4e\u0eb0-\u0ebd\u0ec8-\u0ece"
    "\u102b-\u1038\u103a-\u103e\u17b4-\u17d1\u17d3\u17dd]"
)
_SILENCED = "[\u1000-\u1021]\u1037?\u103a[\u1037\u1038]*"
_SYLLABLE = re.compile(rf"{_LEADING_VOWEL}?.(?:{_STACKED}|{_MARK})*(?:{_SILENCED})*", re.DOTALL)

# Runs of one kind inside a token that is not ASCII: unspaced script, digits, other letters.
_SEGMENT = re.compile(rf"([{_UNSPACED}]+)|(\d+)|([^\W\d_{_UNSPACED}](?:[^\d_.:/@+{_UNSPACED}-])*)")

# Longer tokens are mostly data (base64, hashes), rarely repeated, and would fill the cache.
_MAX_CACHED_TOKEN_CHARS = 64
_TOKEN_CACHE_SIZE = 1 << 16

_FIRST_COMBINING_MARK, _END_OF_BASIC_PLANE = 0x300, 0x10000


def split_words(text: str) -> list[str]:
    """Split a text into words in lower case: whole tokens, each followed by its parts.

    Parts end where the case changes, at digits, at punctuation and where another script begins.
    Where a script puts no spaces between words, every two neighbouring characters are a word; in
    Thai, Lao, Burmese and Khmer every two and every three neighbouring syllables.
    Characters that only look different, such as full-width letters or an accent as a separate
    character, are treated as the same.

    Example:
        >>> split_words("getUserName failed: HTTP_502")
        ['getusername', 'get', 'user', 'name', 'failed', 'http_502', 'http', '502']
        >>> split_words("東京都")
        ['東京都', '東京', '京都']
    """
    words: list[str] = []
    for token in split_tokens(text):
        if len(token) <= _MAX_CACHED_TOKEN_CHARS:
            words += _split_token_cached(token)
        else:
            words += split_token(token)
    return words


def singular(word: str) -> str:
    """Return a word without the s of its plural, by which rows and items are compared.

    Words with other characters than letters are ids and numbers, which must match whole.

    Example:
        >>> [singular(word) for word in ("errors", "error", "glass", "gas", "a1s")]
        ['error', 'error', 'glass', 'gas', 'a1s']
    """
    is_plural = len(word) > 3 and word[-1] == "s" and word[-2] != "s" and word.isalpha()
    return word[:-1] if is_plural else word


def split_tokens(text: str) -> list[str]:
    """Split a text into whole tokens, without changing their case."""
    if text.isascii():
        return _ASCII_TOKEN.findall(text)
    return _unicode_token_pattern().findall(normalize("NFKC", text))


def normalize_text(text: str) -> str:
    """Return a text in the form in which `split_words` returns its words.

    Every word of the text is a substring of the result.
    """
    return text.lower() if text.isascii() else normalize("NFKC", text).lower()


def split_token(token: str) -> list[str]:
    """Split a token into its words, without repetitions: itself in lower case, then its parts."""
    lower = token.lower()
    if not token.isascii():
        parts = _split_unicode_token(token)
    elif lower == token:
        parts = _PART.findall(token)
    else:
        parts = [part.lower() for part in _CASED_PART.findall(token)]
    return list(dict.fromkeys([lower, *parts]))


_split_token_cached = lru_cache(_TOKEN_CACHE_SIZE)(split_token)
process_caches.on_clear(_split_token_cached.cache_clear)


def _split_unicode_token(token: str) -> list[str]:
    """Return the parts of a token that has characters beyond ASCII."""
    parts: list[str] = []
    for unspaced, digits, letters in _SEGMENT.findall(token):
        if len(unspaced) > 1:
            parts += _split_unspaced(unspaced)
        elif letters and letters.isascii():
            parts.append(letters.lower())
            parts += [part.lower() for part in _CASED_PART.findall(letters)]
        else:
            parts.append(unspaced or digits or letters.lower())
    return parts


def _split_unspaced(run: str) -> list[str]:
    """Return the runs of neighbouring characters or syllables in a run of unspaced script.

    Syllables are told apart too little by their neighbour alone, so three in a row are a word too.
    """
    if not _SYLLABIC.search(run):
        return list(map(add, run, run[1:]))
    syllables = _SYLLABLE.findall(run)
    if len(syllables) == 1:
        return syllables
    pairs = list(map(add, syllables, syllables[1:]))
    return pairs + list(map(add, pairs, syllables[2:]))


@lru_cache(maxsize=1)
def _unicode_token_pattern() -> re.Pattern[str]:
    r"""Return the pattern of tokens in any script.

    In `\w` Python leaves out the marks above, below or beside a letter, which would split words of
    many scripts. Collecting these marks takes 20 ms, so it is done on first use.
    """
    marks = [
        code
        for code in range(_FIRST_COMBINING_MARK, _END_OF_BASIC_PLANE)
        if category(chr(code)) in ("Mn", "Mc")
    ]
    # Consecutive codes have the same distance to their index: they become one range.
    ranges = []
    for _, pairs in groupby(enumerate(marks), lambda pair: pair[1] - pair[0]):
        codes = [code for _, code in pairs]
        ranges.append(f"{chr(codes[0])}-{chr(codes[-1])}")
    return re.compile(_TOKEN.format(rest=rf"[\w{''.join(ranges)}]"))
