"""Relevance by words: the BM25 formula, and a scorer that uses it.

The formula is BM25+ with delta = 0, as rank-bm25 computes it. Everything in the library that ranks
by words calls the functions here: this scorer, the ranking of documents and the selection of rows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from headroom_core._internal.checks import require_fraction, require_positive_number
from headroom_core.relevance.base import require_texts
from headroom_core.relevance.words import singular, split_token, split_tokens, split_words

DEFAULT_K1 = 1.5
"""How quickly repetitions of a term stop adding to the score: the usual value in the literature."""

DEFAULT_B = 0.75
"""How strongly long texts are penalized: the usual value in the literature."""

Frequencies = Mapping[int, int]
"""How often a term occurs in each text that has it, by the text's index."""


def idf(total: int, document_frequency: int) -> float:
    """Return the inverse document frequency of a term: the weight of its rarity.

    Args:
        total: Number of texts.
        document_frequency: Number of texts that contain the term, at least 1.

    Example:
        >>> round(idf(7, 1), 2), round(idf(7, 7), 2)
        (2.08, 0.13)
    """
    return math.log((total + 1) / document_frequency)


def add_term_scores(
    scores: list[float] | dict[int, float],
    frequencies: Frequencies,
    lengths: Sequence[int],
    weight: float,
    *,
    average_length: float,
    k1: float,
    b: float,
) -> None:
    """Add the BM25 scores of one term to the scores of the texts that contain it.

    Args:
        scores: Scores to add to, by the text's index.
        frequencies: How often the term occurs in each text.
        lengths: Length of every text.
        weight: Weight of the term, usually its `idf`.
        average_length: Average length of all texts.
        k1: How quickly repetitions stop adding to the score.
        b: How strongly long texts are penalized, from 0 to 1.

    Example:
        >>> scores = [0.0, 0.0]
        >>> add_term_scores(scores, {1: 2}, [4, 4], 1.0, average_length=4, k1=1.5, b=0.75)
        >>> [round(score, 3) for score in scores]
        [0.0, 1.429]
    """
    # One call per term instead of one per term and text: this loop dominates scoring.
    most = weight * (k1 + 1)
    base, slope = k1 * (1 - b), k1 * b / average_length
    for index, frequency in frequencies.items():
        scores[index] += most * frequency / (frequency + base + slope * lengths[index])


def bm25_scores(
    terms: Iterable[Frequencies],
    lengths: Sequence[int],
    *,
    total: int,
    average_length: float,
    k1: float,
    b: float,
) -> list[float]:
    """Return the BM25 score of each text.

    Args:
        terms: For each term of the query, how often it occurs in each text.
        lengths: Length of every text to score.
        total: Number of texts, including those that are not scored.
        average_length: Average length of all these texts.
        k1: How quickly repetitions stop adding to the score.
        b: How strongly long texts are penalized, from 0 to 1.

    Example:
        >>> options = {"total": 2, "average_length": 2, "k1": 1.5, "b": 0.75}
        >>> [round(score, 3) for score in bm25_scores([{0: 1}], [2, 2], **options)]
        [1.099, 0.0]
    """
    scores = [0.0] * len(lengths)
    for frequencies in terms:
        if frequencies:
            weight = idf(total, len(frequencies))
            add_term_scores(
                scores, frequencies, lengths, weight, average_length=average_length, k1=k1, b=b
            )
    return scores


class BM25Scorer:
    """Scores items by the words that they share with a query.

    Words are split as in source code: `userName` is found by `user name`, and an identifier by its
    parts. A plural is found by its singular. Words that many items share count little.

    Args:
        k1: How quickly repetitions of a word stop adding to the score, above 0.
        b: How strongly long items are penalized, from 0 to 1.

    Raises:
        ConfigurationError: `k1` or `b` is out of range.

    Example:
        >>> items = ["the Elbe is long", "the Oder"]
        >>> scores = BM25Scorer().score_items(items, "how long is the Elbe?")
        >>> scores[0] > scores[1]
        True
    """

    def __init__(self, k1: float = DEFAULT_K1, b: float = DEFAULT_B) -> None:
        self.k1 = require_positive_number("k1", k1)
        self.b = require_fraction("b", b)

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order.

        An item's score is divided by the highest that any item could reach for the words of the
        query that occur at all, each repeated without end. Equal items get equal scores.

        Args:
            items: Texts to score.
            query: Text to compare them with.

        Raises:
            TypeError: `items` is a string, or one of the items is not a string.
        """
        texts = require_texts("items", items)
        index = _TermIndex(texts, [singular(word) for word in split_words(query)])
        terms = index.terms()
        if not terms:
            return [0.0] * len(texts)
        total = len(texts)
        scores = bm25_scores(
            terms,
            index.lengths,
            total=total,
            average_length=sum(index.lengths) / total,
            k1=self.k1,
            b=self.b,
        )
        # A term's score approaches its weight times k1 + 1 as the repetitions grow.
        highest = (self.k1 + 1) * sum(idf(total, len(frequencies)) for frequencies in terms)
        return [min(1.0, score / highest) for score in scores]


class _TermIndex:
    """Lengths of texts in words, and how often each word of a query occurs in them.

    Args:
        texts: Texts to index.
        query_words: Words to look for, in the singular.

    Attributes:
        lengths: Number of words of each text.
    """

    def __init__(self, texts: Sequence[str], query_words: Collection[str]) -> None:
        self.lengths: list[int] = []
        self._frequencies: dict[str, dict[int, int]] = {word: {} for word in query_words}
        if not query_words:
            return
        word_counts = _WordCounts(self._frequencies)
        count_words, matches = word_counts.__getitem__, word_counts.matches
        for index, text in enumerate(texts):
            tokens = split_tokens(text)
            self.lengths.append(sum(map(count_words, tokens)))
            for token in tokens:
                if token in matches:
                    for frequencies in matches[token]:
                        frequencies[index] = frequencies.get(index, 0) + 1

    def terms(self) -> list[dict[int, int]]:
        """Return the frequencies of each word of the query that occurs in any text."""
        return [frequencies for frequencies in self._frequencies.values() if frequencies]


class _WordCounts(dict[str, int]):
    """Number of words in each token, computed when a token is first looked up.

    Splitting is the slow part and texts repeat their tokens, so each token is split once.

    Args:
        frequencies: Frequencies of each word of the query.

    Attributes:
        matches: For each token with words of the query, the frequencies of these words.
    """

    def __init__(self, frequencies: dict[str, dict[int, int]]) -> None:
        super().__init__()
        self._frequencies = frequencies
        self.matches: dict[str, list[dict[int, int]]] = {}

    def __missing__(self, token: str) -> int:
        words = dict.fromkeys(map(singular, split_token(token)))
        if not self._frequencies.keys().isdisjoint(words):
            self.matches[token] = [
                self._frequencies[word] for word in words if word in self._frequencies
            ]
        self[token] = len(words)
        return len(words)
