"""Providers: limits, prices and token counts of models, and breakpoints for their prompt caches."""

from __future__ import annotations

from headroom_core.providers.anthropic import AnthropicProvider
from headroom_core.providers.base import Provider, TokenCounter
from headroom_core.providers.google import GoogleProvider
from headroom_core.providers.openai import OpenAIProvider

__all__ = ["AnthropicProvider", "GoogleProvider", "OpenAIProvider", "Provider", "TokenCounter"]
