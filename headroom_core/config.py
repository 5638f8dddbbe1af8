"""The configuration models, validated on construction and on assignment."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, ConfigDict, Field, field_validator, model_validator

from headroom_core._internal.checks import MAX_NAMESPACE_CHARS
from headroom_core._internal.validated import ValidatedModel
from headroom_core.errors import ConfigurationError

_ToolName = Annotated[str, Field(min_length=1)]

SettingsT = TypeVar("SettingsT", bound="Settings")


class Settings(ValidatedModel):
    """Base class of the configuration models.

    Objects take a snapshot of the settings they are given, so later assignments do not affect
    them.

    Raises:
        ConfigurationError: A field has a value that is not allowed, or does not exist.
    """

    model_config = ConfigDict(validate_default=True)

    def snapshot(self: SettingsT) -> SettingsT:
        """Return a deep copy, which later assignments do not affect."""
        return self.model_copy(deep=True)

    @classmethod
    def snapshot_of(cls: type[SettingsT], config: object) -> SettingsT | None:
        """Return a deep copy of settings that a caller passed, or None for None.

        Raises:
            ConfigurationError: They are of another type.

        Example:
            >>> HeadroomConfig.snapshot_of({"store_url": "memory://"})
            Traceback (most recent call last):
            ...
            headroom_core.errors.ConfigurationError: config must be a HeadroomConfig, got dict; ...
        """
        if config is None:
            return None
        if isinstance(config, cls):
            return config.snapshot()
        name, kind = cls.__name__, type(config).__name__
        way_out = f"give {name}(...)"
        if isinstance(config, dict):
            way_out = f"give {name}(**values)"
        elif isinstance(config, Settings):
            way_out = "settings of a part are a field of HeadroomConfig"
        message = f"config must be a {name}, got {kind}; {way_out}"
        raise ConfigurationError(message, {"config": kind})


class SmartCrusherConfig(Settings):
    """Settings of the compression of arrays and tables.

    Attributes:
        enabled: Whether to compress JSON and tables. Defaults to True.
        min_tokens_to_crush: Minimum number of tokens of a text to compress. Whether items may be
            dropped depends on `CCRConfig.min_tokens_saved` as well. Defaults to 200.
        min_items_to_analyze: Minimum number of items of an array from which items may be dropped.
            Arrays of fewer than 800 characters stay complete in any case. Defaults to 5.
        max_items_after_crush: Maximum number of items to keep. Errors, outliers and items that
            the query names are kept beyond it. Defaults to 50.
        keep_first: Number of items to keep at the start. If items have more than about 150
            tokens, only the first is sure to be kept. Defaults to 3.
        keep_last: Number of items to keep at the end. If items have more than about 150 tokens,
            only the last is sure to be kept. Defaults to 2.
        relevance_threshold: Share of the best score, from 0 to 1, that an item needs to count as
            an answer to the query. Defaults to 0.3.
        anomaly_std_threshold: Number of standard deviations from the middle at which a number is
            an outlier. The deviation is estimated from the median, which outliers hardly
            affect. Defaults to 2.0.
        preserve_errors: Whether to keep items that report errors. Defaults to True.
        preserve_change_points: Whether to keep the items at which the level of a column shifts.
            Defaults to True.
        dedup_identical_items: Whether to keep one of several identical items, with their count.
            Defaults to True.
        preserve_fields: Names of fields of which each distinct value is kept at least once.
            Defaults to none.
        relevance_tier: Method that ranks items by relevance: `bm25` by words, `embedding` by
            meaning, `hybrid` by both, and `none` by exact matches only. Defaults to `bm25`.
        use_feedback_hints: Whether past retrievals from a tool's outputs affect how much of its
            next outputs is kept. Defaults to True.
        toin_confidence_threshold: Minimum confidence, from 0 to 1, of a hint that is followed.
            Defaults to 0.3.
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
    """Settings of the alignment of system prompts, which makes them start alike every day.

    Attributes:
        enabled: Whether to align system prompts. Defaults to True, and to False in
            `HeadroomConfig`.
        extract_dates: Whether to move dates, times, ids and other random words to the end of the
            system prompt. Defaults to True.
        normalize_whitespace: Whether to replace runs of spaces and tabs inside a line by one
            space, and to strip line ends. Indentation and code blocks stay. Defaults to True.
        collapse_blank_lines: Whether to replace several blank lines by one. Defaults to True.
        stable_prefix_min_tokens: Minimum number of tokens of a system prompt to align, not
            counting the parts that change. Defaults to 100.
        dynamic_patterns: Regular expressions of further parts to move to the end. The whole match
            moves, or the group if the pattern has exactly one. Defaults to none.
        dynamic_tail_separator: Text between the stable part and the moved parts. Defaults to
            the line `[Current values]` after a blank line.
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
    def _check_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return patterns


class RollingWindowConfig(Settings):
    """Settings of the window that drops the oldest turns of a conversation that is too large.

    A turn is a message of the user and everything up to the next one. A step is a message of the
    model that calls tools, with the results of all its calls; a step is dropped as a whole.

    Attributes:
        enabled: Whether to drop turns. Defaults to True.
        max_tokens: Maximum number of tokens of a conversation, including the reply. It applies
            only if it is set or passed explicitly. Defaults to 100,000.
        preserve_system: Whether to keep system messages. Defaults to True.
        preserve_recent_turns: Number of turns at the end whose spoken messages are kept. Their
            steps are dropped only as a last resort, the oldest first, then these turns but the
            newest, and the newest message never. Defaults to 5.
        drop_oldest_first: Whether to drop the oldest turns first. If not, the newest turns that
            are not protected are dropped first, and the beginning stays. Defaults to True.
        output_buffer_tokens: Number of tokens to reserve for the reply, at most half of the
            limit. Defaults to 4,000.
    """

    enabled: bool = True
    max_tokens: int = Field(100_000, ge=1)
    preserve_system: bool = True
    preserve_recent_turns: int = Field(5, ge=0)
    drop_oldest_first: bool = True
    output_buffer_tokens: int = Field(4000, ge=0)


class ScoringWeights(Settings):
    """Weights of the signals that make a message important.

    They always sum to 1: two weights of 2 become two weights of 0.5.

    Attributes:
        recency: Weight of how recent the message is. Defaults to 0.20.
        semantic_similarity: Weight of its similarity to the most recent messages. Defaults to
            0.20.
        toin_importance: Weight of how often the tool's outputs were retrieved. Defaults to 0.25.
        error_indicator: Weight of whether the message reports an error. Defaults to 0.15.
        forward_reference: Weight of the number of later messages that use a value which this
            message was the first to name. Defaults to 0.15.
        token_density: Weight of how much information it has per token. Defaults to 0.05.

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
    def _normalize(self) -> ScoringWeights:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        total = math.fsum(values.values())
        if not (total > 0 and math.isfinite(total)):
            raise ValueError(
                f"the weights sum to {total}: all must be finite, and at least one above 0"
            )
        # Weights that sum to 1 except for rounding are left alone, so copies stay equal.
        if not math.isclose(total, 1.0, rel_tol=1e-12):
            # Written to `__dict__`, because an assignment would be validated and return here.
            self.__dict__.update({name: value / total for name, value in values.items()})
        return self


