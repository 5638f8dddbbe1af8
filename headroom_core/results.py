"""The results that Headroom returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from headroom_core.messages import Change


@dataclass(frozen=True, slots=True)
class CompressResult:
    """Result of `compress`.

    Attributes:
        messages: Messages to send. An unchanged message is the same object that was passed in.
        tokens_before: Number of tokens of the messages that were passed in.
        tokens_after: Number of tokens of the messages to send, including markers. It is at most
            `tokens_before`, unless a system prompt was aligned.
        transforms_applied: Names of the compressors and transforms that changed something.
        ccr_hashes: Keys of the originals that markers name, each of which `retrieve` resolves.
        changes: What was done with each block and with each dropped message, and why.
        warnings: Steps that were not taken, with the way out.
        estimated: Whether token numbers are estimates, because the model's vocabulary is not on
            this machine.
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
        """Number of tokens saved."""
        return self.tokens_before - self.tokens_after

    @property
    def compression_ratio(self) -> float:
        """Tokens after compression divided by tokens before. 1.0 if nothing changed."""
        return self.tokens_after / self.tokens_before if self.tokens_before else 1.0

    @property
    def compressed(self) -> bool:
        """Whether any message changed."""
        return any(change.action != "kept" for change in self.changes)


@dataclass(frozen=True, slots=True)
class DocumentsResult:
    """Result of `compress_documents`.

    Attributes:
        texts: One text for each document, in the order of the documents. Empty if the whole
            document was dropped.
        scores: Relevance of each document to the query, from 0 to 1, as a share of the best
            document's score. 1.0 without a query, and 0.0 if no document matches it.
        tokens_before: Number of tokens of the documents that were passed in.
        tokens_after: Number of tokens of the texts.
        changes: Change to each document, with its reason: `dropped` if the document was dropped,
            `selected` if passages or sentences were, which the text shows as `[…]`.
        warnings: Steps that were not taken, with the way out.
        estimated: Whether token numbers are estimates.
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
    """Result of `SmartCrusher.crush`.

    Attributes:
        text: Compressed text, ready to be sent.
        data: The data, with only the kept items in arrays from which items were dropped.
        tokens_before: Number of tokens of the data as compact JSON.
        tokens_after: Number of tokens of the text.
        markers: Marker of each array from which items were dropped, in order.
        estimated: Whether token numbers are estimates.
    """

    text: str
    data: Any
    tokens_before: int
    tokens_after: int
    markers: tuple[str, ...] = ()
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class TransformResult:
    """Result of a transform that is used directly.

    Attributes:
        messages: Messages to send. An unchanged message is the same object that was passed in.
        tokens_before: Number of tokens of the messages that were passed in.
        tokens_after: Number of tokens of the messages to send, including markers.
        changes: Changes to each block or message, with reasons.
        warnings: Steps that were not taken, with the way out.
        moved: Parts of the system prompt that were moved to its end, in order.
        estimated: Whether token numbers are estimates.
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
        """Number of tokens saved."""
        return self.tokens_before - self.tokens_after


@dataclass(frozen=True, slots=True)
class RetrievalResult:
    """Result of `retrieve`.

    Attributes:
        text: The requested rows or lines, or the whole original. Empty if nothing was found.
        found: Whether the key is known and something matches.
        reason: Reason why nothing was found. Repeating the request does not change it.
        next_page: Number of the next page, or None on the last page.
    """

    text: str
    found: bool
    reason: str = ""
    next_page: int | None = None


@dataclass(frozen=True, slots=True)
class RequestMetrics:
    """Tokens and cost of one request, with and without compression.

    Attributes:
        request_id: Identifier of the request.
        timestamp: Time at which the request was recorded, in UTC and timezone-aware.
        model: Name of the model.
        tokens_input_before: Number of tokens of the messages that the caller sent.
        tokens_input_after: Number of input tokens that were sent instead. It includes the schema
            of the retrieve tool and every further call in which originals were retrieved.
        tokens_output: Number of output tokens, including thinking.
        cost_before: Cost without compression in USD, if the same share of the input was read from
            the provider's cache. None if the price is unknown.
        cost_after: Cost in USD at list prices. None if the price is unknown.
        transforms_applied: Names of the compressors and transforms that changed something.
        provider: `openai`, `anthropic` or `google`. None if unknown.
        cached_tokens: Number of input tokens that the provider read from its cache.
        latency_ms: Milliseconds from the request to the end of the answer.
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
        """Number of input tokens saved. Negative if retrievals cost more than compression saved."""
        return self.tokens_input_before - self.tokens_input_after
