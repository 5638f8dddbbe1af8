"""Memory block that compresses the messages flushed from the queue of LlamaIndex's `Memory`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, TextBlock
from llama_index.core.memory import BaseMemoryBlock
from llama_index.core.memory.types import DEFAULT_CHAT_STORE_KEY
from llama_index.core.utils import get_tokenizer

from headroom_core.adapters import PositiveInt
from headroom_integrations.llamaindex.memory import BudgetedMemory

_SESSION_KEY = "session_id"
"""Key in the `additional_kwargs` under which `Memory` passes the session to its blocks."""


class HeadroomMemoryBlock(BudgetedMemory, BaseMemoryBlock[list[ChatMessage]]):
    """Memory block for messages that leave the queue of LlamaIndex's `Memory`.

    The block shows these messages, compressed, in front of those in the queue. They remain
    messages, tool calls with their results. Its chat store keeps the originals, separately for
    every session.

    Attributes:
        name: Name of the block.
        token_limit: Maximum number of tokens that the block shows. Defaults to 9,000, the share
            that a `Memory` of 30,000 tokens has besides its queue.
        chat_store: Chat store that keeps the messages, by session.
        model: Model whose tokens are counted.
        config: Compression settings, copied on assignment. Defaults to `HeadroomConfig()`, but
            with a default of 1 for `rolling_window.preserve_recent_turns`.
        store: Store that keeps the originals. It is pickled with the block, but `model_dump` only
            includes `config.store_url`. Defaults to the store of the settings.
        retrieve: Whether the model that reads the messages can call `headroom_retrieve`. If False,
            nothing is left out unless `token_limit` cannot be met otherwise.
        priority: Order in which `Memory` truncates blocks that exceed its own limit, from 1. A
            block with priority 0 is never truncated.

    Raises:
        ConfigurationError: If a setting has an invalid value or an unknown name.

    Example:
        >>> from llama_index.core.memory import Memory
        >>> memory = Memory.from_defaults(
        ...     token_limit=200, token_flush_size=50, memory_blocks=[HeadroomMemoryBlock()]
        ... )
        >>> for page in range(20):
        ...     memory.put(ChatMessage(f"Read page {page}."))
        ...     memory.put(ChatMessage("It is read.", role="assistant"))
        >>> memory.get()[0].content
        'Read page 0.'
    """

    name: str = "EarlierMessages"
    token_limit: PositiveInt = 9_000

    async def _aget(
        self,
        messages: list[ChatMessage] | None = None,
        session_id: str | None = None,
        **block_kwargs: Any,
    ) -> list[ChatMessage]:
        originals = await self.chat_store.aget_messages(session_id or DEFAULT_CHAT_STORE_KEY)
        return await self._compress(list(originals), self.token_limit)

    async def _aput(self, messages: list[ChatMessage]) -> None:
        for message in messages:
            # The session belongs to `Memory`; a model must not read it.
            additional_kwargs = dict(message.additional_kwargs)
            key = additional_kwargs.pop(_SESSION_KEY, DEFAULT_CHAT_STORE_KEY)
            original = message.model_copy(update={"additional_kwargs": additional_kwargs})
            await self.chat_store.async_add_message(key, original)

    async def atruncate(
        self, content: list[ChatMessage], tokens_to_truncate: int
    ) -> list[ChatMessage]:
        """Compress the messages to a half, a quarter and so on of the limit until they fit.

        Halving, rather than cutting exactly as much as necessary, keeps the beginning of a growing
        conversation stable.

        Args:
            content: Messages that the block has shown.
            tokens_to_truncate: Number of tokens to save, as `Memory` counts them.
        """
        originals = content.originals if isinstance(content, _ShownMessages) else content
        max_tokens = max(1, _count_tokens(content) - tokens_to_truncate)
        limit = self.token_limit
        while _count_tokens(content) > max_tokens and limit > max_tokens:
            limit //= 2
            content = await self._compress(originals, limit)
        return content

    async def _compress(
        self, originals: Sequence[ChatMessage], token_budget: int
    ) -> list[ChatMessage]:
        result = await self.compression(token_budget).acompress(originals)
        return _ShownMessages(originals, result.messages)


class _ShownMessages(list[ChatMessage]):
    """Compressed messages that remember their originals, to compress those again."""

    def __init__(self, originals: Sequence[ChatMessage], compressed: Sequence[ChatMessage]) -> None:
        # `Memory` inserts the content of other blocks into messages, so it is given copies.
        super().__init__(message.model_copy() for message in compressed)
        self.originals = originals


def _count_tokens(messages: Sequence[ChatMessage]) -> int:
    """Count tokens like `Memory` does: texts and additional arguments, by the global tokenizer."""
    tokenize = get_tokenizer()
    tokens = 0
    for message in messages:
        for block in message.blocks:
            if isinstance(block, TextBlock):
                tokens += len(tokenize(block.text))
        if message.additional_kwargs:
            tokens += len(tokenize(str(message.additional_kwargs)))
    return tokens
