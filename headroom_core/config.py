"""The settings: validated models, on construction and on assignment."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, ConfigDict, Field, field_validator, model_validator

from headroom_core._internal.validated import ValidatedModel


class Settings(ValidatedModel):
    """Base of the configuration models.

    Whoever is given settings takes a snapshot: changing them later changes no later result of an object that was built
    with them.

    Raises:
        ConfigurationError: a field has a value that is not allowed, or no field has that name.
    """

    model_config = ConfigDict(validate_default=True)

    def snapshot(self) -> Any:
        """Return a deep copy, which later assignments do not reach."""
        return self.model_copy(deep=True)


class SmartCrusherConfig(Settings):
    """How arrays are shortened.

    Attributes:
        enabled: off leaves JSON and tables as they are.
        min_tokens_to_crush: texts with fewer tokens are left alone.
        min_items_to_analyze: arrays with fewer items, or fewer than 800 characters, are never selected from.
        max_items_after_crush: how many items to keep at most; errors, outliers and what the query names
            are kept beyond it.
        keep_first: items at the start that are kept; of items with more than about 150 tokens, only the first for sure.
        keep_last: items at the end that are kept; of items with more than about 150 tokens, only the last for sure.
        relevance_threshold: the share of the best score that an item must reach to count as an answer
            to the query.
        anomaly_std_threshold: how many standard deviations from the middle make a number an outlier
            (estimated from the median, so that the outliers themselves do not hide it).
        preserve_errors: keep items that tell of an error.
        preserve_change_points: keep the items at which a column's level shifts.
        dedup_identical_items: keep one of several identical items, with their number.
        preserve_fields: names of fields whose every distinct value is kept at least once.
        relevance_tier: `bm25` ranks items by their words, `embedding` by their meaning, `hybrid` by both, and
            `none` takes exact matches alone.
        use_feedback_hints: let what retrievals taught about a tool decide how much of its next outputs is kept.
        toin_confidence_threshold: the confidence from which a hint is followed.
    """

    enabled: bool = True
    min_tokens_to_crush: int = Field(200, ge=0)
    min_items_to_analyze: int = Field(5, ge=2)
    max_items_after_crush: int = Field(50, ge=1)
    keep_first: int = Field(3, ge=0)
    keep_last: int = Field(2, ge=0)
    relevance_threshold: float = Field(0.3, ge=0.0, le=1.0)
    anomaly_std_threshold: float = Field(2.0, gt=0.0)
    preserve_errors: bool = True
    preserve_change_points: bool = True
    dedup_identical_items: bool = True
    preserve_fields: tuple[str, ...] = ()
    relevance_tier: Literal["bm25", "embedding", "hybrid", "none"] = "bm25"
    use_feedback_hints: bool = True
    toin_confidence_threshold: float = Field(0.3, ge=0.0, le=1.0)


class CacheAlignerConfig(Settings):
    """How the system prompt is made to begin with the same bytes every day.

    Attributes:
        enabled: off leaves system prompts as they are.
        extract_dates: move dates, times, ids and other random words to the tail of the system prompt.
        normalize_whitespace: write runs of spaces and tabs inside a line as one space, and none at a line's end;
            indentation and code blocks stay.
        collapse_blank_lines: write several blank lines as one.
        stable_prefix_min_tokens: system prompts with fewer tokens, counted without what changes, are left alone.
        dynamic_patterns: regular expressions of further parts that change, which move to the tail too: the whole
            match, or the group of a pattern that has exactly one.
        dynamic_tail_separator: what stands between the steady part and the tail.
    """

    enabled: bool = True
    extract_dates: bool = True
    normalize_whitespace: bool = True
    collapse_blank_lines: bool = True
    stable_prefix_min_tokens: int = Field(100, ge=0)
    dynamic_patterns: tuple[str, ...] = ()
    dynamic_tail_separator: str = Field("\n\n[Current values]\n", min_length=1)

    @field_validator("dynamic_patterns")
    @classmethod
    def _compiles(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return patterns


class RollingWindowConfig(Settings):
    """How the oldest turns are left out when a conversation is larger than it may be.

    A turn is a user's message with all that follows up to the next one. A step is a message of the model that
    calls tools, with all their results; it goes as a whole.

    Attributes:
        enabled: off leaves nothing out.
        max_tokens: tokens that a conversation may have, those of the reply included; counts when it is set or passed.
        preserve_system: keep system messages.
        preserve_recent_turns: of the last so many turns, what was said is kept; their steps go where there is no
            other way, the oldest first, and the newest message never.
        drop_oldest_first: off leaves out the newest of what is not protected first, so that the beginning stays.
        output_buffer_tokens: tokens to leave free for the reply, at most half of the limit.
    """

    enabled: bool = True
    max_tokens: int = Field(100_000, ge=1)
    preserve_system: bool = True
    preserve_recent_turns: int = Field(5, ge=0)
    drop_oldest_first: bool = True
    output_buffer_tokens: int = Field(4000, ge=0)


class ScoringWeights(Settings):
    """What makes a message important, as shares that always sum to 1: giving 2 and 2 is giving 0.5 and 0.5.

    Attributes:
        recency: how new it is.
        semantic_similarity: how much it has to do with the recent messages.
        toin_importance: how often what its tool returned was asked for again.
        error_indicator: whether it tells of an error.
        forward_reference: how many later messages use a value that it was the first to name.
        token_density: how much it says for its tokens.

    Example:
        >>> ScoringWeights(recency=3, forward_reference=1, semantic_similarity=0, toin_importance=0,
        ...     error_indicator=0, token_density=0).recency
        0.75
    """

    recency: float = Field(0.20, ge=0.0)
    semantic_similarity: float = Field(0.20, ge=0.0)
    toin_importance: float = Field(0.25, ge=0.0)
    error_indicator: float = Field(0.15, ge=0.0)
    forward_reference: float = Field(0.15, ge=0.0)
    token_density: float = Field(0.05, ge=0.0)

    @model_validator(mode="after")
    def _normalized(self) -> ScoringWeights:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        total = math.fsum(values.values())
        if not (total > 0 and math.isfinite(total)):
            raise ValueError(
                f"the weights sum to {total}: at least one must be above 0, and all finite"
            )
        if not math.isclose(total, 1.0, rel_tol=1e-12):
            # Around the validation on assignment, which would come back here for each of them.
            self.__dict__.update({name: value / total for name, value in values.items()})
        return self


class IntelligentContextConfig(Settings):
    """How the least important steps are left out when a conversation is larger than it may be.

    Attributes:
        enabled: on makes `compress` use importance instead of the rolling window.
        keep_system: keep system messages.
        keep_last_turns: of the last so many turns, what was said is kept; their steps go by their importance, the
            newest message never.
        output_buffer_tokens: tokens to leave free for the reply, at most half of the limit.
        use_importance_scoring: off leaves out the oldest first.
        scoring_weights: what makes a message important.
        recency_decay_rate: how fast importance falls with age: by a factor of e over 1 / rate steps or messages.
        toin_integration: let tools count for more whose originals were asked for.
        toin_confidence_threshold: the confidence from which that counts.
        compress_threshold: the share of the limit up to which an excess is met by shortening the oldest outputs, in an
            old conversation further than is needed; beyond it, all are shortened before the least important is left
            out. In `compress` all are shortened before.
    """

    enabled: bool = False
    keep_system: bool = True
    keep_last_turns: int = Field(2, ge=0)
    output_buffer_tokens: int = Field(4000, ge=0)
    use_importance_scoring: bool = True
    scoring_weights: ScoringWeights = Field(default_factory=ScoringWeights)
    recency_decay_rate: float = Field(0.1, ge=0.0)
    toin_integration: bool = True
    toin_confidence_threshold: float = Field(0.3, ge=0.0, le=1.0)
    compress_threshold: float = Field(0.1, ge=0.0, le=1.0)


class RelevanceScorerConfig(Settings):
    """How texts are scored against a query.

    Attributes:
        tier: `bm25` by their words, `embedding` by their meaning, `hybrid` by both, `auto` by both where embeddings
            are at hand. Also accepted as `scorer_type`.
        bm25_k1: how much a word's repetition counts.
        bm25_b: how much a long text is held against it.
        embedding_model: the name or the folder of a sentence-transformers model. None: all-MiniLM-L6-v2.
        hybrid_alpha: the share of words in a hybrid score; the rest is meaning's.
        adaptive_alpha: give words a larger share where the query holds ids or numbers.
        relevance_threshold: the share of the best score that a passage must reach to be kept.
    """

    tier: Literal["bm25", "embedding", "hybrid", "auto"] = Field(
        "bm25", validation_alias=AliasChoices("tier", "scorer_type")
    )
    bm25_k1: float = Field(1.5, gt=0.0)
    bm25_b: float = Field(0.75, ge=0.0, le=1.0)
    embedding_model: str | None = None
    hybrid_alpha: float = Field(0.5, ge=0.0, le=1.0)
    adaptive_alpha: bool = True
    relevance_threshold: float = Field(0.3, ge=0.0, le=1.0)

    @property
    def scorer_type(self) -> str:
        """The tier, by its other name."""
        return self.tier


class CCRConfig(Settings):
    """Compress, cache, retrieve: what may be left out because it can be brought back.

    Attributes:
        enabled: off means that nothing is left out and nothing is stored.
        inject_marker: off means the same, since what is left out must leave a marker.
        feedback_enabled: learn from what is asked for again, and keep more of it; nothing is learnt in a store with a
            limit of number, or of less than a day.
        store_max_entries: originals to keep at most; those replayed longest ago go first. None: no limit.
        store_ttl_seconds: seconds after its last replay at which an original goes. None: never.
    """

    enabled: bool = True
    inject_marker: bool = True
    feedback_enabled: bool = True
    store_max_entries: int | None = Field(None, ge=1)
    store_ttl_seconds: float | None = Field(None, gt=0)


class HeadroomConfig(Settings):
    """All settings in one place.

    Attributes:
        store_url: where originals and records are kept; None: `HEADROOM_STORE_URL`, else a file under
            the user's state folder.
        model_context_limits: tokens that a model may be sent, by its name; they win over the built-in ones.
        smart_crusher: how arrays are shortened.
        cache_aligner: how the system prompt is steadied; off until `enabled` is set, or a `CacheAlignerConfig` given.
        rolling_window: how the oldest turns are left out.
        intelligent_context: how the least important steps are left out.
        relevance: how texts are scored against a query.
        ccr: what may be left out.
        content_router_enabled: off leaves every text as it is.

    Example:
        >>> config = HeadroomConfig()
        >>> config.smart_crusher.min_tokens_to_crush = 100
        >>> config.smart_crusher.keep_first = -1
        Traceback (most recent call last):
        ...
        headroom_core.errors.ConfigurationError: SmartCrusherConfig.keep_first = -1: Input should be greater...
    """

    store_url: str | None = None
    model_context_limits: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    smart_crusher: SmartCrusherConfig = Field(default_factory=SmartCrusherConfig)
    cache_aligner: CacheAlignerConfig = Field(
        default_factory=lambda: CacheAlignerConfig(enabled=False)
    )
    rolling_window: RollingWindowConfig = Field(default_factory=RollingWindowConfig)
    intelligent_context: IntelligentContextConfig = Field(default_factory=IntelligentContextConfig)
    relevance: RelevanceScorerConfig = Field(default_factory=RelevanceScorerConfig)
    ccr: CCRConfig = Field(default_factory=CCRConfig)
    content_router_enabled: bool = True

    def lossless(self) -> HeadroomConfig:
        """Return these settings with nothing left out, unless a budget cannot be met otherwise.

        Example:
            >>> HeadroomConfig().lossless().ccr.enabled
            False
        """
        return self.model_copy(update={"ccr": self.ccr.model_copy(update={"enabled": False})})
