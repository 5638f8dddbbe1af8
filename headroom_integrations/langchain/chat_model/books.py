"""What requests cost, told by what sent them."""

from __future__ import annotations

from datetime import datetime

from headroom_core import RequestMetrics
from headroom_core.adapters import Ledger, Summary


class MetricsMixin:
    """Tells what is booked in `books`."""

    def books(self) -> Ledger:
        """Return where requests are booked."""
        raise NotImplementedError

    def get_metrics(
        self,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        model: str | None = None,
        limit: int = 100,
    ) -> list[RequestMetrics]:
        """Return the metrics of the last requests, the oldest first; see `Ledger.get_metrics`.

        `tokens_input_before` is what would have been sent without compression. `tokens_input_after` is what was sent
        instead, the retrieve tool's schema included. Output is counted where the model does not report it.
        """
        return self.books().get_metrics(start_time, end_time, model, limit)

    def get_summary(
        self, start_time: datetime | None = None, end_time: datetime | None = None
    ) -> Summary:
        """Return what all requests cost together; see `Ledger.get_summary`."""
        return self.books().get_summary(start_time, end_time)
