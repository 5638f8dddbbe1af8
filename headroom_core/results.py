"""What Headroom hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from headroom_core.messages import Change


@dataclass(frozen=True, slots=True)
class CompressResult:
    """The outcome of `compress`.

    Attributes:
        messages: the messages to send; one that nothing changed is the very object that came in.
        tokens_before: tokens of the messages that came in.
        tokens_after: tokens of the messages to send, markers included; never more than before, unless a system
            prompt was aligned.
        transforms_applied: the names of the compressors and transforms that changed something.
        ccr_hashes: the keys of the originals that markers name, each of which `retrieve` resolves.
        changes: what became of every block, and why.
        warnings: what was not done, and what to do about it.
        estimated: whether the token numbers are estimates, because the model's vocabulary is not at hand.
    """

    messages: list[Any]
    tokens_before: int
    tokens_after: int
    transforms_applied: list[str] = field(default_factory=list)
    ccr_hashes: list[str] = field(default_factory=list)
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    estimated: bool = False

    @property
    def tokens_saved(self) -> int:
        """Tokens that need not be sent."""
        return self.tokens_before - self.tokens_after

    @property
    def compression_ratio(self) -> float:
        """Tokens after by tokens before: 1.0 when nothing changed, smaller is better."""
        return self.tokens_after / self.tokens_before if self.tokens_before else 1.0

    @property
    def compressed(self) -> bool:
        """Whether any message changed."""
        return any(change.action != "kept" for change in self.changes)


@dataclass(frozen=True, slots=True)
class DocumentsResult:
    """The outcome of `compress_documents`.

    Attributes:
        texts: one text for each document, in their order; empty where a whole one was left out.
        scores: how relevant each document is to the query, as a share of the best one's score, from 0 to 1; 1.0
            without a query, and 0.0 where nothing matches it.
        tokens_before: tokens of the documents that came in.
        tokens_after: tokens of the texts.
        changes: what became of every document, and why: `dropped` where it was left out, `selected` where passages
            or sentences of it were, which shows as `[…]`.
        warnings: what was not done, and what to do about it.
        estimated: whether the token numbers are estimates.
    """

    texts: list[str]
    scores: list[float]
    tokens_before: int
    tokens_after: int
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class CrushResult:
    """The outcome of `SmartCrusher.crush`.

    Attributes:
        text: the shortened form, ready to be sent.
        data: the data in which only the kept items stand in the shortened arrays.
        tokens_before: tokens of the data as compact JSON.
        tokens_after: tokens of the text.
        markers: the marker of every array that was shortened, in order.
        estimated: whether the token numbers are estimates.
    """

    text: str
    data: Any
    tokens_before: int
    tokens_after: int
    markers: tuple[str, ...] = ()
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class TransformResult:
    """The outcome of a transform that is used directly.

    Attributes:
        messages: the messages to send; one that nothing changed is the very object that came in.
        tokens_before: tokens of the messages that came in.
        tokens_after: tokens of the messages to send, markers included.
        changes: what became of every block or message, and why.
        warnings: what was not done, and what to do about it.
        moved: the parts of the system prompt that moved to its tail, in order.
        estimated: whether the token numbers are estimates.
    """

    messages: list[Any]
    tokens_before: int
    tokens_after: int
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    estimated: bool = False

    @property
    def tokens_saved(self) -> int:
        """Tokens that need not be sent."""
        return self.tokens_before - self.tokens_after


@dataclass(frozen=True, slots=True)
class RetrievalResult:
    """The outcome of `retrieve`.

    Attributes:
        text: the rows, lines or whole original that was asked for; empty when nothing was found.
        found: whether the key is known and something matched.
        reason: why nothing was found; asking again will not change it.
        next_page: the number of the next page, None on the last one.
    """

    text: str
    found: bool
    reason: str = ""
    next_page: int | None = None


@dataclass(frozen=True, slots=True)
class RequestMetrics:
    """What one request cost, and what it would have cost.

    Attributes:
        request_id: names the request.
        timestamp: when it was booked, in UTC, timezone-aware.
        model: the model's name.
        tokens_input_before: tokens of the messages that the caller sent.
        tokens_input_after: tokens of all that was sent instead: of every round where originals were brought back,
            the retrieve tool's schema included.
        tokens_output: tokens of the answers, thinking included.
        cost_before: USD that the request would have cost, with the same share of its input read from the
            provider's cache. None: the price is not known.
        cost_after: USD that it did cost, by list prices. None: the price is not known.
        transforms_applied: the names of the compressors and transforms that changed something.
        provider: `openai`, `anthropic` or `google`. None: not known.
        cached_tokens: input tokens that the provider says it read from its cache.
        latency_ms: milliseconds from the request to the end of the answer.
    """

    request_id: str
    timestamp: datetime
    model: str
    tokens_input_before: int
    tokens_input_after: int
    tokens_output: int
    cost_before: float | None
    cost_after: float | None
    transforms_applied: tuple[str, ...] = ()
    provider: str | None = None
    cached_tokens: int = 0
    latency_ms: float = 0.0

    @property
    def tokens_saved(self) -> int:
        """Input tokens that were not sent; below 0 where what was brought back weighs more."""
        return self.tokens_input_before - self.tokens_input_after