class IntelligentContextConfig(Settings):
    """Settings of the window that drops the least important steps of a conversation.

    Attributes:
        enabled: Whether `compress` uses this window instead of the rolling window. Defaults to
            False.
        keep_system: Whether to keep system messages. Defaults to True.
        keep_last_turns: Number of turns at the end whose spoken messages are kept. Their steps
            are dropped by importance, these turns but the newest only as a last resort, and the
            newest message never. Defaults to 2.
        output_buffer_tokens: Number of tokens to reserve for the reply, at most half of the
            limit. Defaults to 4,000.
        use_importance_scoring: Whether to drop by importance. If not, the oldest are dropped
            first. Defaults to True.
        scoring_weights: Weights of the signals that make a message important.
        recency_decay_rate: Rate at which importance decays with age: by a factor of e over
            1 / rate steps or messages. Defaults to 0.1.
        toin_integration: Whether tools whose outputs were retrieved are more important. Defaults
            to True.
        toin_confidence_threshold: Minimum confidence, from 0 to 1, at which that counts. Defaults
            to 0.3.
        compress_threshold: Share of the limit, from 0 to 1, up to which an excess is removed by
            compressing the oldest outputs, which goes further than necessary in an old
            conversation. Beyond it, all outputs are compressed before the least important step is
            dropped. `compress` always compresses all of them first. Defaults to 0.1.
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
    """Settings of the scoring of texts against a query.

    Attributes:
        tier: Method of scoring: `bm25` by words, `embedding` by meaning, `hybrid` by both, and
            `auto` by both if embeddings are available. Also accepted as `scorer_type`. Defaults
            to `bm25`.
        bm25_k1: Weight of the repetition of a word. Defaults to 1.5.
        bm25_b: Penalty for long texts, from 0 to 1. Defaults to 0.75.
        embedding_model: Name or folder of a sentence-transformers model. Defaults to
            all-MiniLM-L6-v2.
        hybrid_alpha: Share of words in a hybrid score, from 0 to 1. The rest is the share of
            meaning. Defaults to 0.5.
        adaptive_alpha: Whether words have a larger share if the query contains ids, numbers, code
            or quotes. Defaults to True.
        relevance_threshold: Share of the best score, from 0 to 1, that a passage needs to be
            kept, for a query of ten words; if set, also that of an item in an array. Defaults to
            0.25.
    """

    tier: Literal["bm25", "embedding", "hybrid", "auto"] = Field(
        "bm25", validation_alias=AliasChoices("tier", "scorer_type")
    )
    bm25_k1: float = Field(1.5, gt=0.0)
    bm25_b: float = Field(0.75, ge=0.0, le=1.0)
    embedding_model: str | None = None
    hybrid_alpha: float = Field(0.5, ge=0.0, le=1.0)
    adaptive_alpha: bool = True
    relevance_threshold: float = Field(0.25, ge=0.0, le=1.0)

    @property
    def scorer_type(self) -> str:
        """The tier, under its other name."""
        return self.tier


class CCRConfig(Settings):
    """Settings of "compress, cache, retrieve": dropping content that can be retrieved.

    Attributes:
        enabled: Whether content may be dropped. If not, compression is lossless and nothing is
            stored. Defaults to True.
        inject_marker: Whether markers may be inserted. If not, nothing is dropped, because
            dropped content needs a marker. Defaults to True.
        feedback_enabled: Whether to learn from retrievals, and to keep more of the outputs that
            are retrieved from. Nothing is learned in a store with a limit of number, or with an
            age limit below a day. Defaults to True.
        store_max_entries: Maximum number of originals to store; the least recently used are
            evicted first. Defaults to no limit.
        store_ttl_seconds: Seconds after its last use at which an original expires: when it was
            last stored, or sent in shortened form. Defaults to 30 days; None keeps originals for
            ever.
        min_tokens_saved: Minimum number of tokens that must be saved, compared with the lossless
            form, for content to be dropped. More must be saved where content is likely to be
            retrieved. With 0, every saving counts. Defaults to 400.
        expected_requests: Number of requests that will carry a text. The more they are, the more
            a saved token is worth, compared with the one request of a retrieval. Defaults to 10.
    """

    enabled: bool = True
    inject_marker: bool = True
    feedback_enabled: bool = True
    store_max_entries: int | None = Field(None, ge=1)
    store_ttl_seconds: float | None = Field(2_592_000, gt=0)
    min_tokens_saved: int = Field(400, ge=0)
    expected_requests: int = Field(10, ge=1)


class HeadroomConfig(Settings):
    """All settings.

    Attributes:
        store_url: URL of the store of originals and records. Defaults to `HEADROOM_STORE_URL` if
            that is set, and to a file in the user's state folder otherwise.
        namespace: Tenant whose originals and records are kept and found, apart from those of all
            others. It holds where the store is opened from these settings; a store that is passed
            as an argument has a namespace of its own. Defaults to the one in the URL, or else
            "default".
        model_context_limits: Maximum number of input tokens by model name, which take precedence
            over the built-in limits. Defaults to none.
        smart_crusher: Settings of the compression of arrays and tables.
        cache_aligner: Settings of the alignment of system prompts. Off by default; set its
            `enabled`, or pass a `CacheAlignerConfig`, to turn it on.
        rolling_window: Settings of the window that drops the oldest turns.
        intelligent_context: Settings of the window that drops the least important steps.
        relevance: Settings of the scoring of texts against a query.
        ccr: Settings of dropping content that can be retrieved.
        exclude_tools: Names of tools whose results stay as they are. A name may be a pattern with
            `*`, as in `read_*`. Defaults to none.
        only_tools: Names of the only tools whose results may be shortened. Texts of users and
            documents are not affected. Defaults to all tools.
        tool_profiles: Settings of single tools, by name: `{"skip_compression": True}`, or values
            for fields of `SmartCrusherConfig`. Defaults to none.
        content_router_enabled: Whether to compress texts at all. Defaults to True.

    Example:
        >>> config = HeadroomConfig()
        >>> config.smart_crusher.min_tokens_to_crush = 100
        >>> config.smart_crusher.keep_first = -1
        Traceback (most recent call last):
        ...
        headroom_core.errors.ConfigurationError: SmartCrusherConfig.keep_first = -1: must be ...
    """

    store_url: str | None = None
    namespace: str | None = Field(None, min_length=1, max_length=MAX_NAMESPACE_CHARS)
    model_context_limits: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    smart_crusher: SmartCrusherConfig = Field(default_factory=SmartCrusherConfig)
    cache_aligner: CacheAlignerConfig = Field(
        default_factory=lambda: CacheAlignerConfig(enabled=False)
    )
    rolling_window: RollingWindowConfig = Field(default_factory=RollingWindowConfig)
    intelligent_context: IntelligentContextConfig = Field(default_factory=IntelligentContextConfig)
    relevance: RelevanceScorerConfig = Field(default_factory=RelevanceScorerConfig)
    ccr: CCRConfig = Field(default_factory=CCRConfig)
    exclude_tools: tuple[_ToolName, ...] = ()
    only_tools: tuple[_ToolName, ...] | None = None
    tool_profiles: dict[_ToolName, dict[str, Any]] = Field(default_factory=dict)
    content_router_enabled: bool = True

    @field_validator("tool_profiles")
    @classmethod
    def _check_profiles(cls, profiles: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, profile in profiles.items():
            skip = profile.get("skip_compression", False)
            if not isinstance(skip, bool):
                raise ValueError(f"{name}.skip_compression must be True or False, got {skip!r:.80}")
            fields = {key: value for key, value in profile.items() if key != "skip_compression"}
            try:
                SmartCrusherConfig(**fields)
            except ConfigurationError as error:
                raise ValueError(f"{name}: {error}, or skip_compression") from None
        return profiles

    def lossless(self) -> HeadroomConfig:
        """Return a copy with which nothing is dropped, unless a budget cannot be met otherwise.

        Example:
            >>> HeadroomConfig().lossless().ccr.enabled
            False
        """
        return self.model_copy(update={"ccr": self.ccr.model_copy(update={"enabled": False})})
