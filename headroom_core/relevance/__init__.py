"""Scorers: how relevant each of many texts is to a query. Importing this loads nothing heavy."""

from __future__ import annotations

from functools import lru_cache
from inspect import signature
from typing import TYPE_CHECKING, Any

from headroom_core.errors import ConfigurationError
from headroom_core.relevance.base import Scorer
from headroom_core.relevance.bm25 import BM25Scorer
from headroom_core.relevance.embedding import DEFAULT_MODEL, EmbeddingScorer
from headroom_core.relevance.encoders import embedding_available, package_origin
from headroom_core.relevance.fallback import FallbackScorer, fallback_reason
from headroom_core.relevance.hybrid import HybridScorer, hybrid_word_scorer
from headroom_core.relevance.words import split_words

if TYPE_CHECKING:
    from headroom_core.config import RelevanceScorerConfig

__all__ = [
    "BM25Scorer",
    "EmbeddingScorer",
    "HybridScorer",
    "Scorer",
    "create_scorer",
    "embedding_available",
    "fallback_reason",
    "scorer_from_config",
    "split_words",
]

_AUTO = "auto"
_SCORER_TYPES: dict[str, type[BM25Scorer] | type[EmbeddingScorer] | type[HybridScorer]] = {
    "bm25": BM25Scorer,
    "embedding": EmbeddingScorer,
    "hybrid": HybridScorer,
}
_MAX_SHARED_SCORERS = 8


def create_scorer(scorer_type: str = _AUTO, **options: Any) -> Scorer:
    """Create a scorer by the name of its type.

    Args:
        scorer_type: `bm25` scores by words, `embedding` by meaning, `hybrid` by both. `auto` is
            `hybrid` if embeddings are available, else `bm25`. In upper or lower case.
        options: Arguments of the scorer's class; for `auto`, those of `HybridScorer`.

    Raises:
        ConfigurationError: The type or an option does not exist, an option has a value that is not
            allowed, or `embedding` is requested and sentence-transformers is not installed.

    Example:
        >>> create_scorer("bm25", k1=1.2).score_items(["Elbe", "Oder"], "Oder")[0]
        0.0
    """
    name = scorer_type.lower() if isinstance(scorer_type, str) else ""
    scorer_class = _SCORER_TYPES.get("hybrid" if name == _AUTO else name)
    if scorer_class is None:
        allowed = ", ".join([_AUTO, *_SCORER_TYPES])
        raise ConfigurationError(
            f"scorer_type = {scorer_type!r}: expected one of {allowed}",
            {"scorer_type": scorer_type},
        )
    known_options = list(signature(scorer_class).parameters)
    unknown_options = sorted(options.keys() - known_options)
    if unknown_options:
        raise ConfigurationError(
            f"{scorer_type} scorers have no option {unknown_options[0]}: "
            f"the options are {', '.join(known_options)}",
            {"scorer_type": scorer_type, "option": unknown_options[0]},
        )
    if name == _AUTO and not (embedding_available() or _gives_embeddings(options)):
        word_options = {name: options[name] for name in ("alpha", "bm25") if name in options}
        return hybrid_word_scorer(**word_options)
    return scorer_class(**options)


def scorer_from_config(config: RelevanceScorerConfig) -> Scorer:
    """Return the scorer that settings describe, or one by words if embeddings are not available.

    Equal settings share a scorer, so a model is loaded once.

    Example:
        >>> from headroom_core.config import RelevanceScorerConfig
        >>> scorer_from_config(RelevanceScorerConfig(bm25_k1=1.2)).k1
        1.2
    """
    if config.tier == "bm25" or (config.tier == _AUTO and not embedding_available()):
        return BM25Scorer(config.bm25_k1, config.bm25_b)
    return _shared_scorer(
        package_origin=package_origin(),
        tier="hybrid" if config.tier == _AUTO else config.tier,
        model=config.embedding_model or DEFAULT_MODEL,
        alpha=config.hybrid_alpha,
        adaptive_alpha=config.adaptive_alpha,
        k1=config.bm25_k1,
        b=config.bm25_b,
    )


@lru_cache(maxsize=_MAX_SHARED_SCORERS)
def _shared_scorer(
    *,
    package_origin: str | None,  # Only a key: another installed package loads other models.
    tier: str,
    model: str,
    alpha: float,
    adaptive_alpha: bool,
    k1: float,
    b: float,
) -> Scorer:
    word_scorer = BM25Scorer(k1, b)

    def create_preferred() -> Scorer:
        meaning_scorer = EmbeddingScorer(model)
        if tier == "embedding":
            return meaning_scorer
        return HybridScorer(
            alpha, adaptive_alpha=adaptive_alpha, bm25=word_scorer, embedding=meaning_scorer
        )

    return FallbackScorer(create_preferred, word_scorer)


def _gives_embeddings(options: dict[str, Any]) -> bool:
    """Return whether the options bring an embedding model that needs no package."""
    return not isinstance(options.get("embedding"), (str, type(None)))
