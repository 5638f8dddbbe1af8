"""Relevance by words: BM25."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headroom_core.errors import ConfigurationError
from headroom_core.relevance.base import as_texts
from headroom_core.relevance.words import split_token, split_tokens, split_words

DEFAULT_K1, DEFAULT_B = 1.5, 0.75
"""How much repetition counts, and how much a long item is held against it, unless told otherwise."""


class BM25Scorer:
    """Scores items by the words that they share with a query.

    Words are told apart as in source code: `userName` is found by `user name`, and an identifier by its
    parts. Words that many items share count little.

    Args:
        k1: how much a word's repetition counts, above 0.
        b: how much a long item is held against it, from 0 to 1.

    Raises:
        ConfigurationError: k1 or b is outside of that.

    Example:
        >>> scores = BM25Scorer().score_items(["the Elbe is long", "the Oder"], "how long is the Elbe?")
        >>> scores[0] > scores[1]
        True
    """

    def __init__(self, k1: float = DEFAULT_K1, b: float = DEFAULT_B) -> None:
        numbers = isinstance(k1, (int, float)) and isinstance(b, (int, float))
        if not (numbers and 0 < k1 < math.inf and 0 <= b <= 1):
            message = f"k1 = {k1!r}, b = {b!r}: expected k1 above 0 and b from 0 to 1"
            raise ConfigurationError(message, {"k1": k1, "b": b})
        self.k1 = k1
        self.b = b

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order.

        It is the item's score divided by the most that any item could reach for the query's words: every word
        that some item has, repeated without end. Items that say the same score the same.

        Raises:
            TypeError: the items are one text, or one of them is no text.
        """
        found = _Found(as_texts(items), split_words(query))
        scores = [0.0] * len(found.lengths)
        total, all_words, most = len(found.lengths), sum(found.lengths), 0.0
        # BM25+ with delta = 0; its factor k1 + 1 cancels out. It is worked out for the items that have a word alone.
        for holders in filter(None, found.holders.values()):
            weight = math.log((total + 1) / len(holders))
            most += weight
            for at, times in holders.items():
                length = 1 - self.b + self.b * found.lengths[at] * total / all_words
                scores[at] += weight * times / (times + self.k1 * length)
        return [min(1.0, score / most) for score in scores] if most else scores


class _Found:
    """How many words items have, and how often they have the words that are asked for.

    Attributes:
        lengths: the number of words, an item.
        holders: how often the items have a word that is asked for, by the word and the item's index.
    """

    def __init__(self, texts: list[str], asked: list[str]) -> None:
        self.lengths: list[int] = []
        self.holders: dict[str, dict[int, int]] = {word: {} for word in asked}
        sizes = _Sizes(self.holders)
        size, telling = sizes.__getitem__, sizes.telling
        for at, text in enumerate(texts if asked else ()):
            own = split_tokens(text)
            self.lengths.append(sum(map(size, own)))
            for token in own:
                if token in telling:
                    for holders in telling[token]:
                        holders[at] = holders.get(at, 0) + 1
        self.lengths = self.lengths or [0] * len(texts)


class _Sizes(dict[str, int]):
    """The number of words of each token, which is taken apart when it is first met.

    Attributes:
        telling: the tokens that have words which are asked for, with the holders of these words.
    """

    def __init__(self, holders: dict[str, dict[int, int]]) -> None:
        super().__init__()
        self._holders = holders
        self.telling: dict[str, list[dict[int, int]]] = {}

    def __missing__(self, token: str) -> int:
        own = split_token(token)
        if not self._holders.keys().isdisjoint(own):
            self.telling[token] = [self._holders[word] for word in own if word in self._holders]
        self[token] = len(own)
        return len(own)
