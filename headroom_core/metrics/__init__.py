"""Recording how many tokens requests used, and how many they would have used uncompressed."""

from __future__ import annotations

from headroom_core.metrics.ledger import Ledger, Summary
from headroom_core.metrics.mixin import MetricsMixin

__all__ = ["Ledger", "MetricsMixin", "Summary"]
