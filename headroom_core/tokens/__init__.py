"""Token counts of texts and messages."""

from __future__ import annotations

from headroom_core.tokens.tokenizer import Tokenizer, count_tokens_messages, count_tokens_text

__all__ = ["Tokenizer", "count_tokens_messages", "count_tokens_text"]
