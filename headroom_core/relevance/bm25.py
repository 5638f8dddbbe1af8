"""Relevance by words: BM25."""

from __future__ import annotations

from collections.abc import Sequence

from headroom_core.errors import ConfigurationError
from headroom_core.relevance.words import words

_K1, _B = 1.5, 0.75


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

    def __init__(self, k1: float = _K1, b: float = _B) -> None:
        if not (k1 > 0 and 0 <= b <= 1):
            raise ConfigurationError(f"k1 = {k1}, b = {b}: expected k1 above 0 and b from 0 to 1", {"k1": k1, "b": b})
        self.k1 = k1
        self.b = b

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order.

        It is the item's score divided by the most that any item could reach for the query's words.
        """
        asked = list(dict.fromkeys(words(query)))
        found = [words(item) for item in items]
        if not asked or not any(found):
            return [0.0] * len(items)
        # Here, because numpy takes longer to import than all the rest.
        from rank_bm25 import BM25Plus

        model = BM25Plus(found, k1=self.k1, b=self.b, delta=0)
        most = sum(model.idf.get(word, 0.0) for word in asked) * (self.k1 + 1)
        scores: list[float] = model.get_scores(asked).tolist()
        return [min(1.0, score / most) for score in scores] if most else [0.0] * len(items)
