"""How much each of many texts has to do with a query. Importing it loads nothing heavy."""

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
_TYPES: dict[str, type[BM25Scorer] | type[EmbeddingScorer] | type[HybridScorer]] = {
    "bm25": BM25Scorer,
    "embedding": EmbeddingScorer,
    "hybrid": HybridScorer,
}


def create_scorer(scorer_type: str = _AUTO, **options: Any) -> Scorer:
    """Return a scorer of a type.

    Args:
        scorer_type: `bm25` scores by words, `embedding` by meaning, `hybrid` by both; `auto` by both where
            embeddings are at hand, else by words.
        options: what the scorer's class takes; for `auto` what `HybridScorer` takes.

    Raises:
        ConfigurationError: there is no such type or option, an option has a wrong value, or `embedding` is asked for
            where sentence-transformers is not installed.

    Example:
        >>> create_scorer("bm25", k1=1.2).score_items(["Elbe", "Oder"], "Oder")[0]
        0.0
    """
    named = "hybrid" if scorer_type == _AUTO else scorer_type
    kind = _TYPES.get(named) if isinstance(named, str) else None
    if kind is None:
        allowed = ", ".join([_AUTO, *_TYPES])
        raise ConfigurationError(
            f"scorer_type = {scorer_type!r}: expected one of {allowed}",
            {"scorer_type": scorer_type},
        )
    known = list(signature(kind).parameters)
    if unknown := options.keys() - known:
        name = min(unknown)
        message = f"{scorer_type} scorers have no option {name}: the options are {', '.join(known)}"
        raise ConfigurationError(message, {"scorer_type": scorer_type, "option": name})
    if scorer_type == _AUTO and not (embedding_available() or _brings_embeddings(options)):
        return hybrid_word_scorer(
            **{name: options[name] for name in ("alpha", "bm25") if name in options}
        )
    return kind(**options)


def scorer_from_config(config: RelevanceScorerConfig) -> Scorer:
    """Return the scorer that settings ask for; where it needs embeddings that are not at hand, words score.

    Equal settings get the same scorer, so that a model is loaded once.

    Example:
        >>> from headroom_core.config import RelevanceScorerConfig
        >>> scorer_from_config(RelevanceScorerConfig(bm25_k1=1.2)).k1
        1.2
    """
    if config.tier == "bm25" or (config.tier == _AUTO and not embedding_available()):
        return BM25Scorer(config.bm25_k1, config.bm25_b)
    tier = "hybrid" if config.tier == _AUTO else config.tier
    model = config.embedding_model or DEFAULT_MODEL
    words = config.bm25_k1, config.bm25_b
    return _shared(
        package_origin(), tier, model, config.hybrid_alpha, config.adaptive_alpha, *words
    )


@lru_cache(maxsize=8)
def _shared(
    origin: str | None, tier: str, model: str, alpha: float, adaptive: bool, k1: float, b: float
) -> Scorer:
    """Return the scorer of these settings, with the package from that file."""
    words = BM25Scorer(k1, b)

    def made() -> Scorer:
        meaning = EmbeddingScorer(model)
        if tier == "embedding":
            return meaning
        return HybridScorer(alpha, adaptive_alpha=adaptive, bm25=words, embedding=meaning)

    return FallbackScorer(made, words)


def _brings_embeddings(options: dict[str, Any]) -> bool:
    return not isinstance(options.get("embedding"), (str, type(None)))
