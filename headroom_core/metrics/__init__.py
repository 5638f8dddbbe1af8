"""Recording what requests cost, and what they would have cost."""

from __future__ import annotations

from headroom_core.metrics.ledger import Ledger, Summary

__all__ = ["Ledger", "Summary"]
