"""The ledger of requests: the tokens and costs they had, and would have had uncompressed."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

from headroom_core._internal.checks import require_positive_int
from headroom_core._internal.fork import ForkSafeLock
from headroom_core.errors import ProviderError, ValidationError
from headroom_core.models.lookup import model_info
from headroom_core.providers import AnthropicProvider, GoogleProvider, OpenAIProvider, Provider
from headroom_core.results import RequestMetrics

_PROVIDERS: dict[str, Provider] = {
    "openai": OpenAIProvider(),
    "anthropic": AnthropicProvider(),
    "google": GoogleProvider(),
}


class Summary(TypedDict):
    """Totals of many requests.

    Attributes:
        total_requests: Number of requests.
        total_tokens_saved: Input tokens that were not sent. Negative if retrieved originals had
            more tokens than compression saved.
        avg_compression_ratio: Input tokens after compression divided by input tokens before, over
            all requests together. 1.0 if there are no requests.
        total_cost_saved_usd: USD saved according to list prices, over the requests whose price is
            known. None if there are requests but none of their prices is known.
    """

    total_requests: int
    total_tokens_saved: int
    avg_compression_ratio: float
    total_cost_saved_usd: float | None


@dataclass(frozen=True, slots=True)
class _Totals:
    """Running totals of requests.

    Attributes:
        requests: Number of requests.
        tokens_before: Their input tokens before compression.
        tokens_after: Their input tokens after compression.
        cost_saved: USD saved by the requests whose price is known.
        priced_requests: Number of those requests.
    """

    requests: int = 0
    tokens_before: int = 0
    tokens_after: int = 0
    cost_saved: float = 0.0
    priced_requests: int = 0

    def add(self, request: RequestMetrics) -> _Totals:
        """Return the totals with one more request."""
        cost_saved, priced_requests = self.cost_saved, self.priced_requests
        if request.cost_before is not None and request.cost_after is not None:
            cost_saved = cost_saved + request.cost_before - request.cost_after
            priced_requests += 1
        return _Totals(
            requests=self.requests + 1,
            tokens_before=self.tokens_before + request.tokens_input_before,
            tokens_after=self.tokens_after + request.tokens_input_after,
            cost_saved=cost_saved,
            priced_requests=priced_requests,
        )

    def summarize(self) -> Summary:
        is_priced = bool(self.priced_requests) or not self.requests
        return {
            "total_requests": self.requests,
            "total_tokens_saved": self.tokens_before - self.tokens_after,
            "avg_compression_ratio": (
                self.tokens_after / self.tokens_before if self.tokens_before else 1.0
            ),
            "total_cost_saved_usd": self.cost_saved if is_priced else None,
        }


class Ledger:
    """Thread-safe record of the metrics of the latest requests, and the totals of all requests.

    Copies are the same ledger: an object and its copies record in one place. A pickle
    contains no requests.

    Args:
        keep: Maximum number of requests to keep. The totals include all requests.

    Raises:
        ConfigurationError: `keep` is not an integer of at least 1.

    Example:
        >>> ledger = Ledger()
        >>> metrics = ledger.record(
        ...     model="gpt-4o", tokens_input_before=2_000, tokens_input_after=500
        ... )
        >>> metrics.cost_before, metrics.cost_after
        (0.005, 0.00125)
        >>> ledger.get_summary()["total_tokens_saved"]
        1500
    """

    def __init__(self, keep: int = 1000) -> None:
        self.keep = require_positive_int("keep", keep)
        self._requests: deque[RequestMetrics] = deque(maxlen=keep)
        self._totals = _Totals()
        self._lock = ForkSafeLock()

    def record(
        self,
        *,
        model: str,
        tokens_input_before: int,
        tokens_input_after: int,
        tokens_output: int = 0,
        cached_tokens: int = 0,
        cached_of: int | None = None,
        transforms_applied: Iterable[str] = (),
        latency_ms: float = 0.0,
    ) -> RequestMetrics:
        """Record a request and return its metrics.

        Args:
            model: Name of the model, which determines the price.
            tokens_input_before: Tokens of the caller's messages.
            tokens_input_after: Tokens of everything that was sent instead.
            tokens_output: Tokens of the answers.
            cached_tokens: Input tokens that the provider reports as read from its cache.
            cached_of: Total input tokens that the provider reports, which include the cached ones.
                Defaults to `tokens_input_after`.
            transforms_applied: Names of the compressors and transforms that changed something.
            latency_ms: Duration of the request in milliseconds.
        """
        total = tokens_input_after if cached_of is None else cached_of
        # Providers and this library count differently, so only the share of cached tokens carries
        # over. It is taken to be the same for the messages that would have been sent uncompressed.
        cached_share = min(cached_tokens / total, 1.0) if total else 0.0
        metrics = RequestMetrics(
            request_id=str(uuid.uuid4()),
            timestamp=datetime.now(UTC),
            model=model,
            tokens_input_before=tokens_input_before,
            tokens_input_after=tokens_input_after,
            tokens_output=tokens_output,
            cost_before=_estimate_cost(model, tokens_input_before, tokens_output, cached_share),
            cost_after=_estimate_cost(model, tokens_input_after, tokens_output, cached_share),
            transforms_applied=tuple(transforms_applied),
            provider=model_info(model).provider,
            cached_tokens=cached_tokens,
            latency_ms=latency_ms,
        )
        with self._lock:
            self._requests.append(metrics)
            self._totals = self._totals.add(metrics)
        return metrics

    def get_metrics(
        self,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        model: str | None = None,
        limit: int = 100,
    ) -> list[RequestMetrics]:
        """Return the metrics of the latest requests, oldest first.

        Args:
            start_time: Only requests recorded at this time or later. A naive time is read as UTC.
            end_time: Only requests recorded at this time or earlier.
            model: Only requests of this model.
            limit: Maximum number of requests. The newest are returned.

        Raises:
            ValidationError: A time is not a datetime, or `limit` is not an integer of at least 1.
        """
        require_positive_int("limit", limit, error=ValidationError)
        requests = self._requests_between(start_time, end_time)
        return [request for request in requests if model is None or request.model == model][-limit:]

    def get_summary(
        self, start_time: datetime | None = None, end_time: datetime | None = None
    ) -> Summary:
        """Return the totals of all requests, or of the kept requests between two times.

        Args:
            start_time: Only requests recorded at this time or later. A naive time is read as UTC.
            end_time: Only requests recorded at this time or earlier.

        Raises:
            ValidationError: A time is not a datetime.
        """
        if start_time is None and end_time is None:
            return self._totals.summarize()
        totals = _Totals()
        for request in self._requests_between(start_time, end_time):
            totals = totals.add(request)
        return totals.summarize()

    def _requests_between(
        self, start_time: datetime | None, end_time: datetime | None
    ) -> list[RequestMetrics]:
        start, end = _to_utc("start_time", start_time), _to_utc("end_time", end_time)
        with self._lock:
            requests = list(self._requests)
        return [
            request
            for request in requests
            if (start is None or start <= request.timestamp)
            and (end is None or request.timestamp <= end)
        ]

    def __copy__(self) -> Ledger:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Ledger:
        return self

    def __reduce__(self) -> tuple[type[Ledger], tuple[int]]:
        return type(self), (self.keep,)


def _to_utc(name: str, time: datetime | None) -> datetime | None:
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise ValidationError(f"{name} = {time!r}: expected a datetime, or None", {name: time})
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _estimate_cost(
    model: str, input_tokens: int, output_tokens: int, cached_share: float
) -> float | None:
    """Return the cost of a request in USD, None if the price is not known."""
    provider = _PROVIDERS.get(model_info(model).provider or "")
    if provider is None:
        return None
    try:
        return provider.estimate_cost(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            model=model,
            cached_tokens=round(input_tokens * cached_share),
        )
    except ProviderError:
        return None
