"""Searching rows or lines for the words of a query."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, takewhile

from headroom_core.relevance import BM25Scorer
from headroom_core.relevance.words import normalize_text, singular, split_words

# More would only let a query exhaust time: every word is searched for in the whole original.
MAX_QUERY_CHARS = 4000
"""Maximum number of characters of a query that are read."""

_MAX_WORDS = 40
_MAX_CANDIDATE_CHARS = 1_000_000
_MIN_CANDIDATES = 10

_BETWEEN = "\n"


def search(texts: Sequence[str], query: str) -> list[int]:
    """Return the indices of the texts that share a telling word with a query, the best first.

    Only the first 40 different words of the query are searched for, and of the texts with most of
    them so many are ranked as have a million characters together.

    Example:
        >>> search(["red house", "blue house", "red rose", "green tree"], "Which rose is red?")
        [2, 0]
    """
    words = list(dict.fromkeys(map(singular, split_words(query[:MAX_QUERY_CHARS]))))[:_MAX_WORDS]
    # Splitting is slow, and a word of a text is always a substring of it: first find the texts that
    # contain the words as substrings, then split only these.
    containing = _find_containing(texts, words)
    likely = _merge(containing, _telling_words(containing, len(texts)))
    candidates = _limit(likely, [len(text) for text in texts])
    split_texts = {index: {*map(singular, split_words(texts[index]))} for index in candidates}
    having = {
        word: [index for index, text_words in split_texts.items() if word in text_words]
        for word in words
    }
    matching = sorted(_merge(having, _telling_words(having, len(texts))))
    if not matching:
        return []
    scores = BM25Scorer().score_items([texts[index] for index in matching], " ".join(words))
    return [index for _, index in sorted((-score, index) for index, score in zip(matching, scores))]


def _find_containing(texts: Sequence[str], words: Iterable[str]) -> dict[str, list[int]]:
    """Return the indices of the texts that contain each word as a substring."""
    normalized = [normalize_text(text) for text in texts]
    joined = _BETWEEN.join(normalized)
    starts = list(accumulate((len(text) + len(_BETWEEN) for text in normalized), initial=0))
    return {word: _find_all(word, joined, starts) for word in words}


def _find_all(word: str, joined: str, starts: Sequence[int]) -> list[int]:
    found: list[int] = []
    position = joined.find(word)
    while position >= 0:
        index = bisect_right(starts, position) - 1
        found.append(index)
        position = joined.find(word, starts[index + 1])
    return found


def _merge(holders: Mapping[str, Sequence[int]], words: Sequence[str]) -> list[int]:
    """Return the indices of the texts that have any of some words, those with most first."""
    counts = Counter(index for word in words for index in holders[word])
    return sorted(counts, key=lambda index: (-counts[index], index))


def _limit(indices: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """Return so many of some indices as can be split into words in a moment, in order."""
    totals = accumulate(sizes[index] for index in indices)
    count = sum(1 for _ in takewhile(lambda total: total <= _MAX_CANDIDATE_CHARS, totals))
    return sorted(indices[: max(count, _MIN_CANDIDATES)])


def _telling_words(holders: Mapping[str, Sequence[int]], total: int) -> list[str]:
    """Return the words that at most half of the texts have, or all words if there is no such word.

    Args:
        holders: Indices of the texts that have each word.
        total: Number of texts.
    """
    telling = [word for word, indices in holders.items() if 0 < 2 * len(indices) <= total]
    return telling or list(holders)
