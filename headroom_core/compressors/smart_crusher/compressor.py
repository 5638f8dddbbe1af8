"""Compress the arrays and tables in a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from headroom_core._internal.caches import process_caches
from headroom_core.compressors.base import UNCERTAIN_RISK, Compressed, Request
from headroom_core.compressors.smart_crusher.hits import DEFAULT_BM25_PARAMETERS, BM25Parameters
from headroom_core.compressors.smart_crusher.opaque import replace_values, write_values_marker
from headroom_core.compressors.smart_crusher.render import RowSelectionResult, SelectionRenderer
from headroom_core.compressors.smart_crusher.select import CHARACTERS_PER_TOKEN
from headroom_core.config import HeadroomConfig, RelevanceScorerConfig, SmartCrusherConfig
from headroom_core.errors import ConfigurationError
from headroom_core.kinds import TextKind
from headroom_core.markers import has_lines_marker
from headroom_core.relevance import Scorer, create_scorer, embedding_available, scorer_from_config
from headroom_core.tables.codec import parse_text, render_lossless
from headroom_core.tables.values import TextPart
from headroom_core.text.opaque import (
    MIN_OPAQUE_CHARACTERS,
    OpaqueValue,
    find_minified_lines,
    find_opaque_values,
)
from headroom_core.text.sources import reads_as_source

_VERSION = 2
"""To be raised whenever the same text and request give another result."""

# The tiers that need a scorer; the others search for words directly.
_EMBEDDING_TIERS = ("embedding", "hybrid")
# Probability that values are asked for that nobody reads.
_OPAQUE_RISK = 0.05
# The name of a file of separated values in the arguments of a call.
_SEPARATED_FILE = re.compile(r"\.(?:csv|tsv|psv)\b", re.IGNORECASE)


class TableCompressor:
    """Compressor for JSON arrays, JSON lines, Python literals, CSV and TSV.

    If nothing may be dropped, it writes them as lossless tables. Otherwise, it keeps the rows that
    matter, summarizes all rows, and leaves a marker instead of the others.

    Args:
        config: How to compress. A snapshot is taken. Defaults to `SmartCrusherConfig()`.
        scorer: Scores the rows against the query, unless the tier is `none`. Defaults to the
            scorer of the tier; `bm25` needs none and searches for the words of the query directly.
        bm25: The parameters for scoring words.

    Raises:
        ConfigurationError: If the tier is `embedding` and sentence-transformers is not installed,
            or if `scorer` is not a scorer.
    """

    name = "smart_crusher"

    def __init__(
        self,
        config: SmartCrusherConfig | None = None,
        scorer: Scorer | None = None,
        *,
        bm25: BM25Parameters = DEFAULT_BM25_PARAMETERS,
    ) -> None:
        self.config = SmartCrusherConfig.snapshot_of(config) or SmartCrusherConfig()
        if scorer is not None and not isinstance(scorer, Scorer):
            kind = type(scorer).__name__
            raise ConfigurationError(
                f"scorer is of type {kind}: give a scorer, such as BM25Scorer()", {"scorer": kind}
            )
        if scorer is None and self.config.relevance_tier in _EMBEDDING_TIERS:
            scorer = create_scorer(self.config.relevance_tier)
        self.scorer = scorer
        self.bm25 = bm25
        described = type(scorer).__name__ if scorer else "no scorer"
        settings = self.config.model_dump_json()
        self.fingerprint = f"{self.name} {_VERSION} {settings} {bm25} {described}"

    @classmethod
    def from_config(cls, config: HeadroomConfig) -> TableCompressor:
        """Return the compressor of a request's settings, the same one for equal settings."""
        return _shared_compressor(
            config.smart_crusher.model_dump_json(exclude_unset=True),
            config.relevance.model_dump_json(exclude_unset=True),
        )

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text may hold JSON, Python, separated values or encoded bytes.

        What other compressors left of a text stays as it was sent, with JSON in its lines.
        """
        if has_lines_marker(kind.text):
            return False
        return kind.has_brackets or kind.has_separators or len(kind.text) >= MIN_OPAQUE_CHARACTERS

    def refusal(self, request: Request) -> str | None:
        """Return why no text like this is compressed, None if one may be."""
        if not self.config.enabled:
            return f"{self.name} is turned off"
        if request.tokens < self.config.min_tokens_to_crush:
            return f"shorter than min_tokens_to_crush = {self.config.min_tokens_to_crush}"
        return None

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Compress the arrays and tables in a text.

        Args:
            text: The text.
            request: The query, and whether rows may be dropped.

        Returns:
            The compressed text, or None if the text is too small or has no array or table.
        """
        if self.refusal(request):
            return None
        values = find_opaque_values(text) if request.selecting else []
        if not values:
            return self._compress_rows(text, request)
        shorter = replace_values(text, values)
        compressed = self._compress_rows(shorter, request)
        marker = write_values_marker(text, values, request.key)
        reason = f"{len(values)} opaque values left out"
        return Compressed(
            (compressed.text if compressed else shorter) + marker,
            lossless=False,
            reason=f"{reason}; {compressed.reason}" if compressed else reason,
            risk=_OPAQUE_RISK if compressed is None or compressed.lossless else compressed.risk,
            saved=_estimate_tokens(values) + ((compressed and compressed.saved) or 0),
        )

    def _compress_rows(self, text: str, request: Request) -> Compressed | None:
        is_declared = _SEPARATED_FILE.search(request.call or "") is not None
        parts = parse_text(text, is_declared=is_declared)
        if parts is None:
            return _leave_out_lines(text, request)
        outside = "\n".join(
            part if isinstance(part, str) else part.style.outline() for part in parts
        )
        if reads_as_source(outside, len(text)):
            return None
        if request.selecting:
            result = self.select(parts, request)
            if result:
                return Compressed(
                    result.text,
                    lossless=False,
                    reason=result.reason,
                    risk=result.risk,
                    saved=result.saved,
                )
        lossless_text = render_lossless(parts)
        if lossless_text is None:
            return None
        form = "a lossless table" if "[table " in lossless_text else "compact JSON"
        return Compressed(lossless_text, lossless=True, reason=f"written as {form}")

    def select(self, parts: list[TextPart], request: Request) -> RowSelectionResult | None:
        """Drop rows from the arrays of a text.

        Args:
            parts: The parts of the text.
            request: The query, and the key for markers.

        Returns:
            The shorter text, or None if dropping rows would save too little.
        """
        renderer = SelectionRenderer(self.config, request, self.scorer, self.bm25)
        return renderer.render(parts)


