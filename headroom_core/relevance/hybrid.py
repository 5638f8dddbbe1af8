"""Relevance by words and by meaning together."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

from headroom_core._internal.checks import require_fraction
from headroom_core.errors import ConfigurationError
from headroom_core.relevance.base import Scorer, require_texts, score_and_validate
from headroom_core.relevance.bm25 import BM25Scorer
from headroom_core.relevance.embedding import DEFAULT_MODEL, EmbeddingScorer
from headroom_core.relevance.encoders import EmbeddingsUnavailableError

_DEFAULT_ALPHA = 0.5

# Text in backticks or in double quotes of several languages, on one line. Not in single quotes,
# which are apostrophes as often.
_QUOTED = re.compile(r"`[^`\n]+`|\"[^\"\n]+\"|“[^”\n]+”|«[^»\n]+»")

# A word that is an id, a number or code: it has a digit, a sign of paths and names between two
# letters, a change to upper case, or an underscore at either end. Not a plain capitalized word.
_IDENTIFIER = re.compile(r"\d|\w[_./\\:@=#]+\w|[a-z][A-Z]|^_|_$")

# Punctuation around words, which would look like a part of an identifier.
_EDGE_PUNCTUATION = ".,:;!?…()[]{}<>'’"

_warned_reasons: dict[str, object] = {}
"""Reasons that this process has warned about already."""


class HybridScorer:
    r"""Scores items by the words that they share with a query, and by meaning.

    The score is `alpha * words + (1 - alpha) * meaning`. Embeddings do not see ids: with
    `adaptive_alpha` each part of the query that has to match literally halves the share of
    meaning. Such a part is a text in quotes or backticks, or a word with a digit, a change to upper
    case, or one of `_ . / \ : @ = #` between two letters. At alpha = 0.5, one of them makes the
    share of words 0.75, two make it 0.875.

    If embeddings are not available, it scores by words alone and warns once; but if a scorer is
    given as `embedding`, that scorer's error is raised.

    Args:
        alpha: Share of words in the score, from 0 to 1.
        adaptive_alpha: Whether to give words a larger share if the query has ids, numbers, code or
            quotes.
        bm25: Scorer by words. Defaults to a `BM25Scorer`.
        embedding: Scorer by meaning: a scorer, or any model that `EmbeddingScorer` takes. Defaults
            to its default model.

    Raises:
        ConfigurationError: `alpha` is out of range, or `bm25` or `embedding` is of another type.

    Example:
        >>> def embed(texts):
        ...     return [[len(text), 1] for text in texts]
        >>> scorer = HybridScorer(alpha=0.5, embedding=embed)
        >>> scorer.alpha_for("which job failed?")
        0.5
        >>> scorer.alpha_for("why did job-1203 fail in `run_all`?")
        0.875
    """

    def __init__(
        self,
        alpha: float = _DEFAULT_ALPHA,
        *,
        adaptive_alpha: bool = True,
        bm25: Scorer | None = None,
        embedding: Any = None,
    ) -> None:
        self._word_scorer = hybrid_word_scorer(alpha, bm25)
        self.alpha = alpha
        self.adaptive_alpha = adaptive_alpha
        self._is_scorer_given = isinstance(embedding, Scorer) and not isinstance(embedding, type)
        self._meaning_scorer: Scorer | None = (
            embedding if self._is_scorer_given else self._make_meaning_scorer(embedding)
        )

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order.

        Args:
            items: Texts to score.
            query: Text to compare them with.

        Raises:
            TypeError: `items` is a string, or one of the items is not a string.
            ConfigurationError: The model of the scorer given as `embedding` is not on this machine.
            ProviderError: The embedding model did not return one vector of finite numbers for each
                text.
            TransformError: A given scorer did not return one number from 0 to 1 for each item.
        """
        texts = require_texts("items", items)
        alpha = self.alpha_for(query)
        meaning_scores = self._score_meaning(texts, query) if alpha < 1 else None
        word_scores = score_and_validate(self._word_scorer, texts, query)
        if meaning_scores is None:
            return word_scores
        pairs = zip(word_scores, meaning_scores, strict=True)
        return [min(1.0, alpha * word + (1 - alpha) * meaning) for word, meaning in pairs]

    def alpha_for(self, query: str) -> float:
        """Return the share of words for a query."""
        if not self.adaptive_alpha:
            return self.alpha
        literals = len(_QUOTED.findall(query))
        for word in _QUOTED.sub(" ", query).split():
            if _IDENTIFIER.search(word.strip(_EDGE_PUNCTUATION)):
                literals += 1
        return 1 - (1 - self.alpha) * 0.5**literals

    def _make_meaning_scorer(self, model: Any) -> Scorer | None:
        try:
            return EmbeddingScorer(DEFAULT_MODEL if model is None else model)
        except EmbeddingsUnavailableError as error:
            _warn_once(error.message)
            return None

    def _score_meaning(self, texts: list[str], query: str) -> list[float] | None:
        """Return the scores by meaning, or None if embeddings are not available."""
        if self._meaning_scorer is None:
            return None
        try:
            return score_and_validate(self._meaning_scorer, texts, query)
        except EmbeddingsUnavailableError as error:
            if self._is_scorer_given:
                raise
            _warn_once(error.message)
            self._meaning_scorer = None
            return None


def hybrid_word_scorer(alpha: float = _DEFAULT_ALPHA, bm25: Scorer | None = None) -> Scorer:
    """Return the scorer by words of a hybrid scorer with these arguments.

    Raises:
        ConfigurationError: `alpha` is not between 0 and 1, or `bm25` is not a scorer.
    """
    require_fraction("alpha", alpha)
    if bm25 is None:
        return BM25Scorer()
    if isinstance(bm25, type):
        name = bm25.__name__
        raise ConfigurationError(
            f"bm25 is the class {name}, not an instance: give {name}()", {"bm25": name}
        )
    if not isinstance(bm25, Scorer):
        name = type(bm25).__name__
        raise ConfigurationError(
            f"bm25 is of type {name}: give a scorer, such as BM25Scorer()", {"bm25": name}
        )
    return bm25


def _warn_once(reason: str) -> None:
    """Warn that embeddings are not available, once in a process for each reason."""
    first = object()
    # `setdefault` is atomic: of several threads, only one gets its own object back.
    if _warned_reasons.setdefault(reason, first) is first:
        # The caller of `HybridScorer()` or `score_items` is four frames up.
        warnings.warn(f"relevance is scored by words alone: {reason}", RuntimeWarning, stacklevel=4)
