"""The table compressor, used directly on texts of any size."""

from __future__ import annotations

from headroom_core import Request, SmartCrusher, SmartCrusherConfig, content_key

crusher = SmartCrusher(SmartCrusherConfig(min_tokens_to_crush=0))


def crush(text: str, *, selecting: bool = False) -> str:
    """Return the lossless form of a text, or the one with rows left out, or the text."""
    request = Request(content_key(text), tokens=len(text), selecting=selecting)
    compressed = crusher.compress(text, request)
    return compressed.text if compressed else text