def _leave_out_lines(text: str, request: Request) -> Compressed | None:
    """Leave out the lines of minified code in a text without rows."""
    lines = find_minified_lines(text) if request.selecting else []
    if not lines:
        return None
    shorter = replace_values(text, lines) + write_values_marker(text, lines, request.key)
    reason = f"{len(lines)} lines of minified code left out"
    return Compressed(
        shorter,
        lossless=False,
        reason=reason,
        risk=UNCERTAIN_RISK,
        saved=_estimate_tokens(lines),
    )


def _estimate_tokens(values: Sequence[OpaqueValue]) -> int:
    return int(sum(value.end - value.start for value in values) / CHARACTERS_PER_TOKEN)


def create_table_compressor(
    crusher: SmartCrusherConfig, relevance: RelevanceScorerConfig
) -> TableCompressor:
    """Create the compressor for both configurations; explicit fields of `crusher` take precedence.

    If embeddings are requested but unavailable, rows are scored by words.

    Args:
        crusher: How to compress. Its `relevance_tier` and `relevance_threshold` apply if they were
            set explicitly.
        relevance: The tier and, if it was set explicitly, the threshold that apply otherwise, and
            the parameters of scorers.

    Example:
        >>> relevance = RelevanceScorerConfig(relevance_threshold=0.5)
        >>> create_table_compressor(SmartCrusherConfig(), relevance).config
        SmartCrusherConfig(..., relevance_threshold=0.5, ...)
    """
    config, relevance = crusher.snapshot(), relevance.snapshot()
    if "relevance_threshold" in relevance.model_fields_set - crusher.model_fields_set:
        config.relevance_threshold = relevance.relevance_threshold
    if "relevance_tier" in crusher.model_fields_set:
        relevance.tier = "bm25" if config.relevance_tier == "none" else config.relevance_tier
    elif relevance.tier == "auto":
        config.relevance_tier = "hybrid" if embedding_available() else "bm25"
    else:
        config.relevance_tier = relevance.tier
    scorer = scorer_from_config(relevance) if config.relevance_tier in _EMBEDDING_TIERS else None
    bm25 = BM25Parameters(relevance.bm25_k1, relevance.bm25_b)
    compressor = TableCompressor(config, scorer, bm25=bm25)
    # The class of a scorer does not tell its model and its weights.
    compressor.fingerprint += f" {relevance.model_dump_json()}"
    return compressor


@lru_cache(maxsize=32)
def _shared_compressor(crusher: str, relevance: str) -> TableCompressor:
    """Create the compressor of two configurations, as JSON. Requests may share it."""
    return create_table_compressor(
        SmartCrusherConfig.model_validate_json(crusher),
        RelevanceScorerConfig.model_validate_json(relevance),
    )


process_caches.on_clear(_shared_compressor.cache_clear)
