"""The ledger of what requests cost, and what they would have cost."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypedDict

from headroom_core._internal.fork import ForkSafeLock
from headroom_core.errors import ConfigurationError, ProviderError, ValidationError
from headroom_core.models.lookup import model_info
from headroom_core.providers import AnthropicProvider, GoogleProvider, OpenAIProvider, Provider
from headroom_core.results import RequestMetrics

_PROVIDERS: dict[str, Provider] = {
    "openai": OpenAIProvider(),
    "anthropic": AnthropicProvider(),
    "google": GoogleProvider(),
}


class Summary(TypedDict):
    """What requests cost in all.

    Attributes:
        total_requests: how many there were.
        total_tokens_saved: input tokens that were not sent; below 0 where what was brought back weighs more.
        avg_compression_ratio: input tokens after by input tokens before, of all requests together; 1.0 without any.
        total_cost_saved_usd: USD saved, by list prices, in the requests whose price is known. None: there are
            requests, and the price of none of them is known.
    """

    total_requests: int
    total_tokens_saved: int
    avg_compression_ratio: float
    total_cost_saved_usd: float | None


@dataclass(frozen=True, slots=True)
class _Totals:
    requests: int = 0
    before: int = 0
    after: int = 0
    saved: float = 0.0
    priced: int = 0

    def plus(self, one: RequestMetrics) -> _Totals:
        priced = one.cost_before is not None and one.cost_after is not None
        return _Totals(
            self.requests + 1,
            self.before + one.tokens_input_before,
            self.after + one.tokens_input_after,
            self.saved + (one.cost_before or 0.0) - (one.cost_after or 0.0)
            if priced
            else self.saved,
            self.priced + priced,
        )

    def summary(self) -> Summary:
        return {
            "total_requests": self.requests,
            "total_tokens_saved": self.before - self.after,
            "avg_compression_ratio": self.after / self.before if self.before else 1.0,
            "total_cost_saved_usd": self.saved if self.priced or not self.requests else None,
        }


class Ledger:
    """Keeps the metrics of the last requests, and the totals of all.

    It is safe in threads. Copies are the same ledger, so that what is copied with it books in one place; a pickle
    holds no requests.

    Args:
        keep: how many requests are kept; the totals go on.

    Example:
        >>> ledger = Ledger()
        >>> booked = ledger.record(model="gpt-4o", tokens_input_before=2_000, tokens_input_after=500)
        >>> booked.cost_before, booked.cost_after
        (0.005, 0.00125)
        >>> ledger.get_summary()["total_tokens_saved"]
        1500
    """

    def __init__(self, keep: int = 1000) -> None:
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise ConfigurationError(
                f"keep = {keep!r}: expected a whole number, 1 or more", {"keep": keep}
            )
        self.keep = keep
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
        """Book a request, and return its metrics.

        Args:
            model: the model's name, by which it is priced.
            tokens_input_before: tokens of the messages that the caller sent.
            tokens_input_after: tokens of all that was sent instead.
            tokens_output: tokens of the answers.
            cached_tokens: input tokens that the provider says it read from its cache.
            cached_of: the input tokens that the provider counted in all, of which those are a share. None:
                `tokens_input_after`.
            transforms_applied: what changed something.
            latency_ms: how long it took, in milliseconds.
        """
        total = tokens_input_after if cached_of is None else cached_of
        share = min(cached_tokens / total, 1.0) if total else 0.0
        booked = RequestMetrics(
            request_id=str(uuid.uuid4()),
            timestamp=datetime.now(timezone.utc),
            model=model,
            tokens_input_before=tokens_input_before,
            tokens_input_after=tokens_input_after,
            tokens_output=tokens_output,
            cost_before=_cost(model, tokens_input_before, tokens_output, share),
            cost_after=_cost(model, tokens_input_after, tokens_output, share),
            transforms_applied=tuple(transforms_applied),
            provider=model_info(model).provider,
            cached_tokens=cached_tokens,
            latency_ms=latency_ms,
        )
        with self._lock:
            self._requests.append(booked)
            self._totals = self._totals.plus(booked)
        return booked

    def get_metrics(
        self,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        model: str | None = None,
        limit: int = 100,
    ) -> list[RequestMetrics]:
        """Return the metrics of the last requests, the oldest first.

        Args:
            start_time: booked at this time or later; a naive time is read as UTC.
            end_time: booked at this time or before.
            model: of this model only.
            limit: how many at most; the newest ones are returned.

        Raises:
            ValidationError: a time is no datetime, or the limit no whole number from 1 on.
        """
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ValidationError(
                f"limit = {limit!r}: expected a whole number, 1 or more", {"limit": limit}
            )
        found = self._between(start_time, end_time)
        return [one for one in found if model is None or one.model == model][-limit:]

    def get_summary(
        self, start_time: datetime | None = None, end_time: datetime | None = None
    ) -> Summary:
        """Return what requests cost in all: every one since the start, or those kept that lie between two times.

        Raises:
            ValidationError: a time is no datetime.
        """
        if start_time is None and end_time is None:
            return self._totals.summary()
        totals = _Totals()
        for one in self._between(start_time, end_time):
            totals = totals.plus(one)
        return totals.summary()

    def _between(
        self, start_time: datetime | None, end_time: datetime | None
    ) -> list[RequestMetrics]:
        start, end = _utc("start_time", start_time), _utc("end_time", end_time)
        with self._lock:
            kept = list(self._requests)
        return [
            one
            for one in kept
            if (start is None or start <= one.timestamp) and (end is None or one.timestamp <= end)
        ]

    def __copy__(self) -> Ledger:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Ledger:
        return self

    def __reduce__(self) -> tuple[type[Ledger], tuple[int]]:
        return type(self), (self.keep,)


def _utc(name: str, time: datetime | None) -> datetime | None:
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise ValidationError(f"{name} = {time!r}: expected a datetime, or None", {name: time})
    return time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time


def _cost(model: str, input_tokens: int, output_tokens: int, cached_share: float) -> float | None:
    """Return what a request costs in USD, None where the price is not known."""
    provider = _PROVIDERS.get(model_info(model).provider or "")
    if provider is None:
        return None
    cached = round(input_tokens * cached_share)
    try:
        return provider.estimate_cost(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            model=model,
            cached_tokens=cached,
        )
    except ProviderError:
        return None
