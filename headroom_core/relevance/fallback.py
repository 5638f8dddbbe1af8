"""Words in the place of embeddings that are asked for and not at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headroom_core.relevance.base import Scorer
from headroom_core.relevance.encoders import EmbeddingsUnavailableError


class FallbackScorer:
    """Scores by a scorer, and by words from when it tells that it has no embeddings.

    Args:
        make: makes the scorer.
        words: scores by words.

    Attributes:
        fallback_reason: why words score. None: the scorer does, as far as is known.

    Example:
        >>> from headroom_core.relevance import BM25Scorer
        >>> def none_here():
        ...     raise EmbeddingsUnavailableError("there are no embeddings on this machine")
        >>> FallbackScorer(none_here, BM25Scorer()).fallback_reason
        'there are no embeddings on this machine'
    """

    def __init__(self, make: Callable[[], Scorer], words: Scorer) -> None:
        self.fallback_reason: str | None = None
        self._words = words
        self._scorer = words
        try:
            self._scorer = make()
        except EmbeddingsUnavailableError as error:
            self.fallback_reason = error.message

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order."""
        try:
            return self._scorer.score_items(items, query)
        except EmbeddingsUnavailableError as error:
            self._scorer, self.fallback_reason = self._words, error.message
            return self._words.score_items(items, query)


def fallback_reason(scorer: Scorer | None) -> str | None:
    """Return why a scorer goes by words alone where embeddings were asked for, None where it does not."""
    return scorer.fallback_reason if isinstance(scorer, FallbackScorer) else None
