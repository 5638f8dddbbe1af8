"""Limits, prices and cache rules of models."""

from __future__ import annotations

from headroom_core.models.lookup import CacheRules, ModelInfo, Overrides, Prices, model_info

__all__ = ["CacheRules", "ModelInfo", "Overrides", "Prices", "model_info"]
