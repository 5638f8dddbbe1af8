"""A scorer that falls back to words where embeddings are not available."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headroom_core.relevance.base import Scorer
from headroom_core.relevance.encoders import EmbeddingsUnavailableError


class FallbackScorer:
    """Scorer that uses another one until embeddings turn out to be unavailable, then words.

    Args:
        create: Creates the preferred scorer.
        word_scorer: Scorer to fall back to.

    Attributes:
        fallback_reason: Why words are used, or None while the preferred scorer is.

    Example:
        >>> from headroom_core.relevance import BM25Scorer
        >>> def create():
        ...     raise EmbeddingsUnavailableError("there is no embedding model")
        >>> FallbackScorer(create, BM25Scorer()).fallback_reason
        'there is no embedding model'
    """

    def __init__(self, create: Callable[[], Scorer], word_scorer: Scorer) -> None:
        self.fallback_reason: str | None = None
        self._word_scorer = word_scorer
        self._scorer = word_scorer
        try:
            self._scorer = create()
        except EmbeddingsUnavailableError as error:
            self.fallback_reason = error.message

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order."""
        try:
            return self._scorer.score_items(items, query)
        except EmbeddingsUnavailableError as error:
            # A model is loaded on first use, so only now is it known to be missing.
            self._scorer, self.fallback_reason = self._word_scorer, error.message
            return self._word_scorer.score_items(items, query)


def fallback_reason(scorer: Scorer | None) -> str | None:
    """Return why a scorer fell back to words, or None if it did not."""
    return scorer.fallback_reason if isinstance(scorer, FallbackScorer) else None
