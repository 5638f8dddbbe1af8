"""Public methods that report the metrics of an object's requests."""

from __future__ import annotations

from datetime import datetime

from headroom_core.metrics.ledger import Ledger, Summary
from headroom_core.results import RequestMetrics


class MetricsMixin:
    """Mixin for objects that send requests and record them in a ledger.

    A subclass says where its ledger is by overriding `_get_ledger`. The mixin declares no
    attribute, because pydantic would turn an annotation into a field of the model.

    Example:
        >>> class Client(MetricsMixin):
        ...     def __init__(self) -> None:
        ...         self.ledger = Ledger()
        ...     def _get_ledger(self) -> Ledger:
        ...         return self.ledger
        >>> Client().get_summary()["total_requests"]
        0
    """

    def _get_ledger(self) -> Ledger:
        """Return the ledger that this object's requests are recorded in."""
        raise NotImplementedError

    def get_metrics(
        self,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        model: str | None = None,
        limit: int = 100,
    ) -> list[RequestMetrics]:
        """Return the metrics of the latest requests, oldest first; see `Ledger.get_metrics`.

        `tokens_input_before` counts the tokens that would have been sent without compression.
        `tokens_input_after` counts the tokens that were sent instead, the retrieve tool's schema
        included. Output tokens are counted if the provider does not report them.
        """
        return self._get_ledger().get_metrics(start_time, end_time, model, limit)

    def get_summary(
        self, start_time: datetime | None = None, end_time: datetime | None = None
    ) -> Summary:
        """Return the totals of all requests; see `Ledger.get_summary`."""
        return self._get_ledger().get_summary(start_time, end_time)
