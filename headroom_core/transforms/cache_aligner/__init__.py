"""Align system prompts to make a provider's prompt cache hit."""

from __future__ import annotations

from headroom_core.transforms.cache_aligner.aligner import CacheAligner

__all__ = ["CacheAligner"]
