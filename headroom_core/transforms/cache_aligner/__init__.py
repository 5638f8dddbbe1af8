"""Align system prompts, so that a provider's prompt cache hits."""

from __future__ import annotations

from headroom_core.transforms.cache_aligner.aligner import CacheAligner

__all__ = ["CacheAligner"]
