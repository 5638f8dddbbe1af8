"""Relevance by words and by meaning together."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

from headroom_core.errors import ConfigurationError
from headroom_core.relevance.base import Scorer, require_texts, score_and_validate
from headroom_core.relevance.bm25 import BM25Scorer
from headroom_core.relevance.embedding import DEFAULT_MODEL, EmbeddingScorer
from headroom_core.relevance.encoders import EmbeddingsUnavailableError

_QUOTED = re.compile(r"`[^`\n]+`|\"[^\"\n]+\"|“[^”\n]+”|«[^»\n]+»")
_TELLING = re.compile(r"\d|\w[_./\\:@=#]+\w|[a-z][A-Z]|^_|_$")
_ALPHA = 0.5
_EDGE = ".,:;!?…()[]{}<>'’"
_told: dict[str, object] = {}
"""The reasons that were told in this process."""


class HybridScorer:
    """Scores items by the words that they share with a query, and by what they mean.

    The score is `alpha * words + (1 - alpha) * meaning`. Embeddings do not see ids: with `adaptive_alpha` each part
    of the query that is looked for as it stands halves the share of meaning. Such a part is a text in quotes or
    backticks, or a word that holds a digit, a change to upper case, or `_ . / \\ : @ = #` between two letters.
    At alpha = 0.5 one of them makes the share of words 0.75, two make it 0.875.

    Without embeddings at hand it scores by words alone, and warns of it once; a scorer that is given as `embedding`
    says so itself.

    Args:
        alpha: the share of words, from 0 to 1.
        adaptive_alpha: give words a larger share where the query holds ids, numbers, code or quotes.
        bm25: scores by words. None: a `BM25Scorer`.
        embedding: scores by meaning: a scorer, or what `EmbeddingScorer` takes as its model. None: its default.

    Raises:
        ConfigurationError: alpha is outside of that, or `bm25` or `embedding` is none of these.

    Example:
        >>> def length(texts):
        ...     return [[len(text), 1] for text in texts]
        >>> scorer = HybridScorer(alpha=0.5, embedding=length)
        >>> scorer.alpha_for("which job failed?"), scorer.alpha_for("why did job-1203 fail in `run_all`?")
        (0.5, 0.875)
    """

    def __init__(
        self,
        alpha: float = _ALPHA,
        *,
        adaptive_alpha: bool = True,
        bm25: Scorer | None = None,
        embedding: Any = None,
    ) -> None:
        self._words = hybrid_word_scorer(alpha, bm25)
        self.alpha = alpha
        self.adaptive_alpha = adaptive_alpha
        self._given = isinstance(embedding, Scorer) and not isinstance(embedding, type)
        self._meaning: Scorer | None = embedding if self._given else self._scorer_of(embedding)

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order.

        Raises:
            TypeError: the items are one text, or one of them is no text.
            ConfigurationError: a scorer that was given has no model on this machine.
            ProviderError: the embedding model gave something else than one vector of finite numbers a text.
            TransformError: a part that was given does not give one number from 0 to 1 an item.
        """
        texts = require_texts("items", items)
        alpha = self.alpha_for(query)
        by_meaning = self._by_meaning(texts, query) if alpha < 1 else None
        by_words = score_and_validate(self._words, texts, query)
        if by_meaning is None:
            return by_words
        both = zip(by_words, by_meaning, strict=True)
        return [min(1.0, alpha * word + (1 - alpha) * meaning) for word, meaning in both]

    def alpha_for(self, query: str) -> float:
        """Return the share of words for a query."""
        if not self.adaptive_alpha:
            return self.alpha
        spaced = _QUOTED.sub(" ", query).split()
        telling = len(_QUOTED.findall(query)) + sum(
            bool(_TELLING.search(word.strip(_EDGE))) for word in spaced
        )
        return 1 - (1 - self.alpha) * 0.5**telling

    def _scorer_of(self, embedding: Any) -> Scorer | None:
        try:
            return EmbeddingScorer(DEFAULT_MODEL if embedding is None else embedding)
        except EmbeddingsUnavailableError as error:
            _warn_once(error.message)
            return None

    def _by_meaning(self, texts: list[str], query: str) -> list[float] | None:
        if self._meaning is None:
            return None
        try:
            return score_and_validate(self._meaning, texts, query)
        except EmbeddingsUnavailableError as error:
            if self._given:
                raise
            _warn_once(error.message)
            self._meaning = None
            return None


def hybrid_word_scorer(alpha: float = _ALPHA, bm25: Scorer | None = None) -> Scorer:
    """Return what scores by words in a hybrid scorer.

    Raises:
        ConfigurationError: the share of words is not from 0 to 1, or bm25 is no scorer.
    """
    if not (isinstance(alpha, (int, float)) and 0 <= alpha <= 1):
        raise ConfigurationError(
            f"alpha = {alpha!r}: expected the share of words, from 0 to 1", {"alpha": alpha}
        )
    if bm25 is not None and (isinstance(bm25, type) or not isinstance(bm25, Scorer)):
        kind = bm25.__name__ if isinstance(bm25, type) else type(bm25).__name__
        raise ConfigurationError(
            f"bm25 is of type {kind}: give a scorer, such as BM25Scorer()", {"bm25": kind}
        )
    return BM25Scorer() if bm25 is None else bm25


def _warn_once(reason: str) -> None:
    """Warn, once in a process for each reason, that there are no embeddings."""
    mine = object()
    if _told.setdefault(reason, mine) is mine:
        warnings.warn(f"relevance is scored by words alone: {reason}", RuntimeWarning, stacklevel=4)
